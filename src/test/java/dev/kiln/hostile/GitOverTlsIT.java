package dev.kiln.hostile;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kiln.testing.GitHttps;
import dev.kiln.testing.GitOrigin;
import dev.kiln.testing.KilnProcess;
import dev.kiln.testing.PullClient;
import dev.kiln.testing.TestAuthority;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** git's own server behind TLS, under an authority that no Java runtime knows, and a password. */
class GitOverTlsIT {
    private static final String PASSWORD = "pw-of-the-operator";
    private static final String WRONG = "pw-that-is-wrong";

    @TempDir
    static Path directory;

    private static GitHttps git;
    private static GitHttps elsewhere;
    private static KilnProcess kiln;
    private static String first;

    @BeforeAll
    static void start() throws IOException {
        Path repositories = Files.createDirectories(directory.resolve("git"));
        GitOrigin origin = GitOrigin.create(repositories.resolve("team/app.git"));
        first = origin.commit(Map.of("build.sh", Site.LAYOUT + "echo one >$HOME/f; image $HOME/f"), "one");
        origin.ref("refs/tags/v1", first);
        origin.ref(
                "refs/heads/main",
                origin.commit(Map.of("build.sh", Site.LAYOUT + "echo two >$HOME/f; image $HOME/f"), "two"));
        TestAuthority authority = TestAuthority.create(directory);
        git = new GitHttps(repositories, authority, "reader", PASSWORD);
        elsewhere = new GitHttps(repositories, authority, "reader", PASSWORD);
        git.redirect("https://127.0.0.1:" + elsewhere.port());
        kiln = KilnProcess.start(directory, """
                kiln.repository-defaults {
                  platforms = ["linux/amd64"], builder = script, hop = 20s
                  source { ca-file = "%2$s", credentials { user = reader, password = "%3$s" } }
                }
                kiln.builders { script { type = command, command = ["sh", "build.sh"] } }
                kiln.repositories = [
                  { name = "team/*", source.url = "https://127.0.0.1:%1$d/{name}.git" }
                  { name = "moved/*", source.url = "https://127.0.0.1:%1$d/{name}.git" }
                  { name = refused, source { url = "https://127.0.0.1:%1$d/team/app.git", credentials.password = "%4$s" } }
                  { name = anonymous, source { url = "https://127.0.0.1:%1$d/team/app.git", credentials = null } }
                  { name = untrusted, source { url = "https://127.0.0.1:%1$d/team/app.git", ca-file = null } }
                  { name = misnamed, source.url = "https://localhost:%1$d/team/app.git" }
                ]
                """.formatted(git.port(), authority.certificate(), PASSWORD, WRONG));
    }

    @AfterAll
    static void stop() {
        kiln.close();
        git.close();
        elsewhere.close();
    }

    /** After every test: whatever was answered, printed, recorded or kept before it. */
    @AfterEach
    void noPasswordIsAnywhere() throws IOException {
        assertThat(kiln.log()).doesNotContain(secrets());
        try (Stream<Path> files = Files.walk(directory.resolve("data"))) {
            for (Path file : files.filter(Files::isRegularFile).toList()) {
                assertThat(Files.readString(file, StandardCharsets.ISO_8859_1))
                        .as("%s", file)
                        .doesNotContain(secrets());
            }
        }
    }

    private static String[] secrets() {
        return Stream.of(PASSWORD, WRONG)
                .flatMap(password -> Stream.of(password, basic(password)))
                .toArray(String[]::new);
    }

    private static String basic(String password) {
        return Base64.getEncoder().encodeToString(("reader:" + password).getBytes(StandardCharsets.UTF_8));
    }

    private static PullClient.Answer pull(String repository, String tag) {
        PullClient.Answer answer = PullClient.join(new PullClient(kiln::registry, repository).pull(tag));
        assertThat(answer.text() + answer.headers()).doesNotContain(secrets());
        return answer;
    }

    private static String unavailable(String repository) {
        PullClient.Answer answer = pull(repository, "main");
        assertThat(answer.status()).as(answer.text()).isEqualTo(503);
        return answer.text();
    }

    @Test
    void buildsWhatTheServerHasByTagBranchAndCommit() {
        PullClient.Answer tag = pull("team/app", "v1");
        assertThat(tag.status()).as(tag.text()).isEqualTo(200);
        assertThat(tag.revision()).isEqualTo(first);
        assertThat(tag.json().at("/annotations/org.opencontainers.image.source").asText())
                .isEqualTo("https://127.0.0.1:" + git.port() + "/team/app.git");
        assertThat(pull("team/app", first.substring(0, 9)).digest()).isEqualTo(tag.digest());
        assertThat(pull("team/app", "main").status()).isEqualTo(200);
        assertThat(git.requests)
                .anySatisfy(request ->
                        assertThat(request).isEqualTo("/team/app.git/git-upload-pack Basic " + basic(PASSWORD)));
    }

    @Test
    void aRepositoryThatIsNotThereIsUnknown() {
        assertThat(pull("team/none", "main").status()).isEqualTo(404);
    }

    @Test
    void refusedCredentialsAreNamed() {
        for (String repository : List.of("refused", "anonymous")) {
            assertThat(unavailable(repository))
                    .contains("git at https://127.0.0.1:" + git.port()
                            + "/team/app.git refuses the credentials (HTTP 401);"
                            + " an operator must configure source.credentials");
        }
    }

    @Test
    void anAuthorityThatIsNotTrustedIsNamed() {
        assertThat(unavailable("untrusted"))
                .contains(
                        "shows a certificate of an authority that is not trusted; an operator must set source.ca-file");
    }

    @Test
    void aCertificateForAnotherNameIsNotTaken() {
        assertThat(unavailable("misnamed")).contains("shows a certificate that is not valid: ", "localhost");
    }

    @Test
    void aRedirectToAnotherHostIsNotFollowed() {
        assertThat(unavailable("moved/app")).contains("redirects to another host, which Kiln does not follow");
        assertThat(elsewhere.requests).isEmpty();
    }
}
