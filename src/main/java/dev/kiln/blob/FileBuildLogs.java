package dev.kiln.blob;

import akka.NotUsed;
import akka.stream.Attributes;
import akka.stream.javadsl.Flow;
import akka.stream.javadsl.Source;
import akka.util.ByteString;
import dev.kiln.oci.BuildKey;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;

/**
 * Logs as plain files. Those that are open on this node tell their readers of each write; nothing is polled, and
 * nothing is held in memory for a slow reader. Thread-safe.
 */
final class FileBuildLogs implements BuildLogs {
    private final BlobLayout layout;
    private final DurableNames names;
    private final ConcurrentMap<Path, OpenLog> open = new ConcurrentHashMap<>();

    FileBuildLogs(BlobLayout layout, DurableNames names) {
        this.layout = layout;
        this.names = names;
    }

    @Override
    public OutputStream create(BuildKey key, int attempt) throws IOException {
        Path file = layout.log(key, attempt);
        OpenLog former = open.get(file);
        if (former != null) {
            former.close();
        }
        try {
            names.makeDirectory(file.getParent());
            // Not truncated: who still reads the former one reads it to its end.
            Files.deleteIfExists(file);
            OpenLog log = new OpenLog(file, layout.root(), ended -> open.remove(file, ended));
            open.put(file, log);
            try {
                names.confirm(file);
            } catch (IOException e) {
                log.close();
                throw e;
            }
            return log;
        } catch (IOException e) {
            throw DiskFullException.orOther(e, layout.root());
        }
    }

    @Override
    public boolean exists(BuildKey key, int attempt) {
        return Files.isRegularFile(layout.log(key, attempt));
    }

    /** This node knows of no other. */
    @Override
    public CompletionStage<Boolean> isGrowingElsewhere(BuildKey key, int attempt) {
        return CompletableFuture.completedFuture(false);
    }

    @Override
    public boolean isGrowing(BuildKey key, int attempt) {
        return open.containsKey(layout.log(key, attempt));
    }

    @Override
    public Source<ByteString, NotUsed> read(BuildKey key, int attempt, long offset, boolean follow) {
        Path file = layout.log(key, attempt);
        String name = "the log of attempt " + attempt + " of " + key;
        return Source.fromGraph(new LogTail(
                        file, name, offset, () -> follow ? Optional.ofNullable(open.get(file)) : Optional.empty()))
                .via(Flow.<ByteString>create().map(chunk -> chunk).addAttributes(Attributes.inputBuffer(1, 1)));
    }
}
