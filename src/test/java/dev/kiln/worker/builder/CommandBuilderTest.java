package dev.kiln.worker.builder;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.kiln.build.FailureClass;
import dev.kiln.config.BuilderConfig;
import dev.kiln.testing.BuildUsers;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Builds as they are run: every kind of isolation that the machine of the test can give. */
class CommandBuilderTest {
    enum Kind {
        /** What the probe found. */
        BEST,
        /** As in a container whose root may not make namespaces. */
        WITHOUT_NAMESPACES,
        /** As where all that is told apart is told by the environment. */
        BY_MARKER
    }

    private static Isolation probed;

    @TempDir
    Path root;

    @BeforeAll
    static void probe(@TempDir Path directory) throws Exception {
        probed = Isolation.probe(directory.resolve("work"), BuildUsers.next(), 8);
    }

    private Attempts attempts(Kind kind) throws IOException {
        Attempts attempts = new Attempts(
                root, kind == Kind.BEST ? probed : new Isolation(probed.root(), false, probed.uidBase(), List.of()));
        if (kind == Kind.BY_MARKER) {
            attempts.user = BuilderConfig.User.ROOT;
        }
        return attempts;
    }

    private Attempts attempts() throws IOException {
        return attempts(Kind.BEST);
    }

    private static Builder.Outcome failed(FailureClass failureClass, String message) {
        return new Builder.Outcome.Failed(failureClass, message);
    }

    @ParameterizedTest
    @EnumSource
    void runsTheCommandInTheCheckoutWithExactlyItsEnvironment(Kind kind) throws Exception {
        Attempts attempts = attempts(kind);
        attempts.environment = Map.of("GREETING", "it's $(id) `x` \"y\"\nz", "LD_HARMLESS", "1", "odd.name", "2");
        Path directory = attempts.prepare(0);
        Path file = Files.writeString(directory.resolve("checkout/file"), "text");
        Files.setLastModifiedTime(file, FileTime.from(Attempts.EPOCH, TimeUnit.SECONDS));
        String inside = probed.namespaces() && kind == Kind.BEST ? "/tmp" : directory.toString();

        Builder.Outcome outcome = Attempts.await(attempts.start(
                0,
                List.of(
                        "perl",
                        "-e",
                        "print join('|', map {\"$_=$ENV{$_}\"} sort grep {$_ ne 'KILN_ATTEMPT_ID'} keys %ENV), \"\\n\";"
                                + "use Cwd; print getcwd(), ' ', (stat('file'))[9], \"\\n\"; print join(' ', @ARGV), \"\\n\";"
                                + "open F, '>', \"$ENV{KILN_OUTPUT}/made\" or die; open H, '>', \"$ENV{HOME}/h\" or die;"
                                + "open T, '>', \"$ENV{TMPDIR}/t\" or die; print -t STDIN ? 'tty' : eof(STDIN)",
                        "{repository}",
                        "{revision}",
                        "{platform}",
                        "{output}")));

        assertThat(outcome).as(attempts.log()).isEqualTo(new Builder.Outcome.Succeeded());
        String revision = "0123456789".repeat(4);
        String runtime = kind == Kind.BY_MARKER ? "" : "|XDG_RUNTIME_DIR=" + inside + "/tmp";
        assertThat(attempts.log())
                .isEqualTo("GREETING=it's $(id) `x` \"y\"\nz|HOME=" + inside
                        + "/home|KILN_ARCH=arm64|KILN_FEATURES=neon,sve|KILN_OS=linux|KILN_OS_VERSION=5.10|KILN_OUTPUT="
                        + inside
                        + "/output|KILN_PLATFORM=linux/arm64/v8:5.10+neon+sve|KILN_REPOSITORY=team/app|KILN_REVISION="
                        + revision
                        + "|KILN_TAG=" + revision
                        + "|KILN_VARIANT=v8|LANG=C.UTF-8|LD_HARMLESS=1|PATH=/usr/local/bin:/usr/bin:/bin|SOURCE_DATE_EPOCH=1600000000"
                        + "|TMPDIR=" + inside + "/tmp" + runtime + "|odd.name=2\n"
                        + inside + "/checkout 1600000000\n"
                        + "team/app " + revision + " linux/arm64/v8:5.10+neon+sve " + inside + "/output\n1");
        assertThat(directory.resolve("output/made")).exists();
    }

