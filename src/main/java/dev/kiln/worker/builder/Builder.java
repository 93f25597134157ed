package dev.kiln.worker.builder;

import dev.kiln.build.FailureClass;
import dev.kiln.oci.BuildKey;
import dev.kiln.oci.Digest;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.CompletionStage;

/** One way of making an image. */
public interface Builder {
    /**
     * Starts making the image of {@code task}. Returns at once; the work ends, with all its processes, when it is done,
     * when its limits are reached, when it is stopped, or when its lease is not renewed in time.
     *
     * @param log where everything the build prints goes; closed by the caller after the outcome
     * @param lease how long it may run before the first renewal
     * @throws IOException when it cannot be started: an infrastructure failure
     */
    Running start(Task task, OutputStream log, Duration lease) throws IOException;

    /**
     * What is to be made, and where.
     *
     * @param slot the worker's slot, which gives the user id
     * @param directory of the attempt, owned by the slot's user where the server is root: holds {@code checkout},
     *     {@code output}, {@code home} and {@code tmp}, all existing
     * @param sourceDateEpoch the revision's commit time in seconds
     * @param timeout of the attempt
     * @param maxOutput bytes under {@code directory}
     * @param maxLog bytes printed
     */
    record Task(
            BuildKey key,
            int attempt,
            int slot,
            Path directory,
            long sourceDateEpoch,
            Duration timeout,
            long maxOutput,
            long maxLog) {
        public Path checkout() {
            return directory.resolve("checkout");
        }

        public Path output() {
            return directory.resolve("output");
        }

        public Path home() {
            return directory.resolve("home");
        }

        public Path tmp() {
            return directory.resolve("tmp");
        }
    }

    /** A build in the making. Thread-safe. */
    interface Running {
        /** Completes when every process of the build has ended; never exceptionally. */
        CompletionStage<Outcome> outcome();

        /** The lease now ends {@code lease} from now. */
        void renew(Duration lease);

        /** Ends it; the outcome is then {@link Outcome.Stopped}, unless it was already another one. */
        void stop();

        /** Present where the image does not come from the output directory, but is pushed. */
        default Optional<Receiver> receiver() {
            return Optional.empty();
        }
    }

    /** Of a build whose image is pushed: it does not succeed by itself. Thread-safe. */
    interface Receiver {
        /**
         * Whether who has it may push. Takes the same time for every wrong one.
         *
         * @param token the digest of a {@link dev.kiln.build.PushToken}
         */
        boolean admits(Digest token);

        /** No image is waited for any more: the outcome comes as soon as no process runs. */
        void received();
    }

    /** How it ended. */
    sealed interface Outcome {
        /** The output directory holds the image. */
        record Succeeded() implements Outcome {}

        /** @param message one line for the person who pulls, e.g. "the command ended with exit code 2" */
        record Failed(FailureClass failureClass, String message) implements Outcome {}

        /** It was told to stop, or its lease ran out. */
        record Stopped(String reason) implements Outcome {}
    }
}
