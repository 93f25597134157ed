package dev.kiln.http;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.kiln.client.Hint;
import dev.kiln.client.HintTokens;
import dev.kiln.config.KilnConfig;
import dev.kiln.testing.Wire;
import dev.kiln.testing.Wire.Answer;
import java.io.IOException;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Base64;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** {@code hints.username}: every client is asked for one, anyone is taken, and what the username says is the hint. */
class UsernameAccessTest {
    private static final String APP = "/v2/team/app/manifests/latest";
    private static final String DOCUMENT = "{\"architecture\":\"arm64\",\"os\":\"linux\",\"features\":[\"neon\"]}";
    private static final ObjectMapper JSON = new ObjectMapper();

    private static TestServer server;

    @BeforeAll
    static void start() throws Exception {
        server = new TestServer(
                new KilnConfig.Http("127.0.0.1", 0, Optional.of("https://reg.example.com:5000"), List.of()), true);
    }

    @AfterAll
    static void stop() {
        server.close();
    }

    private static Answer send(String method, String target, String... headers) throws IOException {
        try (Wire wire = new Wire(server.port())) {
            return wire.request(method, target, headers);
        }
    }

    private static Answer post(String body, String... headers) throws IOException {
        String lines = Stream.of(headers).map(line -> line + "\r\n").reduce("", String::concat);
        return Wire.once(
                server.port(),
                "POST /token HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n" + lines
                        + "Content-Length: " + body.length() + "\r\n\r\n" + body);
    }

    private static String basic(String credentials) {
        return "Authorization: Basic "
                + Base64.getEncoder().encodeToString(credentials.getBytes(StandardCharsets.UTF_8));
    }

    private static String form(String user, String password) {
        return "grant_type=password&service=reg.example.com&client_id=containerd-client&username="
                + URLEncoder.encode(user, StandardCharsets.UTF_8) + "&password="
                + URLEncoder.encode(password, StandardCharsets.UTF_8);
    }

    private static String token(Answer answer) throws IOException {
        assertThat(answer.status()).as(answer.text()).isEqualTo(200);
        JsonNode json = JSON.readTree(answer.text());
        assertThat(json.path("access_token")).isEqualTo(json.path("token"));
        assertThat(json.path("expires_in").asInt()).isGreaterThanOrEqualTo(300);
        assertThat(answer.header("Cache-Control")).isEqualTo("no-store");
        return json.path("token").asText();
    }

