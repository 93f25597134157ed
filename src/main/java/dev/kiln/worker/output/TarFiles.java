package dev.kiln.worker.output;

import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/**
 * The files of a tar archive, read in place: nothing is extracted. Links are resolved within the archive's own names,
 * never on a file system.
 */
final class TarFiles implements ImageFiles {
    private static final int MAX_HOPS = 8;

    private final FileChannel channel;
    private final Map<String, TarEntry> entries;

    private TarFiles(FileChannel channel, Map<String, TarEntry> entries) {
        this.channel = channel;
        this.entries = entries;
    }

    /** Reads all headers of the archive once. Closes the channel when it fails, else when it is closed. */
    static TarFiles open(FileChannel channel) throws IOException, OutputRejectedException {
        boolean opened = false;
        try {
            Map<String, TarEntry> entries = new HashMap<>();
            new TarIndexer(channel).forEach((name, entry) -> {
                if (entries.putIfAbsent(name, entry) != null) {
                    throw new OutputRejectedException("the archive holds " + name + " twice");
                }
            });
            opened = true;
            return new TarFiles(channel, entries);
        } finally {
            if (!opened) {
                channel.close();
            }
        }
    }

    @Override
    public boolean has(String name) {
        return entries.containsKey(name);
    }

    @Override
    public long size(String name) throws OutputRejectedException {
        return resolve(name).size();
    }

    @Override
    public InputStream open(String name) throws OutputRejectedException {
        return new Slice(resolve(name));
    }

    @Override
    public List<String> names() {
        return entries.keySet().stream().sorted().limit(20).toList();
    }

    @Override
    public void close() throws IOException {
        channel.close();
    }

    private TarEntry.Data resolve(String name) throws OutputRejectedException {
        String at = name;
        for (int hop = 0; hop < MAX_HOPS; hop++) {
            TarEntry entry = entries.get(at);
            if (entry instanceof TarEntry.Data data) {
                return data;
            }
            if (entry == null) {
                throw new OutputRejectedException("the archive lacks " + name);
            }
            at = ((TarEntry.Link) entry).target();
        }
        throw new OutputRejectedException("the archive's link " + name + " leads nowhere");
    }

    /** Reads by position, so that several may be open. Tells what is available: gzip of several members needs that. */
    private final class Slice extends InputStream {
        private long position;
        private final long end;

        Slice(TarEntry.Data data) {
            position = data.offset();
            end = data.offset() + data.size();
        }

        @Override
        public int available() {
            return (int) Math.min(Integer.MAX_VALUE, end - position);
        }

        @Override
        public int read() throws IOException {
            byte[] one = new byte[1];
            return read(one, 0, 1) < 0 ? -1 : one[0] & 0xff;
        }

        @Override
        public int read(byte[] bytes, int offset, int length) throws IOException {
            Objects.checkFromIndexSize(offset, length, bytes.length);
            if (length == 0) {
                return 0;
            }
            int wanted = (int) Math.min(length, end - position);
            if (wanted == 0) {
                return -1;
            }
            int n = channel.read(ByteBuffer.wrap(bytes, offset, wanted), position);
            position += Math.max(n, 0);
            return n;
        }
    }
}
