package dev.kiln.image;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kiln.build.Cause;
import dev.kiln.client.Hint;
import dev.kiln.image.RevisionWaiter.Join;
import dev.kiln.oci.Platform;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;

class DedupTest {
    private static final Wish ANY = new Wish(Optional.empty(), true, false);
    private static final Wish ONE =
            new Wish(Optional.of(new Hint(Platform.of("linux/amd64"), true, "path")), true, false);

    private final Dedup dedup = new Dedup();
    private final Dedup.Tally tally = dedup.new Tally();

    private void pull(Wish wish, boolean anew) {
        tally.add(new Join(wish, new Cause("", "", "", ""), Instant.MAX, anew, new CompletableFuture<>()));
    }

    /** Clients may come and go without number before anybody knows what their pulls need. */
    @Test
    void ofPullsThatWantTheSameNothingIsKeptButTheirNumber() {
        for (int i = 0; i < 1000; i++) {
            pull(ANY, true);
            pull(ONE, true);
            pull(ONE, false);
        }
        List<Wish> asked = new ArrayList<>();

        tally.count(wish -> {
            asked.add(wish);
            return wish.equals(ANY) ? 2 : 1;
        });

        assertThat(asked).containsExactlyInAnyOrder(ANY, ONE);
        assertThat(dedup.counts()).isEqualTo(new Dedup.Counts(0, 2000, 3000));
    }

    @Test
    void eachPullCountsOnceAndNotAtAllWhenItNeedsNoBuild() {
        pull(ANY, true);
        tally.count(wish -> 0);
        tally.count(wish -> 2);
        pull(ANY, true);
        tally.forget();
        tally.count(wish -> 2);

        assertThat(dedup.counts()).isEqualTo(new Dedup.Counts(0, 0, 0));
    }
}
