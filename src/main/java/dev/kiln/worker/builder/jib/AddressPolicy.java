package dev.kiln.worker.builder.jib;

import java.net.Inet4Address;
import java.net.InetAddress;
import java.net.UnknownHostException;
import org.apache.http.conn.DnsResolver;

/**
 * Which addresses Kiln connects to for a stranger. Given to the HTTP client as its resolver, so the addresses that are
 * checked are the addresses that are connected to, whatever a name server says next.
 */
enum AddressPolicy implements DnsResolver {
    /** Only the public internet. */
    PUBLIC {
        @Override
        boolean allows(InetAddress address) {
            return address instanceof Inet4Address ? isPublic4(address.getAddress()) : isPublic6(address.getAddress());
        }
    },

    /** Private networks and this machine too, but never link-local ones: clouds hand out credentials there. */
    PRIVATE_TOO {
        @Override
        boolean allows(InetAddress address) {
            byte[] bytes = address.getAddress();
            if (address instanceof Inet4Address) {
                return !address.isLinkLocalAddress() && !address.isMulticastAddress() && bytes[0] != 0;
            }
            return isPublic6(bytes) || address.isLoopbackAddress() || (bytes[0] & 0xfe) == 0xfc;
        }
    };

    abstract boolean allows(InetAddress address);

    /** @throws RefusedAddressException when any of the host's addresses is not allowed */
    @Override
    public InetAddress[] resolve(String host) throws UnknownHostException {
        InetAddress[] addresses = InetAddress.getAllByName(host);
        for (InetAddress address : addresses) {
            if (!allows(address)) {
                throw new RefusedAddressException();
            }
        }
        return addresses;
    }

    /** A host has an address that is not allowed. Says nothing of the address, which the message's reader may not know. */
    static final class RefusedAddressException extends UnknownHostException {
        private static final long serialVersionUID = 1L;

        RefusedAddressException() {
            super("its address is in a range that Kiln does not connect to");
        }
    }

    /** The IANA special-purpose registry for IPv4, without the ranges in it that are globally reachable. */
    private static boolean isPublic4(byte[] address) {
        int a = address[0] & 0xff;
        int b = address[1] & 0xff;
        int c = address[2] & 0xff;
        boolean special = a == 0
                || a == 10
                || a == 127
                || a >= 224
                || (a == 100 && b >= 64 && b < 128)
                || (a == 169 && b == 254)
                || (a == 172 && b >= 16 && b < 32)
                || (a == 192 && b == 168)
                || (a == 192 && b == 0 && (c == 0 || c == 2))
                || (a == 192 && b == 88 && c == 99)
                || (a == 198 && (b == 18 || b == 19))
                || (a == 198 && b == 51 && c == 100)
                || (a == 203 && b == 0 && c == 113);
        return !special;
    }

    /** Global unicast (2000::/3) without what in it is special or carries an IPv4 address that would go unchecked. */
    private static boolean isPublic6(byte[] address) {
        int first = (address[0] & 0xff) << 8 | (address[1] & 0xff);
        int second = (address[2] & 0xff) << 8 | (address[3] & 0xff);
        boolean special = (first == 0x2001 && (second < 0x200 || second == 0xdb8))
                || first == 0x2002
                || (first == 0x3fff && second < 0x1000);
        return first >> 13 == 1 && !special;
    }
}
