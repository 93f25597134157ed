package dev.kiln.source;

import static dev.kiln.source.SourceFixture.config;
import static dev.kiln.source.SourceFixture.found;
import static dev.kiln.source.SourceFixture.revision;
import static dev.kiln.source.SourceFixture.unavailable;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;

import dev.kiln.config.RepositoryConfig.Credentials;
import dev.kiln.config.RepositoryConfig.GitSourceConfig;
import dev.kiln.config.RepositoryConfig.Ssh;
import dev.kiln.oci.Tag;
import dev.kiln.testing.GitHttp;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import org.eclipse.jgit.lib.ObjectId;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

@Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class GitRemoteTest {
    @TempDir
    Path folder;

    private SourceFixture fixture;
    private ObjectId first;
    private ObjectId second;
    private GitHttp web;

    @BeforeEach
    void serveARepository() throws IOException {
        fixture = new SourceFixture(folder.resolve("mirrors"));
        Origin origin = Origin.create(folder.resolve("origin.git"));
        first = origin.commit("first");
        second = origin.commit("second", first);
        origin.ref("refs/heads/main", second);
        web = new GitHttp(folder);
    }

    @AfterEach
    void close() {
        web.close();
        fixture.close();
    }

    private static GitSourceConfig with(String url, Duration timeout, Optional<Credentials> credentials) {
        GitSourceConfig config = config(url);
        return new GitSourceConfig(
                url, config.allowedRefs(), config.refresh(), timeout, credentials, Optional.empty(), Optional.empty());
    }

    @Test
    void looksUpAndFetchesOverHttpWithAPassword() throws Exception {
        web.require("reader", "s3cret");
        GitSource source = fixture.source(
                with(web.url("/origin.git"), Duration.ofSeconds(20), Optional.of(new Credentials("reader", "s3cret"))));

        assertThat(found(source, "main").revision()).isEqualTo(revision(second));
        assertThat(found(source, "main").sourceUrl()).isEqualTo(web.url("/origin.git"));
        assertThat(found(source, first.name().substring(0, 7)).revision()).isEqualTo(revision(first));
        assertThat(source.archive(revision(first)).size()).isPositive();
    }

    @Test
    void refusedCredentialsAreNotAnAnswerAboutTheRepository() {
        web.require("reader", "s3cret");
        GitSource wrong = fixture.source(
                with(web.url("/origin.git"), Duration.ofSeconds(20), Optional.of(new Credentials("reader", "gu3ss"))));

        assertThat(unavailable(wrong, "main"))
                .contains("refuses the credentials")
                .doesNotContain("gu3ss");
        assertThat(unavailable(fixture.source(config(web.url("/origin.git"))), "main"))
                .contains("refuses the credentials");
    }

    @Test
    void aRepositoryThatIsNotFoundIsACompleteAnswer() {
        assertThat(fixture.source(config(web.url("/none.git"))).resolve(new Tag("main")))
                .isInstanceOfSatisfying(
                        Meaning.Unknown.class,
                        unknown -> assertThat(unknown.repositoryUnknown()).isTrue());
        assertThat(fixture.files()).isEmpty();
    }

    @ParameterizedTest
    @ValueSource(ints = {400, 403, 500, 502, 503})
    void otherAnswersAreNone(int status) {
        web.status(status);

        unavailable(fixture.source(config(web.url("/origin.git"))), "main");
    }

    @Test
    void afterAFailureGitIsLeftAloneForAWhile() {
        web.status(503);
        GitSource source = fixture.source(config(web.url("/origin.git")));
        for (int i = 0; i < 100; i++) {
            unavailable(source, "main");
        }
        assertThat(fixture.lookUps).hasValue(1);
        web.status(200);
        fixture.clock.pass(Duration.ofSeconds(5));

        assertThat(found(source, "main").revision()).isEqualTo(revision(second));
    }

    @Test
    void aRedirectToAnotherHostIsNotFollowedAndGetsNoCredentials() throws IOException {
        try (GitHttp elsewhere = new GitHttp(folder)) {
            web.redirect("http://localhost:" + elsewhere.port());
            GitSource source = fixture.source(with(
                    web.url("/origin.git"), Duration.ofSeconds(20), Optional.of(new Credentials("reader", "s3cret"))));

            assertThat(unavailable(source, "main")).contains("another host");
            assertThat(elsewhere.requests).isEmpty();
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"file:///etc/passwd", "ftp://127.0.0.1/x", "ext::sh -c touch%20x"})
    void aRedirectToAnotherProtocolIsNotFollowed(String location) {
        web.redirect(location);

        unavailable(fixture.source(config(web.url("/origin.git"))), "main");
    }

    @Test
    void secretsInAnAddressAreNotRepeated() {
        web.status(500);
        String url = "http://user:hunter2@127.0.0.1:" + web.port() + "/origin.git";
        GitSource source = fixture.source(config(url));

        assertThat(unavailable(source, "main")).doesNotContain("hunter2").doesNotContain("user:");
        web.status(200);
        fixture.clock.pass(Duration.ofSeconds(10));
        assertThat(found(source, "main").sourceUrl()).isEqualTo(web.url("/origin.git"));
    }

    @Test
    void aPathOfThisMachineIsNotRepeated() {
        GitUrl url = GitUrl.parse("/srv/secret/place.git");

        assertThat(url.publicName() + url.scrub("cannot open /srv/secret/place.git/HEAD"))
                .doesNotContain("/srv");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {"git://host/x", "ext::sh -c x", "relative/path", "ftp://host/x", "http:///x", "", "bundle:/x"})
    void otherAddressesAreRefused(String url) {
        assertThat(catchThrowable(() -> GitUrl.parse(url))).isInstanceOf(IllegalArgumentException.class);
    }

    @ParameterizedTest
    @CsvSource({
        "https://u:p@git.example.com/a/b.git?token=x, https://git.example.com/a/b.git",
        "ssh://git@git.example.com:2222/a/b.git, ssh://git.example.com:2222/a/b.git",
        "git@git.example.com:a/b.git, ssh://git.example.com/a/b.git",
        "http://git.example.com:8080/a.git, http://git.example.com:8080/a.git"
    })
    void theAddressThatIsShownHasNoUserAndNoQuery(String url, String shown) {
        assertThat(GitUrl.parse(url)).hasToString(shown);
    }

    @Test
    void anSshServerThatHangsIsWaitedForNoLongerThanTheTimeout() throws Exception {
        try (Hanging server = new Hanging("")) {
            String url = server.url().replace("http://", "ssh://git@");
            GitSourceConfig config = config(url);
            GitSource source = fixture.source(new GitSourceConfig(
                    url,
                    config.allowedRefs(),
                    config.refresh(),
                    Duration.ofSeconds(1),
                    Optional.empty(),
                    Optional.empty(),
                    Optional.of(new Ssh(Optional.empty(), folder.resolve("known_hosts")))));

            unavailable(source, "main");
        }
    }

    @Test
    void messagesLoseUserInformationAndQueries() {
        GitUrl url = GitUrl.parse("https://git.example.com/x.git");

        assertThat(url.scrub("https://u:p@git.example.com/x.git?token=abc failed\nat line 2"))
                .isEqualTo("https://git.example.com/x.git failed at line 2");
    }

    @Test
    void aServerThatHangsIsWaitedForOnceAndNoLongerThanTheTimeout() throws Exception {
        try (Hanging server = new Hanging("")) {
            GitSource source = fixture.source(with(server.url(), Duration.ofSeconds(1), Optional.empty()));
            for (int i = 0; i < 50; i++) {
                assertThat(unavailable(source, "main")).contains("did not answer within 1.0 s");
            }
            assertThat(fixture.lookUps).hasValue(1);
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "HTTP/1.1 200 OK\r\nX-Trickle: ",
                "HTTP/1.1 200 OK\r\nContent-Type: application/x-git-upload-pack-advertisement\r\n\r\n"
            })
    void aServerThatTricklesDoesNotKeepItsThread(String beginning) throws Exception {
        try (Hanging server = new Hanging(beginning)) {
            GitSource source = fixture.source(with(server.url(), Duration.ofSeconds(1), Optional.empty()));

            unavailable(source, "main");

            server.awaitEnd();
        }
    }

    @Test
    void anAnswerThatIsCutShortIsNone() throws Exception {
        String half = "001e# service=git-upload-pack\n0000";
        try (Hanging server = new Hanging(
                "HTTP/1.1 200 OK\r\nContent-Type: application/x-git-upload-pack-advertisement\r\nContent-Length: 500\r\n\r\n"
                        + half,
                false)) {
            unavailable(fixture.source(config(server.url())), "main");
        }
    }

    /** Accepts, says something, and then either nothing but a byte now and then, or no more. */
    private static final class Hanging implements AutoCloseable {
        private final ServerSocket server = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
        private final List<Socket> sockets = new CopyOnWriteArrayList<>();
        private final CountDownLatch ended = new CountDownLatch(1);
        private final ScheduledExecutorService ticks = Executors.newSingleThreadScheduledExecutor();
        private final Thread thread;

        Hanging(String beginning) throws IOException {
            this(beginning, true);
        }

        Hanging(String beginning, boolean goesOn) throws IOException {
            thread = new Thread(() -> serve(beginning, goesOn));
            thread.setDaemon(true);
            thread.start();
        }

        String url() {
            return "http://127.0.0.1:" + server.getLocalPort() + "/origin.git";
        }

        private void serve(String beginning, boolean goesOn) {
            while (!server.isClosed()) {
                try {
                    Socket socket = server.accept();
                    sockets.add(socket);
                    socket.getInputStream().read();
                    socket.getOutputStream().write(beginning.getBytes(StandardCharsets.US_ASCII));
                    if (!goesOn) {
                        socket.close();
                    } else if (!beginning.isEmpty()) {
                        trickle(socket);
                    }
                } catch (IOException e) {
                    ended.countDown();
                }
            }
        }

        private void trickle(Socket socket) {
            ticks.scheduleAtFixedRate(
                    () -> {
                        try {
                            socket.getOutputStream().write('x');
                        } catch (IOException e) {
                            ended.countDown();
                            throw new UncheckedIOException(e);
                        }
                    },
                    0,
                    50,
                    TimeUnit.MILLISECONDS);
        }

        void awaitEnd() throws InterruptedException {
            assertThat(ended.await(30, TimeUnit.SECONDS)).isTrue();
        }

        @Override
        public void close() throws IOException {
            server.close();
            for (Socket socket : sockets) {
                socket.close();
            }
            ticks.shutdownNow();
        }
    }
}
