package dev.kiln.blob;

import dev.kiln.oci.Descriptor;
import dev.kiln.oci.Digest;
import dev.kiln.oci.RepositoryName;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** A chunk that is being written to the staging folder. */
final class FileUploadChunk implements UploadChunk {
    private static final long CHECK = 1024 * 1024;

    private final FileUploads uploads;
    private final RepositoryName repository;
    private final Path session;
    private final long from;
    private final StagedFile file;
    private final Out out = new Out();

    FileUploadChunk(FileUploads uploads, RepositoryName repository, Path session, long from, StagedFile file) {
        this.uploads = uploads;
        this.repository = repository;
        this.session = session;
        this.from = from;
        this.file = file;
    }

    @Override
    public OutputStream out() {
        return out;
    }

    @Override
    public long size() {
        return file.size();
    }

    @Override
    public long commit() throws IOException {
        file.commit(() -> {
            file.drain();
            // An empty file would stand in the way of the chunk that comes next.
            if (file.size() > 0) {
                uploads.acknowledge(session, from, file);
            }
        });
        return from + file.size();
    }

    @Override
    public Descriptor finish(Digest expected) throws IOException {
        Descriptor[] published = new Descriptor[1];
        file.commit(() -> {
            file.drain();
            FileUploads.Chunks before = uploads.chunks(session);
            if (before.size() != from) {
                throw new Uploads.OffsetException(before.size());
            }
            List<Path> all = new ArrayList<>(before.files());
            all.add(file.path());
            published[0] = uploads.publish(
                    repository, session, new FileUploads.Chunks(all, from + file.size()), file.hash(), expected);
        });
        return published[0];
    }

    @Override
    public void close() throws IOException {
        file.close();
    }

    /** A chunk may be as large as a disk: its limit is looked at again and again. */
    private final class Out extends OutputStream {
        private long checked;

        @Override
        public void write(int b) throws IOException {
            write(new byte[] {(byte) b}, 0, 1);
        }

        @Override
        public void write(byte[] bytes, int offset, int length) throws IOException {
            if (file.size() - checked >= CHECK) {
                uploads.requireSpace();
                checked = file.size();
            }
            file.out().write(bytes, offset, length);
        }

        @Override
        public void flush() throws IOException {
            file.out().flush();
        }
    }
}
