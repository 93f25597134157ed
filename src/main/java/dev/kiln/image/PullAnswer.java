package dev.kiln.image;

import akka.util.ByteString;
import dev.kiln.client.WaitPlan;
import dev.kiln.oci.BuildKey;
import dev.kiln.oci.Descriptor;
import dev.kiln.oci.Platform;
import java.time.Duration;
import java.util.List;
import java.util.Optional;

/** What a pull by tag gets. What it cannot get for another reason is a {@link dev.kiln.problem.Problem}. */
public sealed interface PullAnswer {
    /**
     * A manifest or an index, durable and retrievable by its digest for ever.
     *
     * @param missing the revision's platforms that an index does not list yet; empty for a complete one
     * @param pushed whether a client pushed it, who may delete it: only the repository's owner knows whether it is there
     */
    record Served(Descriptor descriptor, ByteString bytes, List<Platform> missing, boolean pushed)
            implements PullAnswer {
        /** What Kiln made. */
        public Served(Descriptor descriptor, ByteString bytes, List<Platform> missing) {
            this(descriptor, bytes, missing, false);
        }
    }

    /**
     * The time of this hop has passed: the client should ask again, with {@code hop} as its {@code w} parameter.
     *
     * @param progress one line for the {@code Warning} header
     */
    record KeepWaiting(String hop, String progress) implements PullAnswer {}

    /**
     * The pull's patience has passed.
     *
     * @param situation any but {@link WaitPlan.Situation#FAILED}
     * @param message one line: what is being waited for
     * @param build one of the builds that are waited for, for the log's address
     * @param eta how long {@code build} is likely to take from now on
     */
    record NotYet(WaitPlan.Situation situation, String message, Optional<BuildKey> build, Optional<Duration> eta)
            implements PullAnswer {}

    /**
     * What the pull waits for will not come by itself.
     *
     * @param message one line that says why, and for which platform where it is one
     * @param build empty when no build was begun, or its image is there and of no use to this client
     */
    record BuildFailed(String message, Optional<BuildKey> build) implements PullAnswer {}
}
