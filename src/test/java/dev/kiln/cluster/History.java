package dev.kiln.cluster;

import dev.kiln.build.BuildEvent;
import dev.kiln.build.QueueEvent;
import dev.kiln.image.TagEvent;
import dev.kiln.oci.BuildKey;
import dev.kiln.oci.Digest;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * All that was seen of a cluster while things happened to it, and what it looked like afterwards. Plain data, so that a
 * test can plant a fault in it.
 *
 * @param pulls each client's whole pull
 * @param indexes what the indexes that were ever answered list
 * @param afterwards what each digest that was ever answered gave when all was over: empty for its own bytes, else what was
 *     wrong
 * @param runs build processes, as they themselves wrote it down
 * @param longestOverlap how long an attempt may run on beside another one when nobody heard that it had begun
 * @param reported builds by id, as the cluster told them when all was over: phase and manifest
 * @param composed the indexes of each revision's tag, oldest first, as the cluster told them when all was over
 * @param queued what the cluster said still waits
 */
record History(
        List<Pull> pulls,
        Map<Digest, List<Digest>> indexes,
        Map<Digest, Optional<String>> afterwards,
        List<Run> runs,
        Duration longestOverlap,
        Map<String, List<BuildEvent>> builds,
        Map<String, List<TagEvent>> tags,
        List<QueueEvent> queue,
        Map<String, Report> reported,
        Map<String, List<Digest>> composed,
        List<String> queued) {

    /** @param failure why the client ended without its image, all of it; empty when it has it */
    record Pull(String what, Optional<String> failure) {}

    /** One attempt's processes were alive at least from {@code first} to {@code last}. */
    record Run(BuildKey build, String attempt, Instant first, Instant last) {}

    /** @param phase in small letters */
    record Report(String phase, Optional<Digest> manifest) {}
}
