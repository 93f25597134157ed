package dev.kiln.config;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kiln.client.Hop;
import dev.kiln.client.WaitPlan;
import dev.kiln.client.WaitPlan.FinalAnswer;
import dev.kiln.client.WaitPlan.Situation;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.Properties;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The plans that are shipped, and what an operator may change in them. */
class WaitPlansTest {
    private static final String ENGINE = "docker/%s go/go1.26.3 git-commit/abc kernel/6.8.0 os/linux arch/amd64%s"
            + " UpstreamClient(Docker-Client/29.7.2 \\(linux\\))";

    @TempDir
    Path directory;

    @ParameterizedTest(name = "[{index}] {0} is of {1}")
    @CsvSource(delimiter = '|', textBlock = """
            containerd/1.6.20~ds1                                       | containerd
            containerd/v2.2.7                                           | containerd
            containerd/2.3.0                                            | containerd-2_3_0
            containerd/v2.3.1+unknown                                   | containerd-2_3_0
            containerd/2.3.2                                            | containerd-2_3
            containerd/unknown                                          | containerd
            buildkit/v0.26                                              | buildkit
            containers/5.36.2 (github.com/containers/image)             | containers-image
            Buildah/1.28.2                                              | containers-image
            skopeo/1.9.3                                                | containers-image
            cri-o/1.31.0 go/go1.22 os/linux arch/arm64                  | containers-image
            Apptainer/1.3.4 (Linux amd64) Go/1.22                       | containers-image
            crane/v0.20.3 go-containerregistry/v0.20.3                  | go-containerregistry
            go-containerregistry/v0.21.9                                | go-containerregistry
            cosign/v3.1.2 (linux; amd64) go-containerregistry/v0.21.9   | cosign
            flux/v2 go-containerregistry/v0.20.1                        | go-containerregistry
            regclient/regctl (v0.11.5)                                  | regclient
            regclient/regsync (v0.11.5)                                 | regsync
            oras/1.3.3                                                  | oras
            Helm/3.14.0                                                 | oras
            notation/1.3.0                                              | notation
            harbor-registry-client                                      | mirrors
            curl/8.5.0                                                  | tools
            Go-http-client/1.1                                          | unknown
            Mozilla/5.0 (containerd/2.3.0)                              | unknown
            ''                                                          | unknown
            """)
    void everyClientFindsItsFamily(String userAgent, String family) throws IOException {
        assertThat(plan("", userAgent).family()).isEqualTo(family);
    }

    @Test
    void anEngineIsToldByItsImageStore() throws IOException {
        assertThat(plan("", ENGINE.formatted("20.10.24", "")).family()).isEqualTo("docker-graphdriver");
        assertThat(plan("", ENGINE.formatted("29.7.2", " containerd-client/2.3.3+unknown storage-driver/overlayfs"))
                        .family())
                .isEqualTo("docker-containerd-2_3");
        assertThat(plan("", ENGINE.formatted("29.1.0", " containerd-client/2.2.1 storage-driver/overlayfs"))
                        .family())
                .isEqualTo("docker-containerd");
        assertThat(plan("", ENGINE.formatted("29.7.0", " containerd-client/2.3.1 storage-driver/overlayfs"))
                        .family())
                .isEqualTo("docker-containerd-2_3_0");
        assertThat(load("").repositories()
                        .get(0)
                        .clients()
                        .plan(Optional.empty())
                        .family())
                .isEqualTo("unknown");
    }

    @Test
    void plansStayWithinTheRepositorysLimits() throws IOException {
        WaitPlan containerd = plan("", "containerd/1.6");
        assertThat(containerd.hop()).isEqualTo(Duration.ofSeconds(25));
        assertThat(containerd.patience()).isEqualTo(Duration.ofSeconds(250));

        WaitPlan fatal = plan("", "containerd/2.3.0");
        assertThat(fatal.hop()).isEqualTo(Duration.ofSeconds(20));
        assertThat(fatal.patience()).as("ten hops").isEqualTo(Duration.ofSeconds(200));

        assertThat(plan("hop = 40s", "containerd/2.3.4").hop())
                .as("within its time-out for headers")
                .isEqualTo(Duration.ofSeconds(25));
        assertThat(plan("hop = 40s", "containerd/2.2.7").hop()).isEqualTo(Duration.ofSeconds(40));

        WaitPlan unknown = plan("", "x/1");
        assertThat(unknown.patience()).as("held once").isEqualTo(Duration.ofSeconds(25));
        assertThat(Hop.first(Instant.EPOCH).mayGoOn(unknown)).isFalse();

        assertThat(plan("hop = 1s, patience = 3s", "cosign/v3").patience()).isEqualTo(Duration.ofSeconds(3));
    }

