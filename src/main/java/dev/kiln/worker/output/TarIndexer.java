package dev.kiln.worker.output;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.HashMap;
import java.util.Map;
import org.apache.commons.compress.archivers.tar.TarArchiveEntry;
import org.apache.commons.compress.archivers.tar.TarConstants;
import org.apache.commons.compress.archivers.tar.TarUtils;
import org.apache.commons.compress.archivers.zip.ZipEncoding;
import org.apache.commons.compress.archivers.zip.ZipEncodingHelper;

/**
 * One pass over a hostile archive's headers. commons-compress parses each header; the walk is our own because the
 * library's readers keep every entry (TarFile) or long name (TarArchiveInputStream) in memory, however large.
 */
final class TarIndexer {
    private static final int BLOCK = TarConstants.DEFAULT_RCDSIZE;
    private static final int MAX_ENTRIES = 20_000;
    private static final int MAX_NAME = 1024;
    private static final int MAX_EXTENSION = 1024 * 1024;
    private static final ZipEncoding UTF_8 = ZipEncodingHelper.getZipEncoding("UTF-8");

    private final FileChannel archive;
    private final long end;

    TarIndexer(FileChannel archive) throws IOException {
        this.archive = archive;
        this.end = archive.size();
    }

    /** Hands over each file and link with its name, in order; leaves out directories. */
    void forEach(Visitor visitor) throws IOException, OutputRejectedException {
        Map<String, String> extended = new HashMap<>();
        long position = 0;
        for (int entries = 0; position < end; entries++) {
            if (entries == MAX_ENTRIES) {
                throw new OutputRejectedException("the archive has more than " + MAX_ENTRIES + " entries");
            }
            byte[] block = read(position, BLOCK);
            if (isZero(block)) {
                return;
            }
            TarArchiveEntry header = header(block, position);
            long data = position + BLOCK;
            if (isExtension(header)) {
                extend(extended, header, read(data, extensionSize(header)));
                position = next(data, header.getSize());
                continue;
            }
            String written = extended.getOrDefault("path", header.getName());
            String name = inside(written);
            long size = 0;
            switch (header.getLinkFlag()) {
                case TarConstants.LF_NORMAL, TarConstants.LF_OLDNORM, TarConstants.LF_CONTIG -> {
                    size = size(extended, header);
                    if (!written.endsWith("/")) { // an old way to write a directory
                        visitor.visit(name, new TarEntry.Data(data, size));
                    }
                }
                case TarConstants.LF_SYMLINK ->
                    visitor.visit(name, new TarEntry.Link(resolve(parent(name), target(extended, header), name)));
                case TarConstants.LF_LINK ->
                    visitor.visit(name, new TarEntry.Link(resolve("", target(extended, header), name)));
                case TarConstants.LF_DIR -> {}
                default ->
                    throw new OutputRejectedException(
                            "the archive holds " + name + ", which is neither a file nor a link");
            }
            position = next(data, size);
            extended.clear();
        }
    }

    interface Visitor {
        void visit(String name, TarEntry entry) throws OutputRejectedException;
    }

    private TarArchiveEntry header(byte[] block, long position) throws IOException, OutputRejectedException {
        if (position == 0 && (block[0] & 0xff) == 0x1f && (block[1] & 0xff) == 0x8b) {
            throw new OutputRejectedException("the archive is compressed; leave a plain .tar");
        }
        TarArchiveEntry header;
        try {
            if (!TarUtils.verifyCheckSum(block)) {
                throw new OutputRejectedException("the archive is damaged: not a tar header at byte " + position);
            }
            header = new TarArchiveEntry(block, UTF_8, false);
        } catch (IllegalArgumentException | IOException e) {
            throw new OutputRejectedException("the archive is damaged: a malformed tar header at byte " + position, e);
        }
        if (header.isGNUSparse()) {
            throw new OutputRejectedException("the archive holds sparse files; leave it without them");
        }
        return header;
    }

    private static boolean isExtension(TarArchiveEntry header) {
        return header.isPaxHeader()
                || header.isGlobalPaxHeader()
                || header.isGNULongNameEntry()
                || header.isGNULongLinkEntry();
    }

    private static int extensionSize(TarArchiveEntry header) throws OutputRejectedException {
        if (header.getSize() > MAX_EXTENSION) {
            throw new OutputRejectedException("the archive has an extended header of more than 1 MiB");
        }
        return (int) header.getSize();
    }

