package dev.kiln.catalog;

import com.fasterxml.jackson.databind.JsonNode;
import dev.kiln.build.BuildStatus;
import dev.kiln.oci.BuildKey;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletionStage;

/**
 * Builds for people: what the {@code catalog} projection has made of the journal, a moment late. Never blocks the
 * caller; stages fail with a {@link dev.kiln.problem.Problem}.
 */
public interface BuildCatalog {
    /**
     * The newest builds first.
     *
     * @param limit 1 to 1000
     * @param after the {@link Page#next} of the page before
     */
    CompletionStage<Page> list(Filter filter, int limit, Optional<String> after);

    /** One build's row; empty when it was never requested, or the projection has not come to it yet. */
    CompletionStage<Optional<Row>> find(BuildKey key);

    /** One build's events from the journal, oldest first: their stored JSON plus {@code seq} and {@code timestamp}. */
    CompletionStage<List<JsonNode>> events(BuildKey key);

    /** What to list; an empty field matches all. {@code revision} may be a prefix of 4 or more hex digits. */
    record Filter(
            Optional<String> repository,
            Optional<String> revision,
            Optional<String> platform,
            Optional<BuildStatus.Phase> phase) {}

    /** @param next where the next page begins; empty on the last */
    record Page(List<Row> builds, Optional<String> next) {}

    /** @param reference the tag that was asked for by whoever caused the build */
    record Row(BuildStatus status, String builder, String worker, String client, String address, String reference) {}
}
