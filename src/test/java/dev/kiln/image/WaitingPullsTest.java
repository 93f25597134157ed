package dev.kiln.image;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kiln.build.Cause;
import dev.kiln.client.Hint;
import dev.kiln.config.RepositoryConfig;
import dev.kiln.image.RevisionWaiter.Join;
import dev.kiln.oci.Digest;
import dev.kiln.oci.Platform;
import dev.kiln.oci.Tag;
import dev.kiln.source.SourceArchive;
import dev.kiln.testing.PullBench;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;

class WaitingPullsTest {
    private static final Instant NOW = Instant.parse("2026-11-28T12:00:00Z");
    private static final Instant HOP_ENDS = NOW.plusSeconds(25);
    private static final TagKey KEY = new TagKey(PullBench.APP, new Tag("a".repeat(40)));

    private final RepositoryConfig config =
            PullBench.repository(new RepositoryConfig.AnswerWhen.Hinted(), RepositoryConfig.Start.ALL);
    private final WaitingPulls pulls = new WaitingPulls(KEY, config, Map::of);

    private Join add(Platform platform, String client) {
        Wish wish = new Wish(Optional.of(new Hint(platform, true, "?platform=")), true, false);
        Join join = new Join(wish, new Cause(client, "", "", "main"), HOP_ENDS, true, new CompletableFuture<>());
        assertThat(pulls.add(join, NOW)).isPresent();
        return join;
    }

    @Test
    void anIndexThatIsComposedBetweenTwoHopsOfAPullNamesIt() {
        TagEvent.RevisionOpened opened = new TagEvent.RevisionOpened(
                "https://git.example.com/team/app.git",
                new SourceArchive(Digest.sha256(new byte[0]), 0, 0),
                config.platforms(),
                new Cause("", "", "", "main"),
                NOW);
        pulls.see(
                RevisionSnapshot.of(
                        KEY,
                        new TagEntity.View(
                                Optional.of(opened), config.platforms(), Optional.empty(), Optional.empty(), false),
                        Map.of()),
                Optional.empty());
        Join amd = add(PullBench.AMD, "amd");
        pulls.answer(HOP_ENDS);
        assertThat(amd.outcome().join()).isInstanceOf(Outcome.TimedOut.class);
        assertThat(pulls.isEmpty()).isTrue();

        assertThat(pulls.cause(Set.of(PullBench.AMD), HOP_ENDS))
                .map(Cause::client)
                .contains("amd");
        assertThat(pulls.cause(Set.of(PullBench.ARM), HOP_ENDS)).isEmpty();

        add(PullBench.ARM, "arm");
        assertThat(List.of(PullBench.AMD, PullBench.ARM))
                .map(platform ->
                        pulls.cause(Set.of(platform), HOP_ENDS).orElseThrow().client())
                .containsExactly("amd", "arm");
        assertThat(pulls.cause(Set.of(PullBench.AMD), HOP_ENDS.plusSeconds(60)))
                .as("who has not come back is named no more")
                .map(Cause::client)
                .contains("arm");
    }
}