    @ParameterizedTest
    @CsvSource({
        "exit 2, SOURCE, the command ended with exit code 2",
        "exit 75, INFRASTRUCTURE, 'the command ended with exit code 75, which asks for another attempt'",
        "exit 137, INFRASTRUCTURE, the command ended with exit code 137 (signal 9)",
        "kill -TERM $$, INFRASTRUCTURE, the command ended with exit code 143 (signal 15)",
        "no-such-program, SOURCE, the command ended with exit code 127: a program was not found",
        "./file, SOURCE, the command ended with exit code 126: a program cannot be executed",
        "rmdir $KILN_OUTPUT; ln -s /etc $KILN_OUTPUT, SOURCE, the command removed or replaced its output directory",
    })
    void classesFailures(String script, FailureClass failureClass, String message) throws Exception {
        Attempts attempts = attempts();
        Files.writeString(attempts.prepare(0).resolve("checkout/file"), "text");
        assertThat(attempts.run(script)).isEqualTo(failed(failureClass, message));
    }

    @ParameterizedTest
    @EnumSource
    void aCommandThatIsNotThereIsTheSourcesFault(Kind kind) throws Exception {
        Attempts attempts = attempts(kind);
        assertThat(Attempts.await(attempts.start(0, List.of("./build", attempts.mark))))
                .isEqualTo(
                        failed(FailureClass.SOURCE, "the command ended with exit code 127: a program was not found"));
    }

    /** Ignores every polite signal, leaves session and process group, and has its parent end. */
    private static final String ESCAPEE =
            "trap '' TERM HUP INT; setsid sh -c 'trap \"\" TERM HUP INT; while :; do sleep 1; done' $0 &"
                    + "(nohup sh -c 'while :; do sleep 1; done' $0 >/dev/null 2>&1 &)"
                    + "; perl -MPOSIX -e 'fork && exit; setsid(); fork && exit; sleep 1000' $0; echo up;";

    @ParameterizedTest
    @EnumSource
    void endsWhatTheCommandLeftBehind(Kind kind) throws Exception {
        Attempts attempts = attempts(kind);
        assertThat(attempts.run(ESCAPEE)).isEqualTo(new Builder.Outcome.Succeeded());
        assertThat(Attempts.processesWith(attempts.mark)).isZero();
    }

    @ParameterizedTest
    @EnumSource
    void endsAtItsTimeout(Kind kind) throws Exception {
        Attempts attempts = attempts(kind);
        attempts.timeout = Duration.ofSeconds(1);
        assertThat(attempts.run(ESCAPEE + "sleep 1000"))
                .isEqualTo(failed(FailureClass.TIMEOUT, "it took longer than 1s"));
        assertThat(Attempts.processesWith(attempts.mark)).isZero();
    }

    @ParameterizedTest
    @EnumSource
    void endsWhenToldToStop(Kind kind) throws Exception {
        Attempts attempts = attempts(kind);
        Builder.Running running = attempts.start(0, ESCAPEE + "sleep 1000");
        await().until(() -> attempts.log().contains("up"));
        running.stop();
        running.stop();
        assertThat(Attempts.await(running)).isEqualTo(new Builder.Outcome.Stopped("it was told to stop"));
        assertThat(Attempts.processesWith(attempts.mark)).isZero();
        running.stop();
        running.renew(Duration.ofSeconds(1));
    }

    @Test
    void endsWhenToldToStopBeforeItHasBegun() throws Exception {
        Attempts attempts = attempts();
        Builder.Running running = attempts.start(0, "sleep 1000");
        running.stop();
        assertThat(Attempts.await(running)).isEqualTo(new Builder.Outcome.Stopped("it was told to stop"));
        assertThat(Attempts.processesWith(attempts.mark)).isZero();
    }

    @Test
    void endsWhenItsLeaseIsNotRenewed() throws Exception {
        Attempts attempts = attempts();
        attempts.lease = Duration.ofSeconds(1);
        assertThat(attempts.run(ESCAPEE + "sleep 1000"))
                .isEqualTo(new Builder.Outcome.Stopped("its lease was not renewed in time"));
        assertThat(Attempts.processesWith(attempts.mark)).isZero();
    }

    @Test
    void livesOnWhileItsLeaseIsRenewed() throws Exception {
        Attempts attempts = attempts();
        attempts.lease = Duration.ofSeconds(2);
        Builder.Running running = attempts.start(0, "sleep 5");
        await().pollInterval(Duration.ofMillis(200))
                .atMost(Duration.ofSeconds(30))
                .until(() -> {
                    running.renew(Duration.ofSeconds(2));
                    return running.outcome().toCompletableFuture().isDone();
                });
        assertThat(Attempts.await(running)).isEqualTo(new Builder.Outcome.Succeeded());
    }

