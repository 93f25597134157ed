package dev.kiln.hostile;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kiln.testing.GitHttp;
import dev.kiln.testing.GitOrigin;
import dev.kiln.testing.Wire;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A git server that takes connections and says nothing. */
class HangingGitIT {
    @TempDir
    Path directory;

    private Site site;
    private GitHttp git;

    private void start() throws IOException {
        site = new Site(directory);
        git = new GitHttp(directory);
        site.start(site.repository("") + """
                kiln.cache { max-life = 1s, partial-life = 1s }
                kiln.repositories += {
                  name = "remote/*"
                  source { url = "%s/{name}.git", timeout = 3s, refresh = 1s }
                  platforms = ["linux/amd64"]
                  builder = script
                  hop = 2s
                  patience = 10s
                }
                """.formatted(git.url("")));
    }

    @AfterEach
    void end() {
        site.close();
        git.close();
    }

    @Test
    void nothingKnownIsA503InTimeAndOthersAreServedMeanwhile() throws IOException {
        start();
        git.silent(true);
        site.branch("main", "echo content >l; image l");
        ExecutorService clients = Executors.newCachedThreadPool();
        List<CompletableFuture<Wire.Answer>> hung = new ArrayList<>();
        for (int i = 0; i < 40; i++) {
            String target = "/v2/remote/r" + i + "/manifests/main";
            hung.add(CompletableFuture.supplyAsync(() -> follow(target), clients));
        }

        assertThat(site.pull("main?platform=linux/amd64").status()).isEqualTo(200);
        assertThat(hung).as("still waiting, or refused").allSatisfy(answer -> {
            if (answer.isDone()) {
                assertThat(answer.join().status()).isIn(503, 429);
            }
        });
        for (CompletableFuture<Wire.Answer> answer : hung) {
            assertThat(answer.join().status()).as(answer.join().text()).isIn(503, 429);
        }
        assertThat(follow("/v2/remote/r0/manifests/main").status()).isEqualTo(503);
        assertThat(Site.json(site.get("/api/v1/builds?repository=remote/r0")).at("/builds"))
                .isEmpty();
        clients.shutdownNow();
    }

    @Test
    void whatIsKnownGoesOnBeingServed() throws IOException {
        Files.createDirectories(directory.resolve("remote"));
        start();
        GitOrigin origin = GitOrigin.create(directory.resolve("remote/app.git"));
        String commit = origin.commit(Map.of("build.sh", Site.LAYOUT + "echo content >l; image l"), "one");
        origin.ref("refs/heads/main", commit);
        assertThat(follow("/v2/remote/app/manifests/main").status()).isEqualTo(200);

        int before = git.requests.size();
        git.silent(true);

        // Several refreshes are tried meanwhile, none of which gets an answer: no cache lives so long.
        Awaitility.await("refreshes without an answer")
                .atMost(Duration.ofMinutes(3))
                .until(() -> {
                    assertThat(follow("/v2/remote/app/manifests/main").status()).isEqualTo(200);
                    assertThat(follow("/v2/remote/app/manifests/" + commit).status())
                            .isEqualTo(200);
                    return git.requests.size() >= before + 3;
                });
        assertThat(follow("/v2/remote/app/manifests/never-seen").status())
                .as("unknown, with git out of reach")
                .isEqualTo(503);
    }

    private Wire.Answer follow(String target) {
        try {
            return site.follow(target);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
