package dev.kiln.http.wire;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kiln.config.AddressRange;
import dev.kiln.http.wire.Forwarding.Origin;
import java.net.InetAddress;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.RepeatedTest;
import org.junit.jupiter.api.RepetitionInfo;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

/** What a trusted proxy says; 10.0.0.0/8 is trusted and the connection is 10.0.0.1's. */
class ForwardingTest {
    private static final InetAddress PEER = AddressRange.address("10.0.0.1").orElseThrow();
    private static final Optional<String> HOST = Optional.of("inner:8080");
    private static final List<String> NONE = List.of();

    private final Forwarding forwarding =
            new Forwarding(List.of(AddressRange.parse("10.0.0.0/8").orElseThrow()));

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
            192.0.2.7                         | 192.0.2.7
            192.0.2.7:4711                    | 192.0.2.7
            2001:db8::7                       | 2001:db8:0:0:0:0:0:7
            [2001:db8::7]:4711                | 2001:db8:0:0:0:0:0:7
            198.51.100.1, 192.0.2.7           | 192.0.2.7
            198.51.100.1, 192.0.2.7, 10.9.9.9 | 192.0.2.7
            10.2.2.2, 10.9.9.9                | 10.2.2.2
            192.0.2.7, unknown                | 10.0.0.1
            192.0.2.7, unknown, 10.9.9.9      | 10.9.9.9
            192.0.2.7,                        | 10.0.0.1
            example.com                       | 10.0.0.1
            999.1.1.1                         | 10.0.0.1
            """)
    void theCallerIsTheLastWhomNoTrustedProxyIs(String forwardedFor, String caller) {
        assertThat(forwarding.origin(PEER, HOST, NONE, List.of(forwardedFor.split(", (?=10)")), NONE))
                .isEqualTo(new Origin(caller, HOST));
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', quoteCharacter = '`', textBlock = """
            for=192.0.2.7                                              | 192.0.2.7
            For="[2001:db8::7]:4711";Proto=https;by=10.0.0.1           | 2001:db8:0:0:0:0:0:7
            for=198.51.100.1, for=192.0.2.7;proto=http , for=10.9.9.9  | 192.0.2.7
            for="192.0.2.7\\:80"                                       | 192.0.2.7
            for=_hidden                                                | 10.0.0.1
            proto=https                                                | 10.0.0.1
            for=192.0.2.7, nonsense                                    | 10.0.0.1
            for=192.0.2.7;for=192.0.2.8                                | 10.0.0.1
            for="192.0.2.7                                             | 10.0.0.1
            for="192.0.2.7"x                                           | 10.0.0.1
            """)
    void theStandardsHeaderSaysTheSame(String forwarded, String caller) {
        assertThat(forwarding.origin(PEER, HOST, List.of(forwarded), NONE, NONE).address())
                .isEqualTo(caller);
    }

    @Test
    void theHostIsTheOneThatTheClientAskedFor() {
        assertThat(forwarding
                        .origin(PEER, HOST, NONE, NONE, List.of("linux-arm64.reg.example.com, inner"))
                        .host())
                .contains("linux-arm64.reg.example.com");
        assertThat(forwarding
                        .origin(PEER, HOST, List.of("for=a;host=\"reg.example.com:80\", host=inner"), NONE, NONE)
                        .host())
                .contains("reg.example.com:80");
    }

    @Test
    void twoFormsThatDifferAreBothWithoutEffect() {
        List<String> same = List.of("for=192.0.2.7;host=a");
        assertThat(forwarding.origin(PEER, HOST, same, List.of("192.0.2.7"), List.of("a")))
                .isEqualTo(new Origin("192.0.2.7", Optional.of("a")));
        assertThat(forwarding.origin(PEER, HOST, same, List.of("192.0.2.8"), List.of("b")))
                .isEqualTo(new Origin("10.0.0.1", HOST));
    }

    @Test
    void whatIsTooLongIsNotRead() {
        List<String> many = Stream.generate(() -> "10.0.0.2").limit(1000).toList();
        assertThat(forwarding.origin(PEER, HOST, NONE, many, NONE)).isEqualTo(new Origin("10.0.0.1", HOST));
    }

    /** A client that adds to what its proxy sets must not be believed in the form that the proxy passes on. */
    @ParameterizedTest
    @MethodSource
    void whereOneFormCannotBeReadTheOtherIsNotBelieved(List<String> forwarded, List<String> plain, List<String> host) {
        assertThat(forwarding.origin(PEER, HOST, forwarded, plain, host)).isEqualTo(new Origin("10.0.0.1", HOST));
    }

    static Stream<Arguments> whereOneFormCannotBeReadTheOtherIsNotBelieved() {
        String padding = "x".repeat(5000);
        List<String> good = List.of("for=192.0.2.7;host=a");
        return Stream.of(
                Arguments.of(List.of("for=" + padding, "for=192.0.2.7;host=b"), List.of("192.0.2.8"), List.of("c")),
                Arguments.of(List.of("for=192.0.2.7;host=b;nonsense"), List.of("192.0.2.8"), List.of("c")),
                Arguments.of(List.of(""), List.of("192.0.2.8"), List.of("c")),
                Arguments.of(good, List.of(padding, "192.0.2.8"), List.of(padding, "c")),
                Arguments.of(good, List.of("192.0.2.7, unknown"), List.of(",")),
                Arguments.of(List.of("for=_hidden;host=b"), List.of("192.0.2.8"), List.of("c")));
    }

    @Test
    void aFormThatNamesNoHostLeavesThatToTheOther() {
        assertThat(forwarding
                        .origin(PEER, HOST, List.of("for=192.0.2.7;proto=https"), NONE, List.of("a"))
                        .host())
                .contains("a");
    }

    @RepeatedTest(100)
    void noHeaderBreaksIt(RepetitionInfo repetition) {
        Random random = new Random(repetition.getCurrentRepetition());
        List<String> pieces = List.of(
                "for", "host", "=", ";", ",", "\"", "\\", "[", "]", ":", "192.0.2.7", "10.0.0.2", "::1", " ", "é", "");
        for (int i = 0; i < 200; i++) {
            List<List<String>> lines = new ArrayList<>();
            for (int header = 0; header < 3; header++) {
                StringBuilder line = new StringBuilder();
                for (int n = random.nextInt(12); n >= 0; n--) {
                    line.append(pieces.get(random.nextInt(pieces.size())));
                }
                lines.add(List.of(line.toString(), line.toString()));
            }
            Origin origin = forwarding.origin(PEER, HOST, lines.get(0), lines.get(1), lines.get(2));
            assertThat(AddressRange.address(origin.address())).isPresent();
        }
    }
}
