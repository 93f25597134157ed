package dev.kiln.source;

import static dev.kiln.source.SourceFixture.config;
import static dev.kiln.source.SourceFixture.found;
import static dev.kiln.source.SourceFixture.revision;
import static dev.kiln.source.SourceFixture.unavailable;
import static org.assertj.core.api.Assertions.assertThat;

import dev.kiln.config.RepositoryConfig.GitSourceConfig;
import dev.kiln.config.RepositoryConfig.Ssh;
import dev.kiln.oci.Tag;
import dev.kiln.testing.GitSsh;
import dev.kiln.testing.SshAgent;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import org.eclipse.jgit.lib.ObjectId;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class GitOverSshTest {
    @TempDir
    Path folder;

    private SourceFixture fixture;
    private GitSsh server;
    private ObjectId first;

    @BeforeEach
    void serveARepository() throws Exception {
        fixture = new SourceFixture(folder.resolve("mirrors"));
        Origin origin = Origin.create(folder.resolve("origin.git"));
        first = origin.commit("first");
        origin.ref("refs/heads/main", origin.commit("second", first));
        server = new GitSsh(folder);
    }

    @AfterEach
    void close() throws Exception {
        server.close();
        fixture.close();
    }

    private GitSource source(String url, Optional<Path> key, boolean hostIsKnown) throws Exception {
        GitSourceConfig config = config(url);
        return fixture.source(new GitSourceConfig(
                url,
                config.allowedRefs(),
                config.refresh(),
                config.timeout(),
                Optional.empty(),
                Optional.empty(),
                Optional.of(new Ssh(key, server.knownHosts(folder.resolve("known_hosts"), hostIsKnown)))));
    }

    @Test
    void looksUpAndFetchesWithAPrivateKey() throws Exception {
        GitSource source =
                source(server.url("/origin.git"), Optional.of(server.privateKey(folder.resolve("key"))), true);

        assertThat(found(source, "main").ref()).isEqualTo("refs/heads/main");
        assertThat(found(source, first.name().substring(0, 8)).revision()).isEqualTo(revision(first));
        assertThat(source.archive(revision(first)).size()).isPositive();
    }

    @Test
    void aHostWithAnotherKeyIsNotTrusted() throws Exception {
        GitSource source =
                source(server.url("/origin.git"), Optional.of(server.privateKey(folder.resolve("key"))), false);

        unavailable(source, "main");
        assertThat(Files.readAllLines(folder.resolve("known_hosts"))).hasSize(1);
    }

    @Test
    void anUnknownHostIsNotTrusted() throws Exception {
        Path empty = Files.createFile(folder.resolve("empty"));
        GitSourceConfig config = config(server.url("/origin.git"));
        GitSource source = fixture.source(new GitSourceConfig(
                config.url(),
                config.allowedRefs(),
                config.refresh(),
                config.timeout(),
                Optional.empty(),
                Optional.empty(),
                Optional.of(new Ssh(Optional.of(server.privateKey(folder.resolve("key"))), empty))));

        unavailable(source, "main");
        assertThat(empty).isEmptyFile();
    }

    @Test
    void anotherKeyIsRefusedWhichIsNoAnswerAboutTheRepository() throws Exception {
        try (GitSsh other = new GitSsh(folder)) {
            GitSource source =
                    source(server.url("/origin.git"), Optional.of(other.privateKey(folder.resolve("key"))), true);

            unavailable(source, "main");
        }
    }

    @Test
    void aRepositoryThatIsNotFoundIsACompleteAnswer() throws Exception {
        GitSource source = source(server.url("/none.git"), Optional.of(server.privateKey(folder.resolve("key"))), true);

        assertThat(source.resolve(new Tag("main")))
                .isInstanceOfSatisfying(
                        Meaning.Unknown.class,
                        unknown -> assertThat(unknown.repositoryUnknown()).isTrue());
    }

    @Test
    void theAgentsKeyIsUsedWhereNoFileIsConfigured() throws Exception {
        try (SshAgent agent = SshAgent.start(folder)) {
            agent.add(server.privateKey(folder.resolve("key")));
            Files.delete(folder.resolve("key"));
            Ssh ssh = new Ssh(Optional.empty(), server.knownHosts(folder.resolve("known_hosts"), true));
            GitSourceConfig config = config(server.url("/origin.git"));

            GitRemote remote = new GitRemote(
                    GitUrl.parse(config.url()),
                    new GitSourceConfig(
                            config.url(),
                            config.allowedRefs(),
                            config.refresh(),
                            config.timeout(),
                            Optional.empty(),
                            Optional.empty(),
                            Optional.of(ssh)),
                    folder.resolve("nobody"),
                    Optional.of(agent.socket()));

            assertThat(remote.listing(config.timeout()).run().tags()).containsExactly(new Tag("main"));
        }
    }
}
