package dev.kiln.clients;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.kiln.testing.FreePorts;
import dev.kiln.testing.KilnProcess;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Every channel by which a real client can say which platform it wants. A pull starts the hinted platform alone, and each
 * test has a repository of its own: so what it gets, and what is recorded, is its hint's doing.
 */
@Tag("clients")
final class HintsIT {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final String DOCUMENT = "{\"architecture\":\"arm64\",\"os\":\"linux\",\"features\":[\"neon\"]}";

    @TempDir
    static Path temp;

    private static Team team;
    private static KilnProcess open;
    private static KilnProcess asking;

    @BeforeAll
    static void start() throws IOException {
        team = Team.create(temp, "app", Map.of("build.sh", Team.IMAGE));
        String repositories = """
                kiln.builders.sh { type = command, command = [sh, build.sh] }
                kiln.repositories = [{
                  name = "team/*", source.url = "%s", builder = sh, platforms = ["linux/amd64", "linux/arm64"]
                  start = hinted
                }]
                """.formatted(team.url());
        open = KilnProcess.start(
                Files.createDirectory(temp.resolve("open")), repositories + """
                kiln.http { port = %1$d, public-url = "http://127.0.0.1:%1$d", trusted-proxies = ["127.0.0.1"] }
                """.formatted(FreePorts.next()));
        asking = KilnProcess.start(
                Files.createDirectory(temp.resolve("asking")), repositories + "kiln.hints.username = true\n");
    }

    @AfterAll
    static void stop() {
        open.close();
        asking.close();
    }

    static Stream<Client> clients() {
        return Client.all(temp).stream();
    }

    private static Client named(String name) {
        return clients()
                .filter(client -> client.toString().equals(name))
                .findFirst()
                .orElseThrow();
    }

    static Stream<Arguments> clientsAndUsers() {
        return clients()
                .flatMap(client -> Stream.of("linux+arm64+v8", DOCUMENT).map(user -> Arguments.of(client, user)));
    }

    @ParameterizedTest
    @MethodSource("clients")
    void aTagSuffix(Client client) throws Exception {
        String image = open.host() + "/team/" + client + "-suffix:main_linux-arm64";
        client.pull(image, "arm64").mustSucceed();
        assertPulled(client, image);
        assertRecorded(open, client + "-suffix", "linux/arm64/v8 by tag suffix");
    }

    @ParameterizedTest
    @MethodSource("clients")
    void aTagSuffixWithADash(Client client) throws Exception {
        String image = open.host() + "/team/" + client + "-dash:main-linux-arm64";
        client.pull(image, "arm64").mustSucceed();
        assertPulled(client, image);
        assertRecorded(open, client + "-dash", "linux/arm64/v8 by tag suffix");
    }

    @ParameterizedTest
    @MethodSource("clients")
    void aPathSegment(Client client) throws Exception {
        String image = open.host() + "/p/linux-arm64/team/" + client + "-path:main";
        client.pull(image, "arm64").mustSucceed();
        assertPulled(client, image);
        assertRecorded(open, client + "-path", "linux/arm64/v8 by path");
    }

    @ParameterizedTest
    @MethodSource("clientsAndUsers")
    void aUsername(Client client, String user) throws Exception {
        String name = client + (user.equals(DOCUMENT) ? "-json" : "-words");
        String image = asking.host() + "/team/" + name + ":main";
        Client known = client;
        List<String> options = switch (client.toString()) {
            case "skopeo" -> List.of("--src-creds", user + ":x");
            case "ctr" -> List.of("--user", user + ":x");
            case "docker" -> List.of();
            default -> List.of("--creds", user + ":x");
        };
        if (client.toString().equals("docker")) {
            known = client.with(Map.of("DOCKER_CONFIG", temp.resolve(name).toString()));
            known.run("login", "-u", user, "-p", "x", asking.host()).mustSucceed();
        }
        known.pull(image, "arm64", options).mustSucceed();
        assertPulled(known, image);
        assertRecorded(asking, name, "linux/arm64/v8 by username");
    }

    @ParameterizedTest
    @MethodSource("clients")
    void nobodyNeedsAUsername(Client client) throws Exception {
        String image = asking.host() + "/team/" + client + "-nobody:main";
        client.pull(image, "amd64").mustSucceed();
        assertThat(client.saved(image, "amd64").platform()).isEqualTo("linux/amd64");
    }

    @Test
    void aUsernameThatPodmanKeepsInAFile() throws Exception {
        Path file = temp.resolve("auth.json");
        Client podman = Client.podman(temp);
        podman.run(
                        "login",
                        "--tls-verify=false",
                        "--authfile",
                        file.toString(),
                        "-u",
                        DOCUMENT,
                        "-p",
                        "x",
                        asking.host())
                .mustSucceed();
        String image = asking.host() + "/team/podman-file:main";
        podman.pull(image, "arm64", List.of("--authfile", file.toString())).mustSucceed();
        assertPulled(podman, image);
        assertRecorded(asking, "podman-file", "linux/arm64/v8 by username");
    }

    @Test
    void aHeaderOfDocker() throws Exception {
        Path config = Files.createDirectory(temp.resolve("docker-header"));
        Files.writeString(
                config.resolve("config.json"), "{\"HttpHeaders\":{\"X-Meta-Build-Platform\":\"linux/arm64/v8\"}}");
        Client docker = Client.docker(temp).with(Map.of("DOCKER_CONFIG", config.toString()));
        String image = open.host() + "/team/docker-header:main";
        docker.pull(image, "arm64").mustSucceed();
        assertPulled(docker, image);
        assertRecorded(open, "docker-header", "linux/arm64/v8 by X-Meta-Build-Platform");
    }