    /** The hint of a pull with these headers. */
    private static Optional<String> hint(String... headers) throws IOException {
        server.fakes.pulls.clear();
        Answer answer = send("GET", APP, headers);
        assertThat(answer.status()).as(answer.text()).isEqualTo(200);
        return server.fakes.pulls.get(0).hint().map(Hint::toString);
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
            /v2/                                         |
            /v2/p/linux-arm64/                           |
            /v2/team/app/manifests/latest                | team/app
            /v2/p/linux-arm64/team/app/manifests/latest  | team/app
            /v2/team/app/tags/list                       | team/app
            /v2/other/app/manifests/latest               | other/app
            """)
    void whoSaysNothingIsAskedForAToken(String path, String repository) throws IOException {
        String scope = repository == null ? "" : ",scope=\"repository:" + repository + ":pull\"";
        for (String method : List.of("GET", "HEAD")) {
            Answer answer = send(method, path);
            assertThat(answer.status()).isEqualTo(401);
            assertThat(answer.header("WWW-Authenticate"))
                    .isEqualTo("Bearer realm=\"https://reg.example.com:5000/token\",service=\"reg.example.com:5000\""
                            + scope);
        }
        assertThat(send("GET", path).text()).contains("UNAUTHORIZED", "no password needed");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "Bearer ",
                "Bearer x",
                "Bearer a.b.c",
                "Basic !",
                "Basic",
                "Digest username=\"linux+arm64\"",
                "Negotiate x"
            })
    void whatIsNoCredentialIsAskedForOne(String authorization) throws IOException {
        assertThat(send("GET", APP, "Authorization: " + authorization).status()).isEqualTo(401);
    }

    @Test
    void anInvalidOrExpiredTokenIsToBeFetchedAnew() throws IOException {
        String token = "Authorization: Bearer " + token(send("GET", "/token", basic("linux+arm64:x")));
        assertThat(send("GET", APP, token).status()).isEqualTo(200);
        server.clock.advance(HintTokens.LIFE.plus(Duration.ofSeconds(1)));
        for (String old : List.of(token, "Authorization: Bearer nonsense")) {
            Answer answer = send("GET", APP, old);
            assertThat(answer.status()).isEqualTo(401);
            assertThat(answer.header("WWW-Authenticate"))
                    .endsWith(",scope=\"repository:team/app:pull\",error=\"invalid_token\"");
        }
    }

    @Test
    void anyoneGetsATokenThatSaysNothing() throws IOException {
        for (Answer answer : List.of(
                send("GET", "/token"),
                send("HEAD", "/token"),
                send("GET", "/token?service=x&scope=repository:team/app:pull", basic("alice:secret")),
                send("GET", "/token?account=alice"),
                send("GET", "/token", "Authorization: Basic !"),
                post(""),
                post("grant_type=refresh_token&refresh_token=x"),
                post(form("alice", "secret")))) {
            assertThat(answer.status()).isEqualTo(200);
            if (!answer.text().isEmpty()) {
                assertThat(hint("Authorization: Bearer " + token(answer))).isEmpty();
            }
        }
    }

    static Stream<String> users() {
        return Stream.of("linux+arm64+v8", DOCUMENT);
    }

    @ParameterizedTest
    @MethodSource("users")
    void aUsernameArrivesByEveryWay(String user) throws IOException {
        String winner = "linux/arm64/v8 by username";
        String credentials = user + ":pass:word";
        int colon = credentials.indexOf(':');
        String cutUser = credentials.substring(0, colon);
        String encoded = URLEncoder.encode(cutUser, StandardCharsets.UTF_8);
        String whole = URLEncoder.encode(user, StandardCharsets.UTF_8).replace("+", "%20");

        assertThat(hint(basic(credentials))).contains(winner);
        for (String token : List.of(
                token(send("GET", "/token?account=" + encoded + "&service=x", basic(credentials))),
                token(send("GET", "/token?account=" + whole)),
                token(post(form(cutUser, credentials.substring(colon + 1)))),
                token(post(form(user, "pass:word"))))) {
            assertThat(hint("Authorization: Bearer " + token)).contains(winner);
            assertThat(token).matches("[A-Za-z0-9._-]+");
        }
    }

    @Test
    void anAccountThatIsCutOffIsNotRead() throws IOException {
        assertThat(hint("Authorization: Bearer " + token(send("GET", "/token?account=%7B%22architecture%22"))))
                .isEmpty();
    }

    @Test
    void theTokenHoldsNoPassword() throws IOException {
        String token = token(send("GET", "/token", basic("linux+arm64:hunter2")));
        String said = new String(Base64.getUrlDecoder().decode(token.split("[.]")[1]), StandardCharsets.US_ASCII);
        assertThat(said).isEqualTo("linux/arm64/v8 ");
        assertThat(token(send("GET", "/token", basic("linux+arm64:other")))).isEqualTo(token);
    }

    @Test
    void aUsernameYieldsToWhatIsSaidOnPurposeAndBeatsTheUserAgent() throws IOException {
        assertThat(hint(basic("linux+arm64:"), "X-Build-Platform: linux/amd64"))
                .contains("linux/amd64 by X-Build-Platform");
        assertThat(hint(basic("linux+arm64:"), "User-Agent: docker/29 os/linux arch/amd64"))
                .contains("linux/arm64/v8 by username");
    }

    @Test
    void anUnknownPlatformIsToldWhatThereIs() throws IOException {
        Answer answer = send("GET", APP, basic("linux+s390x:hunter2"));
        assertThat(answer.status()).isEqualTo(400);
        assertThat(answer.text())
                .contains("username says linux/s390x", "linux/amd64, linux/arm64/v8")
                .doesNotContain("hunter2");
    }

    @Test
    void aUsernameThatIsMeantAsAHintAndIsNoneIsRefused() throws IOException {
        String broken = "{\"architecture\":\"arm64\"}";
        for (Answer answer : List.of(
                send("GET", APP, basic(broken + ":hunter2")),
                send("GET", "/token", basic(broken + ":hunter2")),
                post(form("{\"architecture\"", "\"arm64\"}:hunter2")),
                send("GET", "/token", basic("linux+:hunter2")))) {
            assertThat(answer.status()).isEqualTo(400);
            assertThat(answer.text()).contains("the username begins ").doesNotContain("hunter2");
        }
    }

    @Test
    void aFormThatIsNoneIsRefused() throws IOException {
        assertThat(post("username=%zz").status()).isEqualTo(400);
        assertThat(post("username=a&username=b").text()).contains("more than once");
        assertThat(post("x".repeat(17_000)).status()).isEqualTo(400);
        assertThat(Wire.once(
                                server.port(),
                                "POST /token HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + "5000\r\n"
                                        + "x".repeat(0x5000) + "\r\n0\r\n\r\n")
                        .status())
                .isEqualTo(400);
        assertThat(send("PUT", "/token").header("Allow")).isEqualTo("GET, HEAD, POST");
    }

    @Test
    void whatIsWrongInItselfIsSaidBeforeAnybodyIsAsked() throws IOException {
        assertThat(send("GET", "/v2/Team/manifests/latest").status()).isEqualTo(400);
        assertThat(send("GET", "/health/live").status()).isEqualTo(200);
        assertThat(send("GET", "/api/v1/builds").status()).isEqualTo(200);
    }
}
