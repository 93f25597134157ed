package dev.kiln.worker.builder.jib;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.lang.syntax.ArchRuleDefinition;
import dev.kiln.blob.BlobStore;
import dev.kiln.blob.FreeSpace;
import dev.kiln.blob.SpaceKeepingBlobStore;
import dev.kiln.build.FailureClass;
import dev.kiln.config.BuilderConfig;
import dev.kiln.oci.BuildKey;
import dev.kiln.oci.Digest;
import dev.kiln.oci.ImageManifest;
import dev.kiln.oci.MediaTypes;
import dev.kiln.testing.MemoryBlobStore;
import dev.kiln.worker.builder.Builder.Outcome;
import dev.kiln.worker.builder.Builder.Running;
import dev.kiln.worker.builder.Builder.Task;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.nio.file.attribute.PosixFilePermission;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.apache.commons.compress.archivers.tar.TarArchiveEntry;
import org.apache.commons.compress.archivers.tar.TarArchiveInputStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(120)
class JibBuilderTest {
    private static final String HEAD = "apiVersion: jib/v1alpha1\nkind: BuildFile\n";
    private static final String APP = """
            layers:
              entries:
                - name: app
                  files:
                    - {src: app, dest: /app, excludes: ["**/*.tmp"]}
            entrypoint: [/app/run.sh]
            """;
    private static final Duration LONG = Duration.ofMinutes(2);
    private static final ObjectMapper JSON = new ObjectMapper();

    @TempDir
    Path directory;

    private final MemoryBlobStore store = new MemoryBlobStore();
    private final ByteArrayOutputStream log = new ByteArrayOutputStream();
    private FakeRegistry registry;
    private JibBuilder builder;
    private int attempts;

    @BeforeEach
    void start() throws IOException {
        registry = new FakeRegistry();
        builder = builder(store);
    }

    @AfterEach
    void stop() {
        builder.close();
        registry.close();
    }

    @Test
    void anImageFromScratchHoldsTheFilesThatTheFileNames() throws IOException {
        Task task = task("linux/arm64/v8", HEAD + APP + "environment: {VERSION: 1.10}\n");

        assertThat(run(task)).isEqualTo(new Outcome.Succeeded());

        ImageManifest manifest = manifest(task);
        JsonNode config = json(blob(task, manifest.config().digest()));
        assertThat(config.path("architecture").asText()).isEqualTo("arm64");
        assertThat(config.path("variant").asText()).isEqualTo("v8");
        assertThat(config.path("created").asText()).isEqualTo("2023-11-14T22:13:20Z");
        assertThat(config.path("config").path("Env").path(0).asText()).isEqualTo("VERSION=1.10");
        assertThat(manifest.layers()).hasSize(1);
        assertThat(manifest.layers().get(0).mediaType()).isEqualTo(MediaTypes.OCI_LAYER);
        assertThat(entries(blob(task, manifest.layers().get(0).digest())))
                .containsExactly("app/ 755 1", "app/lib/ 755 1", "app/lib/a.jar 644 1", "app/run.sh 644 1");
        assertThat(log.toString(StandardCharsets.UTF_8)).doesNotContain(directory.toString());
    }

    @Test
    void theSameRevisionGivesTheSameBytesOnEveryMachine() throws IOException {
        registry.publish("1", "linux", "amd64", "base.txt");
        String file = HEAD + "from: {image: \"" + registry.image("1") + "\"}\n" + APP;
        Task one = task("linux/amd64", file);
        Task other = task("linux/amd64", file);
        try (Stream<Path> all = Files.walk(other.checkout())) {
            for (Path path : (Iterable<Path>) all::iterator) {
                Files.setLastModifiedTime(path, FileTime.fromMillis(1_234_567_891_234L));
            }
        }
        Files.setPosixFilePermissions(other.checkout().resolve("app/run.sh"), Set.of(PosixFilePermission.OWNER_READ));

        assertThat(run(one)).isEqualTo(new Outcome.Succeeded());
        assertThat(run(other)).isEqualTo(new Outcome.Succeeded());

        assertThat(contents(other.output())).isEqualTo(contents(one.output()));
    }

