package dev.kiln.blob;

import dev.kiln.blob.UploadFolders.Chunks;
import dev.kiln.blob.Uploads.NoSuchUploadException;
import dev.kiln.blob.Uploads.OffsetException;
import dev.kiln.oci.Descriptor;
import dev.kiln.oci.Digest;
import dev.kiln.oci.RepositoryName;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.security.MessageDigest;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** A chunk that is being written to the staging folder. */
final class FileUploadChunk implements UploadChunk {
    private final FileUploads uploads;
    private final RepositoryName repository;
    private final Path session;
    private final long from;
    private final StagedFile file;
    private final boolean atEnd;

    private final FileTime begun;

    private final Out out;
    private boolean flushed;

    /**
     * A chunk without bytes yet.
     *
     * @param begun by the clock of the file system, as the times of other chunks are
     * @param atEnd whether it follows on what was acknowledged before it began, though that shows later
     */
    FileUploadChunk(
            FileUploads uploads,
            RepositoryName repository,
            Path session,
            long from,
            StagedFile file,
            FileTime begun,
            boolean atEnd) {
        this.uploads = uploads;
        this.repository = repository;
        this.session = session;
        this.from = from;
        this.file = file;
        this.begun = begun;
        this.atEnd = atEnd;
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
        flush();
        long tried = -1;
        while (true) {
            Chunks before = before();
            if (before.size() > from) {
                requireOlder(before);
            }
            // A file without bytes would stand in the way of the chunk that comes next.
            if (file.size() == 0) {
                return before.size();
            }
            try {
                uploads.acknowledge(session, before.size(), file, hash(before));
                return before.size() + file.size();
            } catch (OffsetException e) {
                // What stands in the way may have been there before these bytes, and show only now.
                if (!atEnd || e.isLate() || before.size() <= tried) {
                    throw e;
                }
                tried = before.size();
            }
        }
    }

    /** Two writers at once, or one that repeats itself: the other bytes were acknowledged while these came. */
    private void requireOlder(Chunks before) throws IOException {
        try {
            for (Path chunk : before.files()) {
                // The time of its name in the session: its bytes may be older by as long as they took to be flushed.
                FileTime acknowledged = (FileTime) Files.getAttribute(chunk, "unix:ctime");
                if (acknowledged.compareTo(begun) > 0) {
                    throw new OffsetException(before.size(), false);
                }
            }
        } catch (NoSuchFileException e) {
            throw new NoSuchUploadException();
        }
    }

    @Override
    public Descriptor finish(Digest expected) throws IOException {
        flush();
        Chunks before = before();
        List<Path> all = new ArrayList<>(before.files());
        if (file.size() > 0) {
            all.add(file.path());
        }
        return uploads.publish(
                repository, session, new Chunks(all, before.size() + file.size()), hash(before), expected);
    }

    private void flush() throws IOException {
        if (!flushed) {
            file.commit(() -> {
                file.drain();
                file.force();
            });
            flushed = true;
        }
    }

    private Chunks before() throws IOException {
        Chunks before = uploads.folders().chunks(session);
        if (before.size() != from && !(atEnd && before.size() > from)) {
            throw new OffsetException(before.size(), before.size() < from);
        }
        return before;
    }

    /** The bytes were hashed as those that follow on what was seen when they came. */
    private Optional<MessageDigest> hash(Chunks before) {
        return before.size() == from ? file.hash() : Optional.empty();
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
