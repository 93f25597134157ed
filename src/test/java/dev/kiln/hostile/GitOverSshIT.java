package dev.kiln.hostile;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kiln.testing.GitOrigin;
import dev.kiln.testing.GitSsh;
import dev.kiln.testing.KilnProcess;
import dev.kiln.testing.PullClient;
import dev.kiln.testing.SshAgent;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A server that finds its key where its operator put it: in a file, or in the ssh agent. */
class GitOverSshIT {
    @TempDir
    Path directory;

    private static PullClient.Answer pull(KilnProcess kiln, String repository) {
        return PullClient.join(new PullClient(kiln::registry, repository).pull("main"));
    }

    private static String unavailable(KilnProcess kiln, String repository) {
        PullClient.Answer answer = pull(kiln, repository);
        assertThat(answer.status()).as(answer.text()).isEqualTo(503);
        return answer.text();
    }

    @Test
    void theKeyIsTheAgentsOrAFilesAndTheHostMustBeKnown() throws Exception {
        GitOrigin origin = GitOrigin.create(directory.resolve("app.git"));
        origin.ref(
                "refs/heads/main",
                origin.commit(Map.of("build.sh", Site.LAYOUT + "echo one >$HOME/f; image $HOME/f"), "one"));
        try (GitSsh git = new GitSsh(directory);
                GitSsh other = new GitSsh(directory);
                SshAgent agent = SshAgent.start(directory)) {
            Path key = git.privateKey(directory.resolve("key"));
            agent.add(key);
            Path hosts = git.knownHosts(directory.resolve("known_hosts"), true);
            Path another = git.knownHosts(directory.resolve("another_host"), false);
            Path stranger = other.privateKey(directory.resolve("stranger"));
            try (KilnProcess kiln = KilnProcess.prepare(
                            directory, """
                    kiln.repository-defaults {
                      platforms = ["linux/amd64"], builder = script, hop = 20s
                      source { url = "%s", ssh { known-hosts = "%s", private-key = null } }
                    }
                    kiln.builders { script { type = command, command = ["sh", "build.sh"] } }
                    kiln.repositories = [
                      { name = agent }
                      { name = file, source.ssh.private-key = "%s" }
                      { name = stranger, source.ssh.private-key = "%s" }
                      { name = impostor, source.ssh.known-hosts = "%s" }
                    ]
                    """.formatted(git.url("/app.git"), hosts, key, stranger, another))
                    .with("SSH_AUTH_SOCK", agent.socket().toString())) {
                kiln.start();

                assertThat(pull(kiln, "agent").status()).isEqualTo(200);
                assertThat(pull(kiln, "file").status()).isEqualTo(200);
                assertThat(unavailable(kiln, "stranger"))
                        .contains(
                                "refuses the ssh key; an operator must configure source.ssh.private-key or the ssh agent");
                assertThat(unavailable(kiln, "impostor"))
                        .contains(
                                "shows a host key that is not trusted; an operator must correct source.ssh.known-hosts");
                assertThat(kiln.log())
                        .doesNotContain(Files.readString(key)
                                .lines()
                                .skip(1)
                                .findFirst()
                                .orElseThrow());
            }
        }
    }
}
