package dev.kiln.blob;

import akka.stream.ActorAttributes;
import akka.stream.Attributes;
import akka.stream.Outlet;
import akka.stream.SourceShape;
import akka.stream.stage.AbstractOutHandler;
import akka.stream.stage.GraphStage;
import akka.stream.stage.GraphStageLogic;
import akka.util.ByteString;
import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.NoSuchFileException;

/**
 * The bytes of a part of a file, all of them or a failure. Reads one chunk each time it is asked, where Akka's own
 * FileIO reads 16 ahead: with large chunks and many slow clients that would be the heap. The more readers share a
 * {@link ChunkBudget}, the smaller their chunks are, since one that a client does not take stays in memory.
 */
final class FileRange extends GraphStage<SourceShape<ByteString>> {
    private final Outlet<ByteString> out = Outlet.create("FileRange.out");
    private final SourceShape<ByteString> shape = SourceShape.of(out);
    private final Opener opener;
    private final String name;
    private final long offset;
    private final long length;
    private final ChunkBudget budget;

    /** Opens the file when the first byte is asked for. */
    interface Opener {
        FileChannel open() throws IOException;
    }

    /** @param name stands for the file in errors */
    FileRange(Opener opener, String name, long offset, long length, ChunkBudget budget) {
        if (offset < 0 || length < 0) {
            throw new IllegalArgumentException("a range's offset and length are never negative");
        }
        this.opener = opener;
        this.name = name;
        this.offset = offset;
        this.length = length;
        this.budget = budget;
    }

    @Override
    public SourceShape<ByteString> shape() {
        return shape;
    }

    @Override
    public Attributes initialAttributes() {
        return Attributes.name("FileRange").and(ActorAttributes.IODispatcher());
    }

    @Override
    public GraphStageLogic createLogic(Attributes attributes) {
        return new Logic();
    }

    private final class Logic extends GraphStageLogic {
        private FileChannel channel;
        private long position = offset;
        private long remaining = length;

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
            budget.join();
            try {
                channel = opener.open();
            } catch (NoSuchFileException e) {
                failStage(FileBlobStore.absent(name));
                return;
            }
            if (remaining == 0) {
                completeStage();
            }
        }

        private void readOn() throws IOException {
            byte[] chunk = new byte[(int) Math.min(budget.chunk(), remaining)];
            ByteBuffer buffer = ByteBuffer.wrap(chunk);
            while (buffer.hasRemaining()) {
                int n = channel.read(buffer, position);
                if (n < 0) {
                    failStage(new EOFException("could not read " + name + ": it is shorter than was asked for"));
                    return;
                }
                position += n;
                remaining -= n;
            }
            push(out, ByteString.fromArrayUnsafe(chunk));
            if (remaining == 0) {
                completeStage();
            }
        }

        @Override
        public void postStop() throws IOException {
            budget.leave();
            if (channel != null) {
                channel.close();
            }
        }
    }
}