    @ParameterizedTest
    @EnumSource
    void endsABuildThatForksWithoutEnd(Kind kind) throws Exception {
        assumeTrue(kind != Kind.BY_MARKER || !probed.root(), "the kernel does not limit root's processes");
        Attempts attempts = attempts(kind);
        attempts.maxProcesses = 60;
        attempts.timeout = Duration.ofSeconds(2);
        assertThat(attempts.run("(bomb() { bomb | bomb & }; bomb) 2>/dev/null & exec sleep 1000"))
                .isEqualTo(failed(FailureClass.TIMEOUT, "it took longer than 2s"));
        assertThat(Attempts.processesWith(attempts.mark)).isZero();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "yes >$KILN_OUTPUT/file",
                "i=0; while :; do i=$((i+1)); head -c 300000 /dev/zero >$HOME/$i || exit 3; done",
                "i=0; while :; do i=$((i+1)); : >$TMPDIR/$i; done",
                "perl -e 'for (1..1000) { mkdir q(d); chdir q(d) } sleep 1000'",
                "head -c 3000000 /dev/zero >quick; exit 0",
            })
    void endsABuildThatWritesWithoutEnd(String script) throws Exception {
        Attempts attempts = attempts();
        attempts.maxOutput = 2 << 20;
        assertThat(attempts.run(script)).isEqualTo(failed(FailureClass.SOURCE, "it wrote more than 2 MiB"));
        AttemptDirectory.delete(attempts.workDir.resolve("slot-0"));
    }

    @Test
    void endsABuildThatNestsDirectoriesWithoutEnd() throws Exception {
        Attempts attempts = attempts();
        assertThat(attempts.run("perl -e 'for (1..3000) { mkdir \"abcdefghij\"; chdir \"abcdefghij\" } sleep 1000'"))
                .isEqualTo(failed(FailureClass.SOURCE, "it made deeper or more directories than can be measured"));
        AttemptDirectory.delete(attempts.workDir.resolve("slot-0"));
        assertThat(attempts.workDir.resolve("slot-0")).doesNotExist();
    }

    @Test
    void endsABuildThatPrintsWithoutEnd() throws Exception {
        Attempts attempts = attempts();
        assertThat(attempts.run("yes")).isEqualTo(failed(FailureClass.SOURCE, "it printed more than 1 MiB"));
        assertThat(attempts.log()).hasSize(1 << 20);
    }

    @Test
    void failsABuildWhoseLogCannotBeKept() throws Exception {
        Attempts attempts = attempts();
        attempts.log = new OutputStream() {
            @Override
            public void write(int b) throws IOException {
                throw new IOException("the log's disk is full");
            }
        };
        assertThat(attempts.run("echo hello; sleep 1000"))
                .isEqualTo(failed(FailureClass.INFRASTRUCTURE, "its log could not be kept"));
    }

    @Test
    void aSlowLogSlowsTheBuildAndLosesNothing() throws Exception {
        Attempts attempts = attempts();
        CountDownLatch open = new CountDownLatch(1);
        OutputStream kept = attempts.log;
        attempts.log = new OutputStream() {
            @Override
            public void write(int b) throws IOException {
                throw new IOException("one by one");
            }

            @Override
            public void write(byte[] bytes, int offset, int length) throws IOException {
                try {
                    open.await();
                } catch (InterruptedException e) {
                    throw new IOException(e);
                }
                kept.write(bytes, offset, length);
            }
        };
        Builder.Running running = attempts.start(0, "head -c 500000 /dev/zero; : >$KILN_OUTPUT/printed");
        await().until(() -> Attempts.processesWith("head\0-c\000500000") > 0);
        assertThat(attempts.workDir.resolve("slot-0/output/printed")).doesNotExist();
        open.countDown();
        assertThat(Attempts.await(running)).isEqualTo(new Builder.Outcome.Succeeded());
        assertThat(((java.io.ByteArrayOutputStream) kept).size()).isEqualTo(500_000);
    }

    @Test
    void seesNothingOfTheServer() throws Exception {
        assumeTrue(probed.root() && probed.namespaces(), "needs root");
        Attempts attempts = attempts();
        Files.writeString(attempts.dataDir.resolve("secret"), "journal");
        Path other = Files.writeString(attempts.prepare(1).resolve("checkout/secret"), "other tenant");
        long server = ProcessHandle.current().pid();
        Builder.Outcome outcome = attempts.run(
                "cat " + attempts.dataDir + "/secret; cat " + other + "; ls "
                        + attempts.workDir + "; cat /proc/" + server + "/environ; kill -9 " + server
                        + "; kill -9 -1; kill -9 1; id -u; id -g; id -G; ls /proc | grep -c '^[0-9]'; ls /proc/self/fd"
                        + "; grep -h ^Cap /proc/self/status; cat /proc/1/environ; mount -t tmpfs x /mnt; touch /var/tmp/kept; echo via >/dev/stderr");
        String log = attempts.log();
        // `kill -9 -1` ends the script itself last or not at all: what it printed after that is all that is checked.
        assertThat(outcome).as(log).isEqualTo(new Builder.Outcome.Succeeded());
        assertThat(log)
                .doesNotContain("journal", "other tenant", "JAVA_HOME", "KILN_GUARDIAN")
                .contains(("\n" + probed.uidBase()).repeat(3) + "\n")
                .contains("CapEff:\t0000000000000000", "CapBnd:\t0000000000000000", "via\n")
                .contains("\n0\n1\n2\n3\n")
                .doesNotContain("\n4\n5\n");
        assertThat(Path.of("/var/tmp/kept")).doesNotExist();
    }

    @Test
    void doesNotSeeDirectoriesThatAreHiddenEvenIfTheirModesAllowIt() throws Exception {
        assumeTrue(probed.root() && probed.namespaces(), "needs root");
        Attempts attempts = attempts();
        // Not under /tmp, which a build does not see anyway.
        Path open = Files.createTempDirectory(Path.of("/var/lib"), "kiln-test-");
        try {
            Files.setPosixFilePermissions(open, PosixFilePermissions.fromString("rwxrwxrwx"));
            Files.writeString(open.resolve("secret"), "journal");
            attempts.dataDir = open;
            assertThat(attempts.run("ls -la " + open + "; cat " + open + "/secret; touch " + open + "/new; echo end"))
                    .isEqualTo(new Builder.Outcome.Succeeded());
            assertThat(attempts.log()).contains("No such file", "end").doesNotContain("journal");
            assertThat(open.resolve("new")).doesNotExist();
        } finally {
            AttemptDirectory.delete(open);
        }
    }

    @Test
    void rootMayMountInItsOwnNamespaceOnly() throws Exception {
        assumeTrue(probed.root() && probed.namespaces(), "needs root");
        Attempts attempts = attempts();
        attempts.user = BuilderConfig.User.ROOT;
        assertThat(attempts.run("id -u; mount -t tmpfs x /mnt && touch /mnt/x && kill -9 0"))
                .isEqualTo(failed(FailureClass.INFRASTRUCTURE, "the command ended with exit code 137 (signal 9)"));
        assertThat(attempts.log()).startsWith("0\n");
        assertThat(Path.of("/mnt/x")).doesNotExist();
    }

    @Test
    void twoAttemptsDoNotMeet() throws Exception {
        Attempts first = attempts();
        Attempts second = attempts();
        Builder.Running one = first.start(0, "echo a >$HOME/x; echo up; sleep 1000");
        Builder.Running two =
                second.start(1, "echo b >$HOME/x; echo up; until [ -e $HOME/go ]; do sleep 0.1; done; cat $HOME/x");
        await().until(() -> first.log().contains("up") && second.log().contains("up"));
        one.stop();
        assertThat(Attempts.await(one)).isInstanceOf(Builder.Outcome.Stopped.class);
        Files.createFile(second.workDir.resolve("slot-1/home/go"));
        assertThat(Attempts.await(two)).isEqualTo(new Builder.Outcome.Succeeded());
        assertThat(second.log()).endsWith("b\n");
    }

    @ParameterizedTest
    @EnumSource
    void aGuardianThatIsKilledTakesTheBuildWithIt(Kind kind) throws Exception {
        Attempts attempts = attempts(kind);
        Builder.Running running = attempts.start(0, ESCAPEE + "sleep 1000");
        await().until(() -> attempts.log().contains("up"));
        // One that stands by has no children.
        guardians()
                .filter(guardian -> guardian.children().findAny().isPresent())
                .findFirst()
                .orElseThrow()
                .destroyForcibly();
        assertThat(Attempts.await(running))
                .isEqualTo(failed(FailureClass.INFRASTRUCTURE, "the build's guardian process was ended"));
        assertThat(Attempts.processesWith(attempts.mark)).isZero();
    }

    @Test
    void isGuardedByTheOneThatStoodBy() throws Exception {
        // whose last deed is to have one stand by
        awaitNoThreads();
        try (Guardians guardians = new Guardians()) {
            Set<ProcessHandle> others = guardians().collect(Collectors.toSet());
            guardians.standBy();
            ProcessHandle standing = await("it has become a guardian")
                    .until(
                            () -> guardians()
                                    .filter(guardian -> !others.contains(guardian))
                                    .findFirst(),
                            Optional::isPresent)
                    .orElseThrow();
            Attempts attempts = attempts();
            attempts.guardians = guardians;
            Builder.Running running = attempts.start(0, "echo up; sleep 1000");
            await().until(() -> attempts.log().contains("up"));
            assertThat(standing.children()).isNotEmpty();
            running.stop();
            Attempts.await(running);
        }
    }

    @Test
    void needsNoneThatStandsBy() throws Exception {
        try (Guardians guardians = new Guardians()) {
            Attempts attempts = attempts();
            attempts.guardians = guardians;
            guardians.standBy();
            guardians.standBy();
            // as the kernel ends one when there is no memory left
            List<ProcessHandle> killed =
                    await("it has become a guardian").until(() -> guardians().toList(), found -> !found.isEmpty());
            killed.forEach(ProcessHandle::destroyForcibly);
            killed.forEach(guardian -> guardian.onExit().join());
            assertThat(attempts.run("echo done")).isEqualTo(new Builder.Outcome.Succeeded());
        }
    }

    private static Stream<ProcessHandle> guardians() {
        return ProcessHandle.current()
                .children()
                .filter(child -> Attempts.commandLine(child.pid()).contains("guardian.Guardian"));
    }

    @Test
    void buildahBuildsADockerfile() throws Exception {
        assumeTrue(Attempts.root() && Files.isExecutable(Path.of("/usr/bin/buildah")), "needs root and buildah");
        Attempts attempts = attempts();
        attempts.user = BuilderConfig.User.ROOT;
        Path checkout = attempts.prepare(0).resolve("checkout");
        Files.writeString(checkout.resolve("Dockerfile"), "FROM scratch\nCOPY hello /hello\n");
        Files.writeString(checkout.resolve("hello"), "hello");
        String buildah = "buildah --storage-driver vfs --root $HOME/storage --runroot $HOME/run ";
        assertThat(attempts.run(
                        buildah + "bud --isolation chroot -t image . && " + buildah + "push image oci:$KILN_OUTPUT"))
                .as(attempts.log())
                .isEqualTo(new Builder.Outcome.Succeeded());
        assertThat(attempts.workDir.resolve("slot-0/output/index.json")).exists();
        AttemptDirectory.delete(attempts.workDir.resolve("slot-0"));
    }

    @Test
    void aFullDiskIsNotTheSourcesFault() throws Exception {
        Attempts attempts = attempts();
        Files.createDirectories(attempts.workDir);
        assumeTrue(
                shell("mount", "-t", "tmpfs", "-o", "size=4m,mode=0711", "tmpfs", attempts.workDir.toString()) == 0,
                "needs root");
        try {
            assertThat(attempts.run("head -c 10000000 /dev/zero >$HOME/file"))
                    .isEqualTo(failed(FailureClass.INFRASTRUCTURE, "the disk of work-dir is full"));
        } finally {
            assertThat(shell("umount", attempts.workDir.toString())).isZero();
        }
    }

    private static int shell(String... command) throws Exception {
        return new ProcessBuilder(command)
                .redirectError(ProcessBuilder.Redirect.DISCARD)
                .start()
                .waitFor();
    }

    @Test
    void leavesNoThreadBehind() throws Exception {
        assertThat(attempts().run("echo done")).isEqualTo(new Builder.Outcome.Succeeded());
        awaitNoThreads();
    }

    private static void awaitNoThreads() {
        await().until(() -> Thread.getAllStackTraces().keySet().stream()
                .noneMatch(thread -> thread.getName().startsWith("build-")));
    }

    @Test
    void refusesACommandThatWouldBeAnAssignment() {
        assertThatThrownBy(() -> attempts().start(0, List.of("A=b", "c"))).isInstanceOf(IllegalArgumentException.class);
    }
}
