package dev.kiln.build;

import dev.kiln.oci.Platform;
import dev.kiln.oci.RepositoryName;
import java.util.Map;
import java.util.concurrent.CompletionStage;

/** How long the builds of a repository usually take, by platform; one that never succeeded is not there. Thread-safe. */
public interface BuildHistory {
    /** What this node knows by now. Never blocks; what it does not know, it begins to look up for later callers. */
    Map<Platform, BuildTimes> known(RepositoryName repository);

    /** The same, looked up first where it must be. Never fails: what cannot be looked up is empty. */
    CompletionStage<Map<Platform, BuildTimes>> times(RepositoryName repository);
}
