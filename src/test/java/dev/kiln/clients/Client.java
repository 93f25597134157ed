package dev.kiln.clients;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * A real client, run as a person runs it, but with storage of its own: nothing of the machine's images is touched. A test
 * of a client that is not here is skipped; {@code .ci/run} installs them all and starts the two daemons.
 */
final class Client {
    /** Against a client that hangs; the patient ones take five minutes to give up. */
    private static final Duration LIMIT = Duration.ofMinutes(10);

    private final String name;
    private final Tool tool;
    private final Path storage;
    private final List<String> pull;
    private final List<String> save;

    private Client(String name, Tool tool, Path storage, List<String> pull, List<String> save) {
        this.name = name;
        this.tool = tool;
        this.storage = storage;
        this.pull = pull;
        this.save = save;
    }

    /** The five, with their storage below {@code storage}. */
    static List<Client> all(Path storage) {
        return List.of(docker(storage), podman(storage), buildah(storage), skopeo(storage), ctr(storage));
    }

    static Client docker(Path storage) {
        Tool tool = Tool.of("docker")
                .needing("DOCKER_HOST")
                .with(Map.of("DOCKER_CONFIG", storage.resolve("docker").toString()));
        return new Client(
                "docker",
                tool,
                storage,
                List.of("pull", "--platform", "linux/{arch}", "{image}"),
                List.of("save", "-o", "{file}", "{image}"));
    }

    static Client podman(Path storage) {
        Path own = storage.resolve("podman");
        Tool tool = Tool.of(
                "podman",
                "--storage-driver",
                "vfs",
                "--root",
                own.resolve("root").toString(),
                "--runroot",
                own.resolve("run").toString(),
                "--tmpdir",
                own.resolve("tmp").toString(),
                "--cgroup-manager",
                "cgroupfs");
        return new Client(
                "podman",
                tool,
                storage,
                List.of("pull", "--tls-verify=false", "--arch", "{arch}", "{image}"),
                List.of("save", "-o", "{file}", "{image}"));
    }

    static Client buildah(Path storage) {
        Path own = storage.resolve("buildah");
        Tool tool = Tool.of(
                "buildah",
                "--storage-driver",
                "vfs",
                "--root",
                own.resolve("root").toString(),
                "--runroot",
                own.resolve("run").toString());
        return new Client(
                "buildah",
                tool,
                storage,
                List.of("pull", "--tls-verify=false", "--arch", "{arch}", "{image}"),
                List.of("push", "{image}", "docker-archive:{file}"));
    }

    static Client skopeo(Path storage) {
        return new Client(
                "skopeo",
                Tool.of("skopeo"),
                storage,
                List.of("copy", "--override-arch", "{arch}", "--src-tls-verify=false", "docker://{image}", "dir:{dir}"),
                List.of("copy", "dir:{dir}", "oci-archive:{file}"));
    }

    static Client ctr(Path storage) {
        return new Client(
                "ctr",
                Tool.of("ctr", "-n", "kiln").needing("CONTAINERD_ADDRESS"),
                storage,
                List.of(
                        "images",
                        "pull",
                        "--plain-http",
                        "--snapshotter",
                        "native",
                        "--platform",
                        "linux/{arch}",
                        "{image}"),
                List.of("images", "export", "--platform", "linux/{arch}", "{file}", "{image}"));
    }

    /** Pulls {@code image}, which is {@code host:port/name:tag}, for one architecture. */
    Outcome pull(String image, String architecture) {
        return tool.run(LIMIT, fill(pull, image, architecture));
    }

    /** As {@link #pull}, with options of the client's own. */
    Outcome pull(String image, String architecture, List<String> options) {
        List<String> line = new ArrayList<>(fill(pull, image, architecture));
        int firstOption =
                (int) line.stream().takeWhile(word -> !word.startsWith("-")).count();
        line.addAll(firstOption, options);
        return tool.run(LIMIT, line);
    }

    /** The same client with more in its environment. */
    Client with(Map<String, String> variables) {
        return new Client(name, tool.with(variables), storage, pull, save);
    }

    /** What the client has stored of an image that it has pulled. */
    SavedImage saved(String image, String architecture) {
        tool.run(LIMIT, fill(save, image, architecture)).mustSucceed();
        return SavedImage.read(file());
    }

    /** Any other command of the client. */
    Outcome run(String... arguments) {
        return tool.run(LIMIT, List.of(arguments));
    }

    private List<String> fill(List<String> template, String image, String architecture) {
        assertThat(file().toFile().delete() || !file().toFile().exists()).isTrue();
        String directory = storage.resolve(name + "-" + architecture).toString();
        return template.stream()
                .map(word -> word.replace("{image}", image)
                        .replace("{arch}", architecture)
                        .replace("{file}", file().toString())
                        .replace("{dir}", directory))
                .toList();
    }

    private Path file() {
        return storage.resolve(name + ".tar");
    }

    @Override
    public String toString() {
        return name;
    }
}