    @Test
    void theUserAgentOfDocker() throws Exception {
        String image = open.host() + "/team/docker-agent:main";
        Client docker = Client.docker(temp);
        docker.pull(image, "amd64").mustSucceed();
        assertRecorded(open, "docker-agent", "linux/amd64", "linux/amd64 by User-Agent");
    }

    /** As where a name server knows it: the client's proxy, which is the registry itself, need not be asked for names. */
    @ParameterizedTest
    @ValueSource(strings = {"podman", "buildah", "skopeo", "ctr"})
    void aHostName(String name) throws Exception {
        String registry = open.registry().toString();
        Client client = named(name).with(Map.of("HTTP_PROXY", registry, "HTTPS_PROXY", registry));
        String image = "linux-arm64." + open.host() + "/team/" + name + "-host:main";
        client.pull(image, "arm64").mustSucceed();
        assertPulled(client, image);
        assertRecorded(open, name + "-host", "linux/arm64/v8 by host name");
    }

    @ParameterizedTest
    @ValueSource(strings = {"X-Build-Platform: linux/arm64", "X-Forwarded-Host: linux-arm64.127.0.0.1"})
    void aHeaderOfContainerd(String header) throws Exception {
        String[] parts = header.split(": ");
        String name = "ctr-" + parts[0].toLowerCase(Locale.ROOT);
        String image = pulledByHosts(name, """
                [host."%1$s"]
                  capabilities = ["pull", "resolve"]
                  [host."%1$s".header]
                    %2$s = "%3$s"
                """.formatted(open.registry(), parts[0], parts[1]));
        assertPulled(Client.ctr(temp), image);
        String channel = parts[0].equals("X-Build-Platform") ? "X-Build-Platform" : "host name";
        assertRecorded(open, name, "linux/arm64/v8 by " + channel);
    }

    @Test
    void aPathThatContainerdIsConfiguredWith() throws Exception {
        String image = pulledByHosts("ctr-hosts-path", """
                [host."%s/v2/p/linux-arm64"]
                  capabilities = ["pull", "resolve"]
                  override_path = true
                """.formatted(open.registry()));
        assertPulled(Client.ctr(temp), image);
        assertRecorded(open, "ctr-hosts-path", "linux/arm64/v8 by path");
    }

    /** The image, pulled with a {@code hosts.toml} for the server. */
    private static String pulledByHosts(String name, String hosts) throws IOException {
        Path directory = Files.createDirectory(temp.resolve(name));
        Path own = Files.createDirectory(directory.resolve(open.host()));
        Files.writeString(own.resolve("hosts.toml"), "server = \"" + open.registry() + "\"\n" + hosts);
        String image = open.host() + "/team/" + name + ":main";
        Client.ctr(temp)
                .pull(image, "arm64", List.of("--hosts-dir", directory.toString()))
                .mustSucceed();
        return image;
    }

    @ParameterizedTest
    @ValueSource(strings = {"podman", "buildah", "skopeo"})
    void aPathThatIsConfiguredInRegistriesConf(String name) throws Exception {
        Path file = temp.resolve(name + "-registries.conf");
        Files.writeString(file, """
                [[registry]]
                prefix = "%1$s/team"
                location = "%1$s/p/linux-arm64/team"
                insecure = true
                """.formatted(open.host()));
        Client client = named(name).with(Map.of("CONTAINERS_REGISTRIES_CONF", file.toString()));
        String image = open.host() + "/team/" + name + "-registries:main";
        // skopeo does not read the variable
        List<String> option = name.equals("skopeo") ? List.of("--registries-conf", file.toString()) : List.of();
        client.pull(image, "arm64", option).mustSucceed();
        assertPulled(client, image);
        assertRecorded(open, name + "-registries", "linux/arm64/v8 by path");
    }

    /** Path against tag; and for docker the User-Agent too, which is of this machine. */
    @ParameterizedTest
    @MethodSource("clients")
    void ofTwoNamesThatDisagreeTheTagWins(Client client) throws Exception {
        String image = open.host() + "/p/linux-amd64/team/" + client + "-two:main_linux-arm64";
        client.pull(image, "arm64").mustSucceed();
        assertPulled(client, image);
        assertRecorded(open, client + "-two", "linux/arm64/v8 by tag suffix");
    }

    private static void assertPulled(Client client, String image) {
        assertThat(client.saved(image, "arm64").platform()).isEqualTo("linux/arm64");
    }

    private static void assertRecorded(KilnProcess server, String name, String hint) throws Exception {
        assertRecorded(server, name, "linux/arm64/v8", hint);
        assertThat(build(server, name, "linux/amd64").statusCode())
                .as("nobody asked for the other platform")
                .isEqualTo(404);
    }

    private static void assertRecorded(KilnProcess server, String name, String platform, String hint) throws Exception {
        HttpResponse<String> answer = build(server, name, platform);
        assertThat(answer.statusCode()).as(answer.body()).isEqualTo(200);
        JsonNode requested = JSON.readTree(answer.body()).path("events").path(0);
        assertThat(requested.path("cause").path("hint").asText()).isEqualTo(hint);
    }

    private static HttpResponse<String> build(KilnProcess server, String name, String platform) throws Exception {
        String id = ("team/" + name + "@" + team.revision() + "@" + platform).replace('/', '~');
        return HttpClient.newHttpClient()
                .send(
                        HttpRequest.newBuilder(URI.create(server.registry() + "/api/v1/builds/" + id))
                                .build(),
                        HttpResponse.BodyHandlers.ofString());
    }
}
