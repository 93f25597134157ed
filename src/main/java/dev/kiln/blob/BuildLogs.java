package dev.kiln.blob;

import akka.NotUsed;
import akka.stream.javadsl.Source;
import akka.util.ByteString;
import dev.kiln.oci.BuildKey;
import java.io.IOException;
import java.io.OutputStream;
import java.util.concurrent.CompletionStage;

/**
 * The logs of attempts: what a builder printed, byte for byte. Kept in the content store's folder beside the content, so
 * that every node reads them.
 */
public interface BuildLogs {
    /** Begins the log of an attempt, in place of one with the same number. Blocking. Each write is visible to readers at once. */
    OutputStream create(BuildKey key, int attempt) throws IOException;

    /** Whether the folder shows a log of this attempt. Blocking. */
    boolean exists(BuildKey key, int attempt) throws IOException;

    /** Whether a log of this attempt is being written on another node. Never blocks and never fails. */
    CompletionStage<Boolean> isGrowingElsewhere(BuildKey key, int attempt);

    /** Whether the attempt's log is being written on this node. */
    boolean isGrowing(BuildKey key, int attempt);

    /**
     * The log from {@code offset} on.
     *
     * @param follow whether to go on, while the attempt's log is being written, as it grows; the stream completes when the
     *     log is closed, or for a log that is not being written at its present end
     */
    Source<ByteString, NotUsed> read(BuildKey key, int attempt, long offset, boolean follow);
}
