package dev.kiln.catalog;

import dev.kiln.oci.RepositoryName;
import java.util.List;
import java.util.concurrent.CompletionStage;

/** The repositories that have something. */
@FunctionalInterface
public interface RepositoryNames {
    /** Names after {@code after}, which may be any text, in the order of the database, at most {@code limit}; a moment late. */
    CompletionStage<List<RepositoryName>> list(String after, int limit);
}