    @Test
    void theBaseImagesLayersStayAsTheRegistryHasThemAndItsConfigurationIsMerged() throws IOException {
        registry.publish("1", "linux", "amd64", "base.txt");
        Task task = task(
                "linux/amd64", HEAD + "from: {image: \"" + registry.image("1") + "\"}\nenvironment: {MORE: x}\n" + APP);

        assertThat(run(task)).isEqualTo(new Outcome.Succeeded());

        ImageManifest manifest = manifest(task);
        JsonNode config = json(blob(task, manifest.config().digest()));
        assertThat(manifest.layers()).hasSize(2);
        assertThat(manifest.layers().get(0).mediaType()).isEqualTo(MediaTypes.OCI_LAYER_GZIP);
        assertThat(store.blobs).containsKey(manifest.layers().get(0).digest());
        assertThat(blob(task, manifest.layers().get(0).digest()))
                .isEqualTo(store.blobs.get(manifest.layers().get(0).digest()));
        assertThat(config.path("rootfs").path("diff_ids")).hasSize(2);
        assertThat(config.path("history")).hasSize(2);
        assertThat(config.path("history").path(1).path("created_by").asText()).isEqualTo("kiln:jib");
        assertThat(config.path("config").path("StopSignal").asText()).isEqualTo("SIGINT");
        assertThat(config.path("config").path("User").asText()).isEqualTo("nobody");
        assertThat(texts(config.path("config").path("Env")))
                .containsExactlyInAnyOrder("PATH=/bin", "BASE=yes", "MORE=x");
        assertThat(texts(config.path("config").path("Entrypoint"))).containsExactly("/app/run.sh");
        assertThat(log.toString(StandardCharsets.UTF_8))
                .contains(registry.image("1"), "sha256:")
                .doesNotContain(System.getProperty("java.io.tmpdir"));
    }

    @Test
    void aRevisionKeepsItsBaseImageWhenTheTagMovesAndWhenTheRegistryIsGone() throws IOException {
        registry.publish("1", "linux", "amd64", "old.txt");
        String file = HEAD + "from: {image: \"" + registry.image("1") + "\"}\n" + APP;
        Task first = task("linux/amd64", file);
        run(first);
        registry.publish("1", "linux", "amd64", "new.txt");
        registry.close();

        Task again = task("linux/amd64", file);
        assertThat(run(again)).isEqualTo(new Outcome.Succeeded());

        assertThat(contents(again.output())).isEqualTo(contents(first.output()));
    }

    @Test
    void onlyKilnItselfAsksTheRegistry() throws IOException {
        registry.publish("1", "linux", "amd64", "base.txt");
        run(task("linux/amd64", HEAD + "from: {image: \"" + registry.image("1") + "\"}\n" + APP));

        assertThat(registry.agents).isNotEmpty().containsOnly("kiln");
        JavaClasses classes = new ClassFileImporter().importPackages("dev.kiln.worker.builder.jib");
        ArchRuleDefinition.noClasses()
                .should()
                .dependOnClassesThat()
                .haveNameMatching("com\\.google\\.cloud\\.tools\\.jib\\.(api\\.(RegistryImage|Docker.*|Credential.*)"
                        + "|registry\\..*|http\\..*|frontend\\..*)")
                .check(classes);
        ArchRuleDefinition.noClasses()
                .should()
                .callMethod(com.google.cloud.tools.jib.api.Jib.class, "from", String.class)
                .check(classes);
    }

    @Test
    void aLinkOutOfTheCheckoutIsRefusedAndNamed() throws IOException {
        Path secret = Files.writeString(directory.resolve("secret"), "secret");
        Task inTree = task("linux/amd64", HEAD + APP);
        Files.createSymbolicLink(inTree.checkout().resolve("app/lib/link"), secret);
        assertThat(run(inTree))
                .isEqualTo(failed(
                        "jib.yaml line 7: 'app/lib/link' is a symbolic link, and only regular files and directories can be"
                                + " copied; exclude it"));

        Task asParent =
                task("linux/amd64", HEAD + "layers: {entries: [{name: a, files: [{src: up/secret, dest: /s}]}]}");
        Files.createSymbolicLink(asParent.checkout().resolve("up"), directory);
        assertThat(run(asParent)).asString().contains("'up' is a symbolic link");

        Task asFile = task("linux/amd64", HEAD);
        Files.delete(asFile.checkout().resolve("jib.yaml"));
        Files.createSymbolicLink(asFile.checkout().resolve("jib.yaml"), secret);
        assertThat(run(asFile)).isEqualTo(failed("jib.yaml is not a regular file"));
        assertThat(asFile.output()).isEmptyDirectory();
    }

