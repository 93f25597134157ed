package dev.kiln.worker.builder.jib;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.net.InetAddress;
import java.net.UnknownHostException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class AddressPolicyTest {
    @ParameterizedTest
    @ValueSource(
            strings = {
                "0.0.0.0",
                "10.1.2.3",
                "100.64.0.1",
                "127.0.0.1",
                "127.1",
                "2130706433",
                "169.254.169.254",
                "172.16.0.1",
                "172.31.255.255",
                "192.0.0.1",
                "192.0.2.1",
                "192.88.99.1",
                "192.168.1.1",
                "198.18.0.1",
                "198.51.100.1",
                "203.0.113.1",
                "224.0.0.1",
                "240.0.0.1",
                "255.255.255.255",
                "::",
                "::1",
                "::ffff:10.0.0.1",
                "::10.0.0.1",
                "64:ff9b::10.0.0.1",
                "100::1",
                "2001::1",
                "2001:db8::1",
                "2002:a00:1::",
                "3fff::1",
                "fc00::1",
                "fd12::1",
                "fe80::1",
                "fec0::1",
                "ff02::1"
            })
    void specialAddressesAreNotPublic(String address) throws UnknownHostException {
        assertThat(AddressPolicy.PUBLIC.allows(InetAddress.getByName(address))).isFalse();
        assertThatThrownBy(() -> AddressPolicy.PUBLIC.resolve(address))
                .isInstanceOf(AddressPolicy.RefusedAddressException.class);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "1.1.1.1",
                "9.9.9.9",
                "100.63.0.1",
                "100.128.0.1",
                "172.15.0.1",
                "172.32.0.1",
                "192.0.1.1",
                "198.17.0.1",
                "223.255.255.255",
                "2606:4700::1111",
                "2a00:1450::1",
                "2001:4860::8888"
            })
    void theInternetIs(String address) throws UnknownHostException {
        assertThat(AddressPolicy.PUBLIC.resolve(address)).hasSize(1);
    }

    @Test
    void privateNetworksCanBeAllowedButNeverLinkLocalOnes() throws UnknownHostException {
        for (String allowed : new String[] {"10.0.0.1", "127.0.0.1", "::1", "fd12::1", "1.1.1.1"}) {
            assertThat(AddressPolicy.PRIVATE_TOO.resolve(allowed)).hasSize(1);
        }
        for (String refused :
                new String[] {"169.254.169.254", "fe80::1", "0.0.0.0", "::", "224.0.0.1", "64:ff9b::a9fe:a9fe"}) {
            assertThatThrownBy(() -> AddressPolicy.PRIVATE_TOO.resolve(refused))
                    .isInstanceOf(AddressPolicy.RefusedAddressException.class);
        }
    }
}
