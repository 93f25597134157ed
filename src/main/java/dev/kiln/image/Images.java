package dev.kiln.image;

import dev.kiln.oci.Digest;
import dev.kiln.oci.Platform;
import dev.kiln.oci.RepositoryName;
import dev.kiln.oci.Tag;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletionStage;

/**
 * What a pull gets. Thread-safe, never blocks; a hit is answered by an already completed stage. Stages fail with a
 * {@link dev.kiln.problem.Problem}.
 */
public interface Images {
    /** A manifest by tag; held for at most the repository's {@code hop}. */
    CompletionStage<PullAnswer> pull(Pull pull);

    /**
     * The experiment of {@code experimental.url-pointers}: all platforms of what the tag means now, built or not, as JSON
     * text. Starts nothing.
     */
    CompletionStage<String> pointers(RepositoryName repository, Tag tag);

    /**
     * The indexes of what the tag means now, which is looked up as for a pull. Starts nothing.
     *
     * @param platform with features: the series of that flavour; else the common one
     */
    CompletionStage<IndexHistory> indexes(RepositoryName repository, Tag tag, Optional<Platform> platform);

    /** A manifest or index by digest, or empty when this repository has none of that digest. */
    CompletionStage<Optional<PullAnswer.Served>> manifest(RepositoryName repository, Digest digest);

    /**
     * Tags of the repository's source, sorted by bytes, without duplicates: the first {@code limit} after {@code after},
     * which may be any text, and never more than {@link dev.kiln.source.Sources#MAX_TAGS}.
     */
    CompletionStage<List<Tag>> tags(RepositoryName repository, String after, int limit);
}
