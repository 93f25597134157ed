package dev.kiln.cluster;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.dataformat.yaml.YAMLFactory;
import dev.kiln.config.ClusterConfig.Discovery;
import dev.kiln.config.ConfigLoader;
import dev.kiln.config.KilnConfig;
import dev.kiln.config.KilnConfig.Role;
import dev.kiln.testing.TestAuthority;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Properties;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.yaml.snakeyaml.LoaderOptions;
import org.yaml.snakeyaml.Yaml;

/** {@code cluster-config} is what Kiln takes: no key is unknown, no variable missing. */
class ShippedConfigurationTest {
    private static final Path FOLDER = Path.of("cluster-config").toAbsolutePath();
    private static final Pattern VARIABLE = Pattern.compile("\\$\\{\\??(KILN_[A-Z_]+)}");

    /** As an environment, which a test cannot set. */
    private static final Map<String, String> VARIABLES = Map.of(
            "KILN_HOST", "registry-1",
            "KILN_POD_IP", "10.1.2.3",
            "KILN_PUBLIC_URL", "https://kiln.example.com",
            "KILN_PROXY", "10.0.0.1",
            "KILN_PLATFORM", "linux/amd64",
            "KILN_DATABASE_URL", "jdbc:postgresql://db.example.com/kiln",
            "KILN_DATABASE_USER", "kiln",
            "KILN_DATABASE_PASSWORD", "a secret of the test");

    @TempDir
    Path directory;

    private KilnConfig load(Path file) throws IOException {
        StringBuilder text = new StringBuilder();
        VARIABLES.forEach(
                (name, value) -> text.append(name).append(" = \"").append(value).append("\"\n"));
        text.append("include required(file(\"").append(file).append("\"))\n");
        return ConfigLoader.load(Optional.of(Files.writeString(directory.resolve("test.conf"), text)), new Properties())
                .kiln();
    }

    private static Map<String, String> configMap() throws IOException {
        JsonNode data = new ObjectMapper(new YAMLFactory())
                .readTree(FOLDER.resolve("kubernetes/configuration.yaml").toFile())
                .path("data");
        Map<String, String> files = new TreeMap<>();
        data.properties()
                .forEach(file -> files.put(file.getKey(), file.getValue().asText()));
        return files;
    }

    @Test
    void theFilesOfBothRolesAreRight() throws IOException {
        KilnConfig registry = load(FOLDER.resolve("registry.conf"));
        assertThat(registry.roles()).containsExactly(Role.REGISTRY);
        assertThat(registry.database().embedded()).isFalse();
        KilnConfig builder = load(FOLDER.resolve("builder.conf"));
        assertThat(builder.roles()).containsExactly(Role.BUILDER);
        assertThat(builder.worker().platforms()).hasToString("[linux/amd64]");
        // builders of type push are told it
        assertThat(List.of(registry, builder))
                .allSatisfy(config -> assertThat(config.http().publicUrl()).isPresent());
        assertThat(List.of(registry, builder))
                .allSatisfy(config -> assertThat(config.cluster().discovery().orElseThrow())
                        .isEqualTo(new Discovery.Listed(
                                List.of("registry-1:8558", "registry-2:8558", "registry-3:8558"))));
    }

    @Test
    void theFilesInKubernetesAreRight() throws IOException {
        String tls = tls().toString();
        for (Map.Entry<String, String> file : configMap().entrySet()) {
            // the secret of that path is not here
            Files.writeString(directory.resolve(file.getKey()), file.getValue().replace("/etc/kiln-tls", tls));
        }
        assertThat(load(directory.resolve("registry.conf")).roles()).containsExactly(Role.REGISTRY);
        KilnConfig builder = load(directory.resolve("builder.conf"));
        assertThat(builder.roles()).containsExactly(Role.BUILDER);
        assertThat(builder.cluster().discovery().orElseThrow()).isInstanceOf(Discovery.Kubernetes.class);
        assertThat(builder.cluster().tls()).isPresent();
    }