    @Test
    void operatorsChangeThemByFamilyAndByRepository() throws IOException {
        assertThat(plan("", "kiln.clients.docker-containerd.patience = 60s", "buildkit/v0.26")
                        .patience())
                .as("what is like a changed family changes too")
                .isEqualTo(Duration.ofSeconds(60));
        assertThat(plan("", "kiln.clients.pollers { agents = [renovatebot], starts-builds = false }", "RenovateBot/38")
                        .startsBuilds())
                .isFalse();
        assertThat(plan("clients.cosign { whole-index = false, failed.status = 403 }", "cosign/v3")
                        .answer(Situation.FAILED))
                .isEqualTo(new FinalAnswer(403, Optional.empty()));
        assertThat(plan("clients.unknown.redirects = true", "x/1").patience()).isEqualTo(Duration.ofSeconds(250));
    }

    @Test
    void whatAnEntryOfRepositoriesChangesReachesTheFamiliesThatAreLikeIt() throws IOException {
        String changed = "clients.containerd { patience = 40s, hop = 5s, queue-full.status = 429 }";
        for (String agent : List.of("containerd/1.6.20", "containerd/2.3.1", "containerd/2.3.4")) {
            assertThat(plan(changed, agent).patience()).as(agent).isEqualTo(Duration.ofSeconds(40));
            assertThat(plan(changed, agent).answer(Situation.QUEUE_FULL).status())
                    .as(agent)
                    .isEqualTo(429);
        }
        assertThat(plan(changed, "buildkit/v0.26").answer(Situation.QUEUE_FULL).status())
                .as("over two steps")
                .isEqualTo(429);
        assertThat(plan(changed, "containerd/1.6.20").hop()).isEqualTo(Duration.ofSeconds(5));
        assertThat(plan(changed, "containerd/2.3.1").hop())
                .as("what a family says itself")
                .isEqualTo(Duration.ofSeconds(20));
        assertThat(plan(changed + ", clients.containerd-2_3_0.hop = 7s", "containerd/2.3.1")
                        .hop())
                .isEqualTo(Duration.ofSeconds(7));
        assertThat(plan("", "kiln.clients.mine { like = cosign, agents = [mine] }", "mine/1")
                        .wholeIndex())
                .isTrue();
    }

    @Test
    void containerdIsHeldNoLongerThanWhatStandsBehindItWaits() throws IOException {
        assertThat(plan("hop = 50s, patience = 500s", "containerd/1.7.20").patience())
                .isEqualTo(Duration.ofSeconds(250));
        assertThat(plan("hop = 50s, patience = 500s", "buildkit/v0.26").patience())
                .isEqualTo(Duration.ofSeconds(500));
    }

    @Test
    void aMistakeIsNamed() {
        assertThatThrownBy(() -> load("clients.docker.hop = 5s"))
                .hasMessageContaining("clients.docker is not a family of kiln.clients");
        assertThatThrownBy(() -> load("", "kiln.clients.x { agents = [x], failed.status = 202 }"))
                .hasMessageContaining("kiln.clients.x.failed.status");
        assertThatThrownBy(() -> load("", "kiln.clients.x { agents = [x], nothing-ready.status = 404 }"))
                .hasMessageContaining("must be one of [429, 503], not 404");
        assertThatThrownBy(() -> load("", "kiln.clients.x { agents = [\"UPPER CASE\"], hopp = 1s }"))
                .hasMessageContaining("product names")
                .hasMessageContaining("did you mean hop?");
        assertThatThrownBy(() -> load("", "kiln.clients.scanners { agents = [skopeo], starts-builds = false }"))
                .hasMessageContaining("names skopeo as kiln.clients.containers-image does: change that one");
        assertThatThrownBy(() -> load("", "kiln.clients.x { agents = [x], like = nobody }"))
                .hasMessageContaining("kiln.clients.x.like is not a family of kiln.clients");
        assertThatThrownBy(() -> load(
                        "", "kiln.clients.x { agents = [x], like = y }, kiln.clients.y { agents = [y], like = x }"))
                .hasMessageContaining("kiln.clients.x.like leads back to x")
                .hasMessageContaining("kiln.clients.y.like leads back to y");
        assertThatThrownBy(() -> load("clients.cosign.like = oras"))
                .hasMessageContaining("clients.cosign.like can be said in kiln.clients alone");
        assertThatThrownBy(() -> load("", "kiln.clients.x { agents = [x], below-version = new }"))
                .hasMessageContaining("a version such as 2.3.0");
    }

    private WaitPlan plan(String repository, String userAgent) throws IOException {
        return plan(repository, "", userAgent);
    }

    private WaitPlan plan(String repository, String more, String userAgent) throws IOException {
        return load(repository, more).repositories().get(0).clients().plan(Optional.of(userAgent));
    }

    private KilnConfig load(String repository) throws IOException {
        return load(repository, "");
    }

    private KilnConfig load(String repository, String more) throws IOException {
        Path file = Files.writeString(directory.resolve("kiln.conf"), """
                kiln.repositories = [{ name = app, source.url = "/srv/app.git", platforms = ["linux/amd64"], builder = make
                  %s
                }]
                kiln.builders.make { type = command, command = [make] }
                %s
                """.formatted(repository, more));
        return ConfigLoader.load(Optional.of(file), new Properties()).kiln();
    }
}
