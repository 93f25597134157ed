package dev.kiln.hostile;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.kiln.testing.GitOrigin;
import dev.kiln.testing.KilnProcess;
import dev.kiln.testing.Wire;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URI;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.awaitility.Awaitility;

/**
 * A server of one repository, {@code app}, for linux/amd64 and linux/arm64, whose builds run what the test committed as
 * {@code build.sh}. Everything is under one folder.
 */
final class Site implements AutoCloseable {
    private static final ObjectMapper JSON = new ObjectMapper();
    static final String ACCEPT =
            "Accept: application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json";

    /** Makes an image layout of the layer {@code file}, of {@code KILN_ARCH} or the architecture given. */
    static final String LAYOUT = """
            set -eu
            export LC_ALL=C
            mkdir -p "$KILN_OUTPUT/blobs/sha256"
            blob() {
                digest=$(sha256sum "$1"); digest=${digest%% *}
                size=$(wc -c <"$1"); size=$((size))
                cp "$1" "$KILN_OUTPUT/blobs/sha256/$digest"
            }
            image() {
                tmp=$(mktemp -d)
                blob "$1"; layer=$digest
                descriptor="{\\"mediaType\\":\\"application/vnd.oci.image.layer.v1.tar\\",\\"digest\\":\\"sha256:$digest\\",\\"size\\":$size}"
                printf '{"os":"linux","architecture":"%s","rootfs":{"type":"layers","diff_ids":["sha256:%s"]}}' \\
                    "${2:-$KILN_ARCH}" "$digest" >"$tmp/config"
                blob "$tmp/config"; config=$digest
                printf '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"sha256:%s","size":%s},"layers":[%s]}' \\
                    "$digest" "$size" "$descriptor" >"$tmp/manifest"
                blob "$tmp/manifest"
                printf '{"schemaVersion":2,"manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"sha256:%s","size":%s}]}' \\
                    "$digest" "$size" >"$KILN_OUTPUT/index.json"
                printf '{"imageLayoutVersion":"1.0.0"}' >"$KILN_OUTPUT/oci-layout"
            }
            blobs=$KILN_OUTPUT/blobs/sha256
            """;

    final Path directory;
    final GitOrigin origin;
    private KilnProcess server;

    Site(Path directory) {
        this.directory = directory;
        this.origin = GitOrigin.create(directory.resolve("app.git"));
    }

    /** The entry for {@code app}; {@code more} keys may follow. */
    String repository(String more) {
        return """
                kiln.repositories = [{
                  name = app
                  source.url = "%s/app.git"
                  source.refresh = 1s
                  platforms = ["linux/amd64", "linux/arm64"]
                  start = hinted
                  answer-when = any
                  hop = 20s
                  builder = script
                  build.attempts = 1
                  %s
                }]
                kiln.builders { script { type = command, command = ["sh", "build.sh"] } }
                # some of these builds never end
                kiln.worker.slots = 4
                kiln.worker.output-check = 200ms
                kiln.queue.ask = 1s
                """.formatted(directory, more);
    }

    KilnProcess start(String config, String... javaOptions) {
        server = KilnProcess.start(directory, config, javaOptions);
        return server;
    }

    KilnProcess server() {
        return server;
    }

    /** A branch whose build makes the layout of {@code image} and then does what {@code script} says. */
    void branch(String name, String script) {
        origin.ref("refs/heads/" + name, origin.commit(Map.of("build.sh", LAYOUT + script), name));
    }

    Wire.Answer get(String target, String... headers) throws IOException {
        return request("GET", server.registry(), target, headers);
    }

    static Wire.Answer request(String method, URI listener, String target, String... headers) throws IOException {
        try (Wire wire = new Wire(listener.getPort())) {
            return wire.request(
                    method,
                    target,
                    Stream.concat(Stream.of("Connection: close", "User-Agent: curl/8.5.0"), Stream.of(headers))
                            .toArray(String[]::new));
        }
    }

    /** Pulls a tag as a client does, through every redirect. */
    Wire.Answer pull(String reference) throws IOException {
        return follow("/v2/app/manifests/" + reference);
    }

    Wire.Answer follow(String target) throws IOException {
        Wire.Answer answer = get(target, ACCEPT);
        for (int hops = 0; answer.status() == 307 && hops < 10; hops++) {
            answer = get(answer.header("Location"), ACCEPT);
        }
        return answer;
    }

    /** The digest of the only layer of an index's first image. */
    String layer(Wire.Answer index) throws IOException {
        assertThat(index.status()).as(index.text()).isEqualTo(200);
        String manifest = json(index).at("/manifests/0/digest").asText();
        return json(pull(manifest)).at("/layers/0/digest").asText();
    }

    static JsonNode json(Wire.Answer answer) {
        try {
            return JSON.readTree(answer.text());
        } catch (IOException e) {
            throw new UncheckedIOException(answer + " is not JSON", e);
        }
    }

    /** Waits until a build has made {@code file} in its TMPDIR. */
    Path awaitInBuild(String file) {
        return Awaitility.await("a build's " + file)
                .atMost(Duration.ofSeconds(90))
                .until(() -> inBuild(file), Optional::isPresent)
                .orElseThrow();
    }

    private Optional<Path> inBuild(String file) throws IOException {
        try (DirectoryStream<Path> slots = Files.newDirectoryStream(directory.resolve("work"), "slot-*")) {
            for (Path slot : slots) {
                if (Files.exists(slot.resolve("tmp").resolve(file))) {
                    return Optional.of(slot.resolve("tmp").resolve(file));
                }
            }
            return Optional.empty();
        }
    }

    /** Names of what the content store and the mirrors hold, apart from locks and what is being written. */
    List<String> files(String below) throws IOException {
        Path root = directory.resolve("data").resolve(below);
        try (Stream<Path> all = Files.walk(root)) {
            return all.filter(Files::isRegularFile)
                    .map(file -> root.relativize(file).toString())
                    .sorted()
                    .collect(Collectors.toList());
        } catch (NoSuchFileException e) {
            return List.of();
        } catch (UncheckedIOException e) {
            // something went while it was looked at
            return List.of(String.valueOf(e.getMessage()));
        }
    }

    @Override
    public void close() {
        if (server != null) {
            server.close();
        }
    }
}
