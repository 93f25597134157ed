package dev.kiln.worker;

import dev.kiln.blob.BuildLogs;
import dev.kiln.blob.ContentStore;
import dev.kiln.blob.DiskFullException;
import dev.kiln.blob.FreeSpace;
import dev.kiln.blob.LowOnSpaceException;
import dev.kiln.build.BuildQueue;
import dev.kiln.build.BuildState.Result;
import dev.kiln.build.FailureClass;
import dev.kiln.config.KilnConfig;
import dev.kiln.config.RepositoryConfig;
import dev.kiln.oci.BuildKey;
import dev.kiln.oci.Descriptor;
import dev.kiln.source.Checkout;
import dev.kiln.source.SourceArchive;
import dev.kiln.source.SourceException;
import dev.kiln.worker.builder.AttemptDirectory;
import dev.kiln.worker.builder.Builder;
import dev.kiln.worker.output.ImageOutput;
import dev.kiln.worker.output.OutputRejectedException;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.Executor;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The blocking work of one attempt: checkout and builder, the image's way into the store, and tidying up. */
public final class AttemptWork implements Attempt.Work {
    private static final Logger LOG = LoggerFactory.getLogger(AttemptWork.class);

    /**
     * What all attempts on this node share.
     *
     * @param disks on which nothing is begun below their limits
     */
    public record Shop(
            KilnConfig config,
            ContentStore store,
            List<FreeSpace> disks,
            BuildLogs logs,
            Map<String, Builder> builders,
            Executor executor) {}

    private final Shop shop;
    private final BuildKey key;

    // Written by one stage and read by the next; the stages' futures order them.
    private volatile Path directory;
    private volatile OutputStream log = OutputStream.nullOutputStream();
    private volatile long maxOutput;

    public AttemptWork(Shop shop, BuildKey key) {
        this.shop = shop;
        this.key = key;
    }

    @Override
    public CompletionStage<Started> start(
            BuildQueue.Granted lease, int attempt, int slot, Supplier<Duration> leaseLeft) {
        return CompletableFuture.supplyAsync(() -> begin(lease, attempt, slot, leaseLeft), shop.executor());
    }

    private Started begin(BuildQueue.Granted lease, int attempt, int slot, Supplier<Duration> leaseLeft) {
        Optional<RepositoryConfig> repository = shop.config().repository(key.repository());
        Builder builder = shop.builders().get(lease.request().input().builder());
        if (repository.isEmpty() || builder == null) {
            return failed(FailureClass.SOURCE, "its repository or builder is not configured any more");
        }
        RepositoryConfig.Build limits = repository.get().build();
        maxOutput = limits.maxOutput();
        try {
            Optional<String> full = lowOnSpace();
            if (full.isPresent()) {
                return failed(FailureClass.INFRASTRUCTURE, full.get());
            }
            log = shop.logs().create(key, attempt);
            directory = AttemptDirectory.create(shop.config().workDir(), slot);
            SourceArchive archive = lease.request().input().archive();
            Builder.Task task = new Builder.Task(
                    key,
                    attempt,
                    slot,
                    directory,
                    archive.commitTime(),
                    limits.timeout(),
                    limits.maxOutput(),
                    limits.maxLog());
            try (InputStream source = shop.store().blobs().open(archive.digest())) {
                Checkout.extract(
                        source, task.checkout(), archive.commitTime(), limits.maxOutput(), OptionalInt.empty());
            }
            Duration left = leaseLeft.get();
            if (left.isZero()) {
                String reason = "its lease ended before its builder was started";
                return new Started(Optional.empty(), Optional.of(new Result.HandedBack(reason)));
            }
            return new Started(Optional.of(builder.start(task, log, left)), Optional.empty());
        } catch (SourceException e) {
            return failed(FailureClass.SOURCE, e.getMessage());
        } catch (IOException e) {
            return failed(FailureClass.INFRASTRUCTURE, describe("start the build", e));
        }
    }

    private Started failed(FailureClass failureClass, String message) {
        print("kiln: " + message + "\n");
        return new Started(Optional.empty(), Optional.of(new Result.Failed(failureClass, message)));
    }

    private Optional<String> lowOnSpace() throws IOException {
        for (FreeSpace disk : shop.disks()) {
            Optional<String> shortage = disk.shortage();
            if (shortage.isPresent()) {
                return shortage;
            }
        }
        return Optional.empty();
    }

    @Override
    public CompletionStage<Result> finish(Builder.Outcome outcome) {
        return CompletableFuture.supplyAsync(() -> result(outcome), shop.executor());
    }

    private Result result(Builder.Outcome outcome) {
        if (outcome instanceof Builder.Outcome.Failed failed) {
            return logged(new Result.Failed(failed.failureClass(), failed.message()));
        }
        if (outcome instanceof Builder.Outcome.Stopped stopped) {
            return new Result.HandedBack(stopped.reason());
        }
        return logged(takeIn(output -> output.take(directory.resolve("output"), key)));
    }

    private Result logged(Result result) {
        if (result instanceof Result.Failed failed) {
            print("kiln: " + failed.message() + "\n");
        }
        return result;
    }

    @Override
    public CompletionStage<Result> take(Descriptor manifest) {
        return CompletableFuture.supplyAsync(
                () -> logged(takeIn(output -> output.takeStored(manifest, key))), shop.executor());
    }

    private interface Taking {
        Descriptor from(ImageOutput output) throws IOException, OutputRejectedException;
    }

    private Result takeIn(Taking taking) {
        try {
            return new Result.Succeeded(taking.from(new ImageOutput(shop.store(), maxOutput)));
        } catch (OutputRejectedException e) {
            return new Result.Failed(FailureClass.SOURCE, e.getMessage());
        } catch (IOException e) {
            return new Result.Failed(FailureClass.INFRASTRUCTURE, describe("take the image in", e));
        }
    }

    /** The person who pulls is told what was attempted, never a path of this machine; the node's own log has the rest. */
    private String describe(String action, IOException failure) {
        if (failure instanceof LowOnSpaceException) {
            return "could not " + action + ": " + failure.getMessage();
        }
        LOG.error("could not {} of {}", action, key, failure);
        boolean full = failure instanceof DiskFullException
                || String.valueOf(failure.getMessage()).contains("No space left");
        String kind = full ? "the disk is full" : failure.getClass().getSimpleName() + ", see the node's log";
        return "could not " + action + ": " + kind;
    }

    private void print(String line) {
        try {
            log.write(line.getBytes(StandardCharsets.UTF_8));
        } catch (IOException e) {
            LOG.warn("could not write to the log of {}", key, e);
        }
    }

    @Override
    public CompletionStage<?> clear() {
        return CompletableFuture.runAsync(this::tidy, shop.executor());
    }

    private void tidy() {
        try {
            log.close();
        } catch (IOException e) {
            LOG.warn("could not close the log of {}", key, e);
        }
        try {
            if (directory != null) {
                AttemptDirectory.delete(directory);
            }
        } catch (IOException e) {
            // The slot's next attempt, or the next start of this node, tries again.
            LOG.warn("could not remove what an attempt of {} left", key, e);
        }
    }
}
