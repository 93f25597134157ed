package dev.kiln.hostile;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import dev.kiln.testing.BuildUsers;
import dev.kiln.testing.Wire;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** Builds that cheat or run wild: who pulls is told what they did, their log says it, and nothing of them is served. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class HostileBuildsIT {
    private static final int MAX_PROCESSES = 32;

    private Site site;

    @BeforeAll
    void start(@TempDir Path directory) throws IOException {
        site = new Site(directory);
        Files.writeString(directory.resolve("secret"), "the host's own");
        // before the first look-up, whose answer stays fresh for a while
        builds().forEach(build -> site.branch((String) build.get()[0], (String) build.get()[3]));
        site.origin.ref("refs/heads/none", site.origin.commit(Map.of("README", "no build.sh"), "none"));
        site.branch(
                "bomb",
                "exec perl -e 'for (;;) { my $p = fork; if (defined $p && !$p) { sleep 1000; exit }"
                        + " select undef, undef, undef, 0.01 unless defined $p }'");
        site.branch("calm", "i=0; while [ $i -lt 20 ]; do i=$((i+1)); ls / >/dev/null; done; echo calm >l; image l");
        site.start(site.repository("build.max-output = 8MiB, build.max-log = 64KiB, build.timeout = 60s")
                + "kiln.builders.script.max-processes = " + MAX_PROCESSES + "\n");
    }

    @AfterAll
    void end() {
        site.close();
    }

    static Stream<Arguments> builds() {
        return Stream.of(
                build("wrong-digest", "source", "bytes, but its descriptor says", "image_and printf x >>$blobs/$layer"),
                build("other-bytes", "source", "is damaged", "image_and echo CONTENT >$blobs/$layer"),
                build("missing-layer", "source", "is missing", "image_and rm $blobs/$layer"),
                build("missing-config", "source", "is missing", "image_and rm $blobs/$config"),
                build("linked-layer", "source", "link", "image_and ln -sf /etc/hostname $blobs/$layer"),
                build("linked-index", "source", "link", "image_and ln -sf /etc/passwd $KILN_OUTPUT/index.json"),
                build(
                        "linked-blobs",
                        "source",
                        "link",
                        "image_and cp -r $KILN_OUTPUT/blobs /tmp/x$$; rm -r $KILN_OUTPUT/blobs;"
                                + " ln -s /tmp/x$$ $KILN_OUTPUT/blobs"),
                build(
                        "linked-output",
                        "source",
                        "exit code",
                        "rmdir $KILN_OUTPUT/* $KILN_OUTPUT; ln -s /etc $KILN_OUTPUT"),
                build(
                        "pipe-for-index",
                        "source",
                        "FIFO",
                        "image_and rm $KILN_OUTPUT/index.json; mkfifo $KILN_OUTPUT/index.json"),
                build(
                        "absolute-digest",
                        "source",
                        "",
                        "image_and printf '%s' "
                                + "'{\"schemaVersion\":2,\"manifests\":[{\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\","
                                + "\"digest\":\"sha256:/etc/passwd\",\"size\":10}]}' >$KILN_OUTPUT/index.json"),
                build(
                        "tar-absolute",
                        "source",
                        "",
                        "image_and cd $KILN_OUTPUT; echo x >/tmp/abs$$;"
                                + " tar -P -cf /tmp/o$$ * /tmp/abs$$; rm -r *; cp /tmp/o$$ o.tar"),
                build(
                        "tar-dotdot",
                        "source",
                        "",
                        "image_and cd $KILN_OUTPUT; echo x >evil;"
                                + " tar -P --transform 's,^evil,../../../evil,' -cf /tmp/o$$ *; rm -r *; cp /tmp/o$$ o.tar"),
                build(
                        "tar-link",
                        "source",
                        "absolute",
                        "image_and cd $KILN_OUTPUT; ln -sf /etc/passwd blobs/sha256/$layer;"
                                + " tar -cf /tmp/o$$ *; rm -r *; cp /tmp/o$$ o.tar"),
                build(
                        "archive-absolute",
                        "source",
                        "",
                        "cd $KILN_OUTPUT; rm -r *; mkdir /tmp/a$$; cd /tmp/a$$;"
                                + " printf '{\"os\":\"linux\",\"architecture\":\"amd64\",\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[]}}'"
                                + " >c.json; printf '[{\"Config\":\"c.json\",\"Layers\":[\"/etc/passwd\"]}]' >manifest.json;"
                                + " tar -cf $KILN_OUTPUT/o.tar *"),
                build("other-platform", "source", "arm64", "echo content >l; image l arm64"),
                build("nothing", "source", "", "rm -r $KILN_OUTPUT/*"),
                build("not-json", "source", "", "image_and echo '{{{' >$KILN_OUTPUT/index.json"),
                build(
                        "deep-json",
                        "source",
                        "not valid JSON",
                        "image_and head -c 1000000 /dev/zero | tr '\\0' '[' >$KILN_OUTPUT/index.json"),
                build("exit-code", "source", "exit code 3", "exit 3"),
                build("prints-without-end", "source", "printed more than", "yes"),
                build("writes-without-end", "source", "wrote more than", "cat /dev/zero >$KILN_OUTPUT/x"),
                build(
                        "writes-many",
                        "source",
                        "wrote more than",
                        "i=0; while :; do i=$((i+1)); head -c 100000 /dev/zero >$TMPDIR/$i; done"),
                build("forks-without-end", "source", "exit code 2", "while :; do sleep 1000 & done"),
                build("fork-bomb", "source", "", "f() { f | f & }; f; wait; sleep 2; exit 4"));
    }

    private static Arguments build(String name, String failureClass, String message, String script) {
        return Arguments.of(
                name, failureClass, message, script.replace("image_and", "echo content >l; image l;") + "\n");
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("builds")
    void isRefused(String name, String failureClass, String message) throws IOException {
        List<String> links = site.files("store/repositories");
        Wire.Answer answer = site.pull(name + "?platform=linux/amd64");

        assertThat(answer.status()).as(answer.toString()).isEqualTo(424);
        JsonNode error = Site.json(answer).at("/errors/0");
        assertThat(error.at("/code").asText()).isEqualTo("MANIFEST_UNKNOWN");
        assertThat(error.at("/message").asText())
                .startsWith("build failed for linux/amd64: ")
                .doesNotContain(site.directory.toString());
        String id = error.at("/detail/build").asText();
        JsonNode build = Site.json(site.get("/api/v1/builds/" + id));
        assertThat(build.at("/failure/class").asText()).as(build.toString()).isEqualTo(failureClass);
        String why = build.at("/failure/message").asText();
        assertThat(why).contains(message);
        Wire.Answer log = site.get("/api/v1/builds/" + id + "/log");
        assertThat(log.text().length()).as("length of the log").isLessThan(70 * 1024);
        assertThat(log.text()).contains("kiln: " + why);
        assertThat(site.files("store/repositories")).as("links").isEqualTo(links);
        Awaitility.await("the builds' processes have ended")
                .atMost(Duration.ofSeconds(20))
                .until(() -> strangers().isEmpty());
        Awaitility.await("nothing of the attempt is left")
                .atMost(Duration.ofSeconds(20))
                .until(() -> site.files("../work").isEmpty());
        assertThat(site.get("/v2/").status()).isEqualTo(200);
    }

    @Test
    void aCheckoutWithoutTheScriptFailsWithTheCommandsExitCode() throws IOException {
        assertThat(site.pull("none?platform=linux/amd64").text()).contains("exit code");
    }

    /** A bomb that never goes off for good: it stays at its limit, and would begin again with each process that ended. */
    @Test
    void aForkBombStaysInItsSlotUntilItIsEnded() throws IOException {
        CompletableFuture<Wire.Answer> bomb = CompletableFuture.supplyAsync(() -> pull("bomb"));
        Awaitility.await("the bomb has all the processes it may have")
                .atMost(Duration.ofSeconds(90))
                .until(() -> largest(strangers()) >= MAX_PROCESSES - 4);

        Wire.Answer calm = pull("calm");

        assertThat(calm.status()).as(calm.text()).isEqualTo(200);
        assertThat(site.get("/v2/app/blobs/" + site.layer(calm)).text()).isEqualTo("calm\n");
        assertThat(largest(strangers())).as("the bomb, meanwhile").isGreaterThanOrEqualTo(MAX_PROCESSES - 4);
        assertThat(largest(strangers())).isLessThanOrEqualTo(MAX_PROCESSES);
        assertThat(bomb).isNotDone();
        Wire.Answer cancelled = Site.request("POST", site.server().admin(), "/api/v1/builds/" + id("bomb") + "/cancel");
        assertThat(cancelled.status()).as(cancelled.text()).isEqualTo(200);
        assertThat(bomb.join().status()).isEqualTo(424);
        Awaitility.await("every process of the bomb has ended")
                .atMost(Duration.ofSeconds(20))
                .until(() -> strangers().isEmpty());
    }

    /** The other one may be listed too: lists come from a projection, which trails what has been answered. */
    private String id(String reference) throws IOException {
        for (JsonNode build :
                Site.json(site.get("/api/v1/builds?phase=running")).at("/builds")) {
            if (build.at("/reference").asText().equals(reference)) {
                return build.at("/id").asText();
            }
        }
        throw new AssertionError(reference + " is not running");
    }

    private Wire.Answer pull(String branch) {
        try {
            return site.pull(branch + "?platform=linux/amd64");
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** How many processes the busiest user has. */
    private static long largest(Map<Integer, Long> users) {
        return users.values().stream().mapToLong(count -> count).max().orElse(0);
    }

    /** How many processes each of the builds' users has, by number: they have no names. */
    private Map<Integer, Long> strangers() {
        return ProcessHandle.allProcesses()
                .flatMap(process -> user(process.pid()).stream())
                .filter(user -> BuildUsers.isIn(site.server().firstUser(), user))
                .collect(Collectors.groupingBy(user -> user, Collectors.counting()));
    }

    private static Optional<Integer> user(long pid) {
        try {
            return Optional.of((int) Files.getAttribute(Path.of("/proc", Long.toString(pid)), "unix:uid"));
        } catch (IOException e) {
            return Optional.empty(); // it has ended meanwhile
        }
    }
}