    private static void extend(Map<String, String> extended, TarArchiveEntry header, byte[] data)
            throws OutputRejectedException {
        if (header.isGNULongNameEntry() || header.isGNULongLinkEntry()) {
            int length = 0;
            while (length < data.length && data[length] != 0) {
                length++;
            }
            extended.put(
                    header.isGNULongNameEntry() ? "path" : "linkpath",
                    new String(data, 0, length, StandardCharsets.UTF_8));
        } else if (header.isPaxHeader()) {
            pax(extended, data);
        }
    }

    /** Records of the form {@code "<length> <key>=<value>\n"}, where the length counts the whole record. */
    private static void pax(Map<String, String> extended, byte[] data) throws OutputRejectedException {
        int at = 0;
        while (at < data.length) {
            int length = 0;
            int digits = at;
            while (digits < data.length && data[digits] >= '0' && data[digits] <= '9' && length <= MAX_EXTENSION) {
                length = length * 10 + data[digits++] - '0';
            }
            int last = at + length - 1;
            if (digits == at || digits >= last || last >= data.length || data[digits] != ' ' || data[last] != '\n') {
                throw new OutputRejectedException("the archive is damaged: a malformed extended header");
            }
            String record = new String(data, digits + 1, last - digits - 1, StandardCharsets.UTF_8);
            int equals = record.indexOf('=');
            String key = equals < 0 ? "" : record.substring(0, equals);
            if (key.startsWith("GNU.sparse.")) {
                throw new OutputRejectedException("the archive holds sparse files; leave it without them");
            }
            if (key.equals("path") || key.equals("linkpath") || key.equals("size")) {
                extended.put(key, record.substring(equals + 1));
            }
            at = last + 1;
        }
    }

    private static String target(Map<String, String> extended, TarArchiveEntry header) {
        return extended.getOrDefault("linkpath", header.getLinkName());
    }

    private static long size(Map<String, String> extended, TarArchiveEntry header) throws OutputRejectedException {
        try {
            String size = extended.get("size");
            return size == null ? header.getSize() : Long.parseLong(size);
        } catch (NumberFormatException e) {
            throw new OutputRejectedException("the archive is damaged: a malformed size", e);
        }
    }

    /** Where the header after {@code size} bytes of data is. */
    private long next(long data, long size) throws OutputRejectedException {
        if (size < 0 || size > end - data) {
            throw new OutputRejectedException("the archive is truncated, or an entry's size is wrong");
        }
        return data + (size + BLOCK - 1) / BLOCK * BLOCK;
    }

    private byte[] read(long position, int length) throws IOException, OutputRejectedException {
        ByteBuffer buffer = ByteBuffer.allocate(length);
        while (buffer.hasRemaining()) {
            if (archive.read(buffer, position + buffer.position()) < 0) {
                throw new OutputRejectedException("the archive is truncated");
            }
        }
        return buffer.array();
    }

    /** An entry's name without {@code ./}, which stays inside the archive. */
    private static String inside(String name) throws OutputRejectedException {
        for (String component : name.split("/", -1)) {
            if (component.equals("..")) {
                throw new OutputRejectedException("the archive holds an entry outside of itself: " + name);
            }
        }
        return resolve("", name, name);
    }

    /** {@code target} as seen from the directory {@code from}; never above the archive's root. */
    private static String resolve(String from, String target, String name) throws OutputRejectedException {
        if (target.isEmpty() || target.startsWith("/") || target.length() > MAX_NAME || target.indexOf('\0') >= 0) {
            throw new OutputRejectedException("the archive holds an absolute, empty or overlong name: " + name);
        }
        Deque<String> path = new ArrayDeque<>();
        String whole = from.isEmpty() ? target : from + "/" + target;
        for (String component : whole.split("/", -1)) {
            if (component.equals("..")) {
                if (path.pollLast() == null) {
                    throw new OutputRejectedException("the archive holds a link outside of itself: " + name);
                }
            } else if (!component.isEmpty() && !component.equals(".")) {
                path.addLast(component);
            }
        }
        return String.join("/", path);
    }

    private static String parent(String name) {
        int slash = name.lastIndexOf('/');
        return slash < 0 ? "" : name.substring(0, slash);
    }

    private static boolean isZero(byte[] block) {
        for (byte b : block) {
            if (b != 0) {
                return false;
            }
        }
        return true;
    }
}