    @Test
    void whatIsMissingIsTheSourcesFault() throws IOException {
        Task noFile = task("linux/amd64", HEAD);
        Files.delete(noFile.checkout().resolve("jib.yaml"));
        assertThat(run(noFile)).isEqualTo(failed("the source has no jib.yaml"));

        assertThat(run(task("linux/amd64", HEAD + "layers: {entries: [{name: a, files: [{src: app/no, dest: /a}]}]}")))
                .isEqualTo(failed("jib.yaml line 3: the source has no 'app/no'"));
        assertThat(run(task("linux/amd64", HEAD + "from: {image: \"" + registry.image("none") + "\"}")))
                .isEqualTo(failed("could not fetch the base image " + registry.image("none")
                        + ": its registry does not have it (status 404)"));
        assertThat(run(task(
                        "linux/amd64", HEAD + "from: {image: scratch, platforms: [{os: linux, architecture: arm64}]}")))
                .isEqualTo(failed("jib.yaml does not list linux/amd64 in 'from.platforms'"));
        assertThat(run(task("linux/amd64+sse4", HEAD)))
                .isEqualTo(failed("jib builds the same for every feature and os.version, so not for linux/amd64+sse4;"
                        + " use a builder of type = command"));
    }

    @Test
    void anImageThatNeedsMoreRoomThanItMayHaveIsRefusedBeforeItIsWritten() throws IOException {
        Task task = task("linux/amd64", HEAD + APP);
        Files.write(task.checkout().resolve("app/big"), new byte[64 * 1024]);
        Task small = new Task(task.key(), 1, 0, task.directory(), 0, LONG, 128 * 1024, 1024);

        assertThat(run(small)).isEqualTo(failed("the image's files need more room than the build's max-output"));
    }

    @Test
    void aStoreThatIsNearlyFullIsNobodysFaultAndSaysSo() throws IOException {
        registry.publish("1", "linux", "amd64", "base.txt");
        FreeSpace none = new FreeSpace("the store", "min-free", 1, () -> 0);
        try (JibBuilder starved = builder(new SpaceKeepingBlobStore(store, List.of(none)))) {
            Task task = task("linux/amd64", HEAD + "from: {image: \"" + registry.image("1") + "\"}");

            assertThat(outcome(starved.start(task, log, LONG)))
                    .isEqualTo(new Outcome.Failed(
                            FailureClass.INFRASTRUCTURE,
                            "could not fetch the base image: the store is below min-free: free some space"));
            assertThat(outcome(starved.start(task("linux/amd64", HEAD + APP), log, LONG)))
                    .as("what needs no base image takes no space of the store")
                    .isEqualTo(new Outcome.Succeeded());
        }
        assertThat(store.blobs).isEmpty();
    }

    @Test
    void stoppingEndsABuildThatWaitsForItsRegistry() throws Exception {
        CountDownLatch asked = new CountDownLatch(1);
        CountDownLatch never = new CountDownLatch(1);
        registry.bend(exchange -> hang(asked, never));
        Running running =
                builder.start(task("linux/amd64", HEAD + "from: {image: \"" + registry.image("1") + "\"}"), log, LONG);
        assertThat(asked.await(60, TimeUnit.SECONDS)).isTrue();

        running.stop();

        assertThat(outcome(running)).isEqualTo(new Outcome.Stopped("it was told to stop"));
        never.countDown();
    }

