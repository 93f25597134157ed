package dev.kiln.worker.builder.jib;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kiln.oci.Digest;
import dev.kiln.oci.RepositoryName;
import dev.kiln.oci.Revision;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class FileBaseImagePinsTest {
    private static final RepositoryName REPOSITORY = new RepositoryName("team/app");
    private static final Revision REVISION = new Revision("a".repeat(40));

    @TempDir
    Path directory;

    @Test
    void theFirstPinHoldsForTheRevisionAndTheImageAlone() throws IOException {
        FileBaseImagePins pins = new FileBaseImagePins(directory);

        assertThat(pins.find(REPOSITORY, REVISION, "a:1")).isEmpty();
        assertThat(pins.record(REPOSITORY, REVISION, "a:1", digest(1))).isEqualTo(digest(1));
        assertThat(pins.record(REPOSITORY, REVISION, "a:1", digest(2))).isEqualTo(digest(1));

        assertThat(new FileBaseImagePins(directory).find(REPOSITORY, REVISION, "a:1"))
                .contains(digest(1));
        assertThat(pins.find(REPOSITORY, REVISION, "a:2")).isEmpty();
        assertThat(pins.find(REPOSITORY, new Revision("b".repeat(40)), "a:1")).isEmpty();
    }

    @Test
    void ofManyThatAreFirstAllGetTheSame() throws Exception {
        Set<Digest> held = ConcurrentHashMap.newKeySet();
        ExecutorService threads = Executors.newFixedThreadPool(8);
        try {
            List<Future<Boolean>> all = IntStream.range(0, 64)
                    .mapToObj(i -> threads.submit(() ->
                            held.add(new FileBaseImagePins(directory).record(REPOSITORY, REVISION, "a:1", digest(i)))))
                    .toList();
            for (Future<Boolean> one : all) {
                one.get();
            }
        } finally {
            threads.shutdownNow();
        }
        assertThat(held).hasSize(1);
        try (Stream<Path> files = Files.list(directory.resolve("pins"))) {
            assertThat(files).hasSize(1);
        }
    }

    @Test
    void whatAnOriginServedIsRemembered() throws IOException {
        FileBaseImagePins pins = new FileBaseImagePins(directory);
        pins.recordServed("docker.io/a", digest(1));
        pins.recordServed("docker.io/a", digest(1));

        assertThat(pins.served("docker.io/a", digest(1))).isTrue();
        assertThat(pins.served("docker.io/a", digest(2))).isFalse();
        assertThat(pins.served("docker.io/b", digest(1))).isFalse();
    }

    @Test
    void aPinThatIsDamagedIsAnErrorAndNoNewPin() throws IOException {
        FileBaseImagePins pins = new FileBaseImagePins(directory);
        pins.record(REPOSITORY, REVISION, "a:1", digest(1));
        try (Stream<Path> files = Files.list(directory.resolve("pins"))) {
            Files.writeString(files.findFirst().orElseThrow(), "");
        }

        assertThatThrownBy(() -> pins.find(REPOSITORY, REVISION, "a:1")).hasMessageContaining("holds no digest");
    }

    private static Digest digest(int i) {
        return Digest.sha256(Integer.toString(i).getBytes(StandardCharsets.UTF_8));
    }
}