    private Path tls() throws IOException {
        Path tls = Files.createDirectories(directory.resolve("tls"));
        TestAuthority authority = TestAuthority.create(tls);
        TestAuthority.Identity node = authority.issue("kiln");
        Files.copy(node.key(), tls.resolve("tls.key"), StandardCopyOption.REPLACE_EXISTING);
        Files.copy(node.certificate(), tls.resolve("tls.crt"), StandardCopyOption.REPLACE_EXISTING);
        Files.copy(authority.certificate(), tls.resolve("ca.crt"), StandardCopyOption.REPLACE_EXISTING);
        return tls;
    }

    @Test
    @SuppressWarnings("unchecked")
    void composeGivesEveryNodeTheVariablesAndFilesThatItReads() throws IOException {
        Map<String, Object> compose =
                new Yaml(new LoaderOptions()).load(Files.readString(FOLDER.resolve("compose.yaml")));
        assertThat(compose.keySet())
                .allMatch(key -> key.startsWith("x-")
                        || Set.of("name", "services", "volumes", "networks").contains(key));
        Map<String, Map<String, Object>> services = (Map<String, Map<String, Object>>) compose.get("services");
        assertThat(services)
                .containsOnlyKeys(
                        "registry-1",
                        "registry-2",
                        "registry-3",
                        "builder-amd64",
                        "builder-arm64",
                        "database",
                        "load-balancer");
        for (Map.Entry<String, Map<String, Object>> service : services.entrySet()) {
            Map<String, String> environment =
                    (Map<String, String>) service.getValue().getOrDefault("environment", Map.of());
            Set<String> read = new TreeSet<>();
            for (String volume : (List<String>) service.getValue().get("volumes")) {
                if (volume.startsWith("./")) {
                    Path file = FOLDER.resolve(volume.substring(2, volume.indexOf(':')));
                    read.addAll(VARIABLE.matcher(Files.readString(file))
                            .results()
                            .map(match -> match.group(1))
                            .toList());
                } else {
                    assertThat((Map<String, Object>) compose.get("volumes")).containsKey(volume.split(":")[0]);
                }
            }
            assertThat(environment.keySet()).as(service.getKey()).containsAll(read);
            if (service.getKey().startsWith("registry-")) {
                assertThat(environment).containsEntry("KILN_HOST", service.getKey());
            }
        }
        Map<String, String> balancer =
                (Map<String, String>) services.get("load-balancer").get("environment");
        assertThat(Pattern.compile("\\$\\{?(KILN_[A-Z0-9_]+)")
                        .matcher(Files.readString(FOLDER.resolve("haproxy.cfg")))
                        .results()
                        .map((MatchResult match) -> match.group(1))
                        .toList())
                .containsExactlyInAnyOrderElementsOf(balancer.keySet());
    }

    /** HAProxy holds a request for longer than any node does, and forgets an idle connection before the node does. */
    @Test
    void timesOfLoadBalancersFitTheNodes() throws IOException {
        KilnConfig config = load(FOLDER.resolve("registry.conf"));
        long hop = config.repositories().get(0).hop().toSeconds();
        String haproxy = Files.readString(FOLDER.resolve("haproxy.cfg"));
        assertThat(seconds(haproxy, "timeout server +(\\d+)s")).isGreaterThan(hop);
        assertThat(seconds(haproxy, "timeout client +(\\d+)s")).isGreaterThan(hop);
        assertThat(seconds(haproxy, "timeout http-keep-alive +(\\d+)s")).isLessThan(60);
        String nginx = Files.readString(FOLDER.resolve("nginx.conf"));
        assertThat(seconds(nginx, "proxy_read_timeout +(\\d+)s")).isGreaterThan(hop);
        assertThat(seconds(nginx, "keepalive_timeout +(\\d+)s")).isLessThan(60);
        String ingress = Files.readString(FOLDER.resolve("kubernetes/registry.yaml"));
        assertThat(seconds(ingress, "proxy-read-timeout: \"(\\d+)\"")).isGreaterThan(hop);
        // two checks that fail, and the time between them
        assertThat(config.shutdown().unready().toSeconds()).isGreaterThan(2 * seconds(haproxy, "inter (\\d+)s"));
    }

    private static long seconds(String file, String pattern) {
        return Long.parseLong(Pattern.compile(pattern)
                .matcher(file)
                .results()
                .findFirst()
                .orElseThrow()
                .group(1));
    }
}