    @Test
    void aLeaseThatIsNotRenewedAndATimeoutEndABuild() throws Exception {
        CountDownLatch asked = new CountDownLatch(1);
        CountDownLatch never = new CountDownLatch(1);
        registry.bend(exchange -> hang(asked, never));
        String file = HEAD + "from: {image: \"" + registry.image("1") + "\"}";

        Running unrenewed = builder.start(task("linux/amd64", file), log, Duration.ofMillis(200));
        assertThat(outcome(unrenewed)).isEqualTo(new Outcome.Stopped("its lease was not renewed in time"));

        Task task = task("linux/amd64", file);
        Task brief = new Task(task.key(), 1, 0, task.directory(), 0, Duration.ofSeconds(1), 1 << 20, 1024);
        Running late = builder.start(brief, log, Duration.ofMillis(200));
        late.renew(LONG);
        assertThat(outcome(late)).isEqualTo(new Outcome.Failed(FailureClass.TIMEOUT, "the build took longer than 1 s"));
        never.countDown();
    }

    private static boolean hang(CountDownLatch asked, CountDownLatch never) throws IOException {
        asked.countDown();
        try {
            never.await();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        throw new IOException("never answered");
    }

    private static Outcome failed(String message) {
        return new Outcome.Failed(FailureClass.SOURCE, message);
    }

    private JibBuilder builder(BlobStore blobs) {
        return new JibBuilder(new BuilderConfig.Jib(true), blobs, new FileBaseImagePins(directory.resolve("pins")));
    }

    private Outcome run(Task task) {
        return outcome(builder.start(task, log, LONG));
    }

    private static Outcome outcome(Running running) {
        return running.outcome().toCompletableFuture().join();
    }

    private Task task(String platform, String file) throws IOException {
        Path attempt = directory.resolve("attempt-" + ++attempts);
        Task task = new Task(
                BuildKey.of("team/app@" + "0123456789".repeat(4) + "@" + platform),
                1,
                0,
                attempt,
                1_700_000_000L,
                LONG,
                1L << 30,
                1 << 20);
        for (Path folder : List.of(task.checkout(), task.output(), task.home(), task.tmp())) {
            Files.createDirectories(folder);
        }
        Files.writeString(task.checkout().resolve("jib.yaml"), file);
        Files.createDirectories(task.checkout().resolve("app/lib"));
        Files.writeString(task.checkout().resolve("app/run.sh"), "#!/bin/sh\n");
        Files.writeString(task.checkout().resolve("app/lib/a.jar"), "jar");
        Files.writeString(task.checkout().resolve("app/lib/a.tmp"), "left out");
        return task;
    }

    private static ImageManifest manifest(Task task) throws IOException {
        JsonNode index = json(Files.readAllBytes(task.output().resolve("index.json")));
        return ImageManifest.parse(blob(
                task, new Digest(index.path("manifests").path(0).path("digest").asText())));
    }

    private static byte[] blob(Task task, Digest digest) throws IOException {
        byte[] bytes = Files.readAllBytes(task.output().resolve("blobs/sha256").resolve(digest.hex()));
        assertThat(Digest.sha256(bytes)).isEqualTo(digest);
        return bytes;
    }

    private static JsonNode json(byte[] bytes) throws IOException {
        return JSON.readTree(bytes);
    }

    private static List<String> texts(JsonNode list) {
        List<String> texts = new ArrayList<>();
        list.forEach(text -> texts.add(text.asText()));
        return texts;
    }

    private static List<String> entries(byte[] layer) throws IOException {
        List<String> entries = new ArrayList<>();
        try (TarArchiveInputStream tar = new TarArchiveInputStream(new ByteArrayInputStream(layer))) {
            for (TarArchiveEntry entry = tar.getNextEntry(); entry != null; entry = tar.getNextEntry()) {
                entries.add(entry.getName() + " " + Integer.toOctalString(entry.getMode() & 0777) + " "
                        + entry.getLastModifiedTime().toMillis() / 1000);
            }
        }
        return entries;
    }

    private static Map<String, Digest> contents(Path root) throws IOException {
        Map<String, Digest> contents = new TreeMap<>();
        try (Stream<Path> all = Files.walk(root)) {
            for (Path path : (Iterable<Path>) all.filter(Files::isRegularFile)::iterator) {
                contents.put(root.relativize(path).toString(), Digest.sha256(Files.readAllBytes(path)));
            }
        }
        assertThat(contents).hasSizeGreaterThan(3);
        return contents;
    }
}
