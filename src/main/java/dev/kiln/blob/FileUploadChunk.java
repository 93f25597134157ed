package dev.kiln.blob;

import dev.kiln.oci.Descriptor;
import dev.kiln.oci.Digest;
import dev.kiln.oci.RepositoryName;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;

/** A chunk that is being written to the staging folder. */
final class FileUploadChunk implements UploadChunk {
    private final FileUploads uploads;
    private final RepositoryName repository;
    private final Path session;
    private final long from;
    private final StagedFile file;
    private final Out out;

    FileUploadChunk(FileUploads uploads, RepositoryName repository, Path session, long from, StagedFile file) {
        this.uploads = uploads;
        this.repository = repository;
        this.session = session;
        this.from = from;
        this.file = file;
        out = new Out();
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
            // A file without bytes would stand in the way of the chunk that comes next.
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
            file.force();
            UploadFolders.Chunks before = uploads.folders().chunks(session);
            if (before.size() != from) {
                throw new Uploads.OffsetException(before.size());
            }
            List<Path> all = new ArrayList<>(before.files());
            if (file.size() > 0) {
                all.add(file.path());
            }
            published[0] = uploads.publish(
                    repository, session, new UploadFolders.Chunks(all, from + file.size()), file.hash(), expected);
        });
        return published[0];
    }

    @Override
    public void close() throws IOException {
        file.close();
    }

    /**
     * A chunk may be as large as a disk, and may take longer than a session lives: the disks' limits are looked at again
     * and again, and the session is kept alive.
     */
    private final class Out extends OutputStream {
        private static final long CHECK = 1024 * 1024;
        private static final int PARTS = 4;

        private final Duration keep = uploads.terms().uploadExpiry().dividedBy(PARTS);
        private long checked;
        private Instant kept = uploads.now();

        @Override
        public void write(int b) throws IOException {
            write(new byte[] {(byte) b}, 0, 1);
        }

        @Override
        public void write(byte[] bytes, int offset, int length) throws IOException {
            if (file.size() - checked >= CHECK) {
                uploads.terms().requireSpace();
                checked = file.size();
            }
            Instant now = uploads.now();
            if (kept.plus(keep).isBefore(now)) {
                uploads.folders().touch(session);
                kept = now;
            }
            file.out().write(bytes, offset, length);
        }

        @Override
        public void flush() throws IOException {
            file.out().flush();
        }
    }
}
