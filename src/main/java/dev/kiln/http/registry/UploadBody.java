package dev.kiln.http.registry;

import akka.stream.ActorAttributes;
import akka.stream.Attributes;
import akka.stream.Materializer;
import akka.stream.javadsl.Flow;
import akka.stream.javadsl.Sink;
import akka.stream.javadsl.Source;
import akka.util.ByteString;
import dev.kiln.blob.UploadChunk;
import dev.kiln.problem.Problem;
import dev.kiln.problem.ProblemCode;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.concurrent.CompletionStage;

/**
 * The way of a request's body into the store: the disk sets the pace, and what waits for it is one piece of what the socket
 * gave.
 */
final class UploadBody {
    /** The body is longer than the client said it would be. */
    static final class TooLong extends Problem {
        private static final long serialVersionUID = 1L;

        TooLong(long expected) {
            super(
                    ProblemCode.SIZE_INVALID,
                    "the body is longer than the " + expected + " bytes that Content-Range says");
        }
    }

    private final Materializer materializer;
    private final Allowance allowance;

    /** @param allowance of all bodies together */
    UploadBody(Materializer materializer, Allowance allowance) {
        this.materializer = materializer;
        this.allowance = allowance;
    }

    /**
     * Writes a body into a chunk, which it neither commits nor closes. Fails with an {@link UncheckedIOException} when the
     * store does, with {@link TooLong} or the allowance's {@link Problem}, or with Akka's failure when the client breaks off;
     * the chunk then holds all that came before that.
     *
     * @param most how many bytes there may be
     */
    CompletionStage<Long> into(UploadChunk chunk, Source<ByteString, ?> body, long most) {
        return body.via(Flow.<ByteString>create()
                        .map(bytes -> write(chunk, bytes, most))
                        .withAttributes(
                                ActorAttributes.dispatcher(Pushing.DISPATCHER).and(Attributes.inputBuffer(1, 1)))
                        .async())
                .runWith(Sink.fold(0L, Long::sum), materializer);
    }

    private long write(UploadChunk chunk, ByteString bytes, long most) {
        if (bytes.size() > most - chunk.size()) {
            throw new TooLong(most);
        }
        allowance.spend(bytes.size());
        try {
            chunk.out().write(bytes.toArrayUnsafe());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return bytes.size();
    }
}
