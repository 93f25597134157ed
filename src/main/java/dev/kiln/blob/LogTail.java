package dev.kiln.blob;

import akka.NotUsed;
import akka.stream.ActorAttributes;
import akka.stream.Attributes;
import akka.stream.Outlet;
import akka.stream.SourceShape;
import akka.stream.stage.AbstractOutHandler;
import akka.stream.stage.AsyncCallback;
import akka.stream.stage.GraphStage;
import akka.stream.stage.GraphStageLogic;
import akka.util.ByteString;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Optional;
import java.util.function.Supplier;

/** A log from an offset to its end, which for one that is open is where it is closed. Reads as it is asked. */
final class LogTail extends GraphStage<SourceShape<ByteString>> {
    private static final int CHUNK = 64 * 1024;

    private final Outlet<ByteString> out = Outlet.create("LogTail.out");
    private final SourceShape<ByteString> shape = SourceShape.of(out);
    private final Path file;
    private final String name;
    private final long offset;
    private final Supplier<Optional<OpenLog>> open;

    /**
     * @param name stands for the file in errors
     * @param open the log that is still growing, if it is; asked when the stream starts
     */
    LogTail(Path file, String name, long offset, Supplier<Optional<OpenLog>> open) {
        if (offset < 0) {
            throw new IllegalArgumentException("a log's offset is never negative");
        }
        this.file = file;
        this.name = name;
        this.offset = offset;
        this.open = open;
    }

    @Override
    public SourceShape<ByteString> shape() {
        return shape;
    }

    @Override
    public Attributes initialAttributes() {
        return Attributes.name("LogTail").and(ActorAttributes.IODispatcher());
    }

    @Override
    public GraphStageLogic createLogic(Attributes attributes) {
        return new Logic();
    }

    private final class Logic extends GraphStageLogic implements Runnable {
        private final AsyncCallback<NotUsed> grown = createAsyncCallback(ignored -> readOn());
        private Optional<OpenLog> growing = Optional.empty();
        private FileChannel channel;
        private long position = offset;

        Logic() {
            super(shape);
            setHandler(out, new AbstractOutHandler() {
                @Override
                public void onPull() throws IOException {
                    readOn();
                }
            });
        }

        @Override
        public void preStart() throws IOException {
            growing = open.get();
            try {
                channel = FileChannel.open(file, StandardOpenOption.READ);
            } catch (NoSuchFileException e) {
                failStage(FileBlobStore.absent(name));
            }
        }

        /** Called by the log's writer, on its thread. */
        @Override
        public void run() {
            grown.invoke(NotUsed.getInstance());
        }

        private void readOn() throws IOException {
            while (true) {
                // Asked before the read: what was written before the end is read after it.
                long turn = growing.map(OpenLog::turn).orElse(OpenLog.ENDED);
                ByteBuffer buffer = ByteBuffer.allocate(CHUNK);
                if (channel.read(buffer, position) > 0) {
                    position += buffer.position();
                    push(out, ByteString.fromByteBuffer(buffer.flip()));
                    return;
                }
                if (turn == OpenLog.ENDED) {
                    completeStage();
                    return;
                }
                if (growing.orElseThrow().await(turn, this)) {
                    return;
                }
            }
        }

        @Override
        public void postStop() throws IOException {
            growing.ifPresent(log -> log.leave(this));
            if (channel != null) {
                channel.close();
            }
        }
    }
}
