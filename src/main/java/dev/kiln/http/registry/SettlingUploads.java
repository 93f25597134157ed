package dev.kiln.http.registry;

import dev.kiln.blob.StagedBlob.DigestMismatchException;
import dev.kiln.blob.Uploads;
import dev.kiln.blob.Uploads.OffsetException;
import dev.kiln.http.registry.RegistryPath.Upload;
import dev.kiln.problem.Problem;
import dev.kiln.problem.ProblemCode;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.TimeUnit;

/**
 * Work on uploads of which other nodes have written some: what that was may show late on a folder that nodes share, and work
 * that fails for it is tried again, for as long as {@link Pushing#settle} says. All of it runs on {@link Pushing#blocking}.
 * Answers fail with what {@link UploadFailures} reads.
 */
final class SettlingUploads {
    private static final Duration RECHECK = Duration.ofMillis(200);

    private final Pushing pushing;

    SettlingUploads(Pushing pushing) {
        this.pushing = pushing;
    }

    interface Work<A> {
        A run() throws IOException;
    }

    /**
     * A client that names an upload which does not show here, or goes on further with it than shows, may have been told so by
     * another node: work that fails for that is tried again. Who makes an id up waits as long, and so asks less of the store
     * than who is answered at once and asks again.
     */
    <A> CompletionStage<A> shown(Work<A> work) {
        return shown(work, deadline());
    }

    private <A> CompletionStage<A> shown(Work<A> work, long deadline) {
        boolean last = isOver(deadline);
        return once(work)
                .exceptionallyCompose(failure -> !last && isBehind(UploadFailures.cause(failure))
                        ? pause().thenCompose(waited -> shown(work, deadline))
                        : CompletableFuture.failedFuture(failure));
    }

    private static boolean isBehind(Throwable failure) {
        return failure instanceof OffsetException wrong
                ? wrong.isLate()
                : failure instanceof Problem problem && problem.code() == ProblemCode.BLOB_UPLOAD_UNKNOWN;
    }

    /** How far it is. */
    CompletionStage<Long> offset(Upload upload) {
        return shown(() -> look(upload));
    }

    private long look(Upload upload) throws IOException {
        return uploads().offset(upload.name(), upload.id()).orElseThrow(UploadFailures::unknown);
    }

    /**
     * Bytes that another node took may show late: a digest or a place is wrong when nothing has been added for a while. What
     * is tried again hashes all of them, so that no try begins after the deadline but one, for what shows by then.
     */
    <A> CompletionStage<A> ending(Upload upload, long seen, Work<A> work) {
        return ending(upload, seen, work, deadline());
    }

    private <A> CompletionStage<A> ending(Upload upload, long seen, Work<A> work, long deadline) {
        boolean last = isOver(deadline);
        return ended(work)
                .exceptionallyCompose(failure -> !last && isPerhapsLate(UploadFailures.cause(failure))
                        ? more(upload, seen, deadline)
                                .thenCompose(offset -> offset > seen
                                        ? ending(upload, offset, work, deadline)
                                        : CompletableFuture.failedFuture(failure))
                        : CompletableFuture.failedFuture(failure));
    }

    private static boolean isPerhapsLate(Throwable failure) {
        return failure instanceof DigestMismatchException
                || (failure instanceof OffsetException wrong && wrong.isLate());
    }

    /** The offset as soon as it is more than was seen, or else at the deadline. */
    private CompletionStage<Long> more(Upload upload, long seen, long deadline) {
        return pause().thenCompose(waited -> once(() -> look(upload)))
                .thenCompose(offset -> offset > seen || isOver(deadline)
                        ? CompletableFuture.completedFuture(offset)
                        : more(upload, seen, deadline));
    }

    /** Until when something is waited for that may show late, by {@link System#nanoTime}. */
    private long deadline() {
        return System.nanoTime() + pushing.settle().toNanos();
    }

    private static boolean isOver(long deadline) {
        return System.nanoTime() - deadline >= 0;
    }

    private static CompletionStage<Void> pause() {
        return CompletableFuture.runAsync(
                () -> {}, CompletableFuture.delayedExecutor(RECHECK.toMillis(), TimeUnit.MILLISECONDS));
    }

    /** The end of an upload or a chunk, tried once; it fails as that does. */
    <A> CompletionStage<A> ended(Work<A> work) {
        return CompletableFuture.supplyAsync(
                () -> {
                    try {
                        return work.run();
                    } catch (IOException e) {
                        throw new UncheckedIOException(e);
                    }
                },
                pushing.blocking());
    }

    /** Work that is tried once; it fails with a {@link Problem}, or with the {@link OffsetException} that it failed with. */
    <A> CompletionStage<A> once(Work<A> work) {
        return ended(work)
                .exceptionallyCompose(failure -> CompletableFuture.failedFuture(
                        UploadFailures.cause(failure) instanceof OffsetException wrong
                                ? new UncheckedIOException(wrong)
                                : UploadFailures.problem(failure)));
    }

    private Uploads uploads() {
        return pushing.content().uploads();
    }
}
