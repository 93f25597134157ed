package dev.kiln.crash;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.kiln.build.BuildEvent;
import dev.kiln.crash.Installation.Builds;
import dev.kiln.oci.Digest;
import dev.kiln.testing.JournalCheck;
import dev.kiln.testing.JournalReader;
import dev.kiln.testing.PullClient;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ConcurrentPullsIT {
    private static final int PULLS = 1000;

    @TempDir
    Path directory;

    @Test
    void aThousandPullsOfAnUnbuiltImageByAllItsNamesShareOneAttemptForEachPlatform() {
        try (Installation kiln = Installation.in(directory)) {
            String revision = kiln.branch("main");
            kiln.origin.ref("refs/tags/v1.0.0", revision);
            kiln.start(
                    Builds.gated(Installation.AMD64, Installation.ARM64),
                    "kiln.repository-defaults { hop = 15s, patience = 150s }");

            List<String> names = List.of("main", "v1.0.0", revision, revision.substring(0, 12));
            AtomicInteger redirected = new AtomicInteger();
            List<CompletableFuture<PullClient.Answer>> pulls = new ArrayList<>();
            for (int i = 0; i < PULLS; i++) {
                pulls.add(waitOnce(kiln, names.get(i % names.size()), redirected));
            }
            // Every one of them has been held for a whole hop by now: none came too late to share.
            await("every pull waits").atMost(Duration.ofMinutes(3)).until(() -> redirected.get() == PULLS);
            kiln.open(revision, Installation.AMD64);
            kiln.open(revision, Installation.ARM64);

            List<PullClient.Answer> answers =
                    pulls.stream().map(PullClient::join).toList();
            assertThat(answers.stream().map(PullClient.Answer::status).collect(Collectors.toSet()))
                    .containsExactly(200);
            Set<Digest> digests =
                    answers.stream().map(PullClient.Answer::digest).collect(Collectors.toSet());
            assertThat(digests).hasSize(1);
            PullClient.Answer index = answers.get(0);
            assertThat(index.revision()).isEqualTo(revision);
            assertThat(index.children()).containsOnlyKeys(Installation.AMD64, Installation.ARM64);
            kiln.client.readAll(index);
            System.out.println(answers.size() + " answers of " + digests + ", at most "
                    + answers.stream().mapToInt(PullClient.Answer::hops).max().orElseThrow() + " hops");

            kiln.server.kill();
            JournalReader journal = JournalReader.read(kiln.dataDir());
            assertThat(JournalCheck.check(journal, kiln.dataDir())).isEmpty();
            assertThat(journal.builds()).hasSize(2);
            journal.builds()
                    .values()
                    .forEach(events -> assertThat(events)
                            .hasExactlyElementsOfTypes(
                                    BuildEvent.Requested.class,
                                    BuildEvent.AttemptStarted.class,
                                    BuildEvent.Built.class));
        }
    }

    private static CompletableFuture<PullClient.Answer> waitOnce(
            Installation kiln, String reference, AtomicInteger redirected) {
        String accept = PullClient.INDEX + ", " + PullClient.MANIFEST;
        return kiln.client
                .request("GET", kiln.server.registry(), kiln.client.manifests(reference), "Accept", accept)
                .thenCompose(first -> {
                    if (first.status() != 307) {
                        throw new AssertionError(
                                "answered " + first.status() + " before anything was built: " + first.text());
                    }
                    redirected.incrementAndGet();
                    return kiln.client.follow(first.header("Location"), 1, "Accept", accept);
                });
    }
}
