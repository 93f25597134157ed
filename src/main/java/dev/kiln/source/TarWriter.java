package dev.kiln.source;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/**
 * Writes a tar (POSIX.1-2001, "pax Interchange Format") whose bytes depend on nothing but what is put in: no names of
 * users, no device numbers, a pax header only for a path or link target that the plain header has no room for. Kiln's own,
 * because archives made by different versions must be the same bytes.
 */
final class TarWriter {
    enum Type {
        FILE('0', 0644),
        EXECUTABLE('0', 0755),
        SYMLINK('2', 0777);

        private final char flag;
        private final int mode;

        Type(char flag, int mode) {
            this.flag = flag;
            this.mode = mode;
        }
    }

    private static final int BLOCK = 512;
    private static final int NAME = 100;
    private static final int PREFIX = 155;
    /** Eleven octal digits. */
    static final long MAX_NUMBER = 0_77777777777L;

    private final OutputStream out;
    private final long mtime;
    private final byte[] buffer = new byte[64 * 1024];

    /** @param mtime of every entry, in seconds since 1970, at most {@link #MAX_NUMBER} */
    TarWriter(OutputStream out, long mtime) {
        this.out = out;
        this.mtime = mtime;
    }

    /** @throws IOException also when {@code content} has not {@code size} bytes */
    void file(byte[] path, boolean executable, long size, InputStream content) throws IOException {
        entry(path, executable ? Type.EXECUTABLE : Type.FILE, new byte[0], size);
        long left = size;
        while (left > 0) {
            int count = content.read(buffer, 0, (int) Math.min(buffer.length, left));
            if (count < 0) {
                throw new IOException("a file is shorter than announced");
            }
            out.write(buffer, 0, count);
            left -= count;
        }
        pad(size);
    }

    void symlink(byte[] path, byte[] target) throws IOException {
        entry(path, Type.SYMLINK, target, 0);
    }

    /** The two empty blocks that end an archive; does not close the stream. */
    void finish() throws IOException {
        out.write(new byte[2 * BLOCK]);
        out.flush();
    }

    private void entry(byte[] path, Type type, byte[] target, long size) throws IOException {
        int split = ascii(path) ? split(path) : -1;
        boolean plainTarget = target.length <= NAME && ascii(target);
        if (split < 0 || !plainTarget) {
            byte[] records = concat(
                    split < 0 ? record("path", path) : new byte[0],
                    plainTarget ? new byte[0] : record("linkpath", target));
            header("pax".getBytes(StandardCharsets.US_ASCII), 0, 'x', 0644, new byte[0], records.length);
            out.write(records);
            pad(records.length);
        }
        byte[] shown = split < 0 ? Arrays.copyOf(path, Math.min(path.length, NAME)) : path;
        header(
                shown,
                Math.max(split, 0),
                type.flag,
                type.mode,
                plainTarget ? target : Arrays.copyOf(target, Math.min(target.length, NAME)),
                size);
    }

    /** Where to divide a path into prefix and name: 0 for no prefix, -1 when neither way it has room. */
    private static int split(byte[] path) {
        if (path.length <= NAME) {
            return 0;
        }
        for (int i = Math.min(PREFIX, path.length - 2); i > 0; i--) {
            if (path[i] == '/') {
                return path.length - i - 1 <= NAME ? i : -1;
            }
        }
        return -1;
    }

    private void header(byte[] path, int split, char flag, int mode, byte[] target, long size) throws IOException {
        byte[] block = new byte[BLOCK];
        int nameStart = split == 0 ? 0 : split + 1;
        System.arraycopy(path, nameStart, block, 0, path.length - nameStart);
        octal(block, 100, 8, mode);
        octal(block, 108, 8, 0);
        octal(block, 116, 8, 0);
        octal(block, 124, 12, size);
        octal(block, 136, 12, mtime);
        Arrays.fill(block, 148, 156, (byte) ' ');
        block[156] = (byte) flag;
        System.arraycopy(target, 0, block, 157, target.length);
        System.arraycopy("ustar\00000".getBytes(StandardCharsets.US_ASCII), 0, block, 257, 8);
        octal(block, 329, 8, 0);
        octal(block, 337, 8, 0);
        System.arraycopy(path, 0, block, 345, split);
        int sum = 0;
        for (byte b : block) {
            sum += b & 0xff;
        }
        octal(block, 148, 7, sum);
        block[155] = ' ';
        out.write(block);
    }

    private static void octal(byte[] block, int offset, int width, long value) {
        String digits = Long.toOctalString(value);
        if (value < 0 || digits.length() > width - 1) {
            throw new IllegalArgumentException("a number has no room in a tar header");
        }
        Arrays.fill(block, offset, offset + width - 1, (byte) '0');
        byte[] bytes = digits.getBytes(StandardCharsets.US_ASCII);
        System.arraycopy(bytes, 0, block, offset + width - 1 - bytes.length, bytes.length);
        block[offset + width - 1] = 0;
    }

    /** {@code "<length> <key>=<value>\n"}, where the length counts its own digits. */
    private static byte[] record(String key, byte[] value) {
        int rest = 1 + key.length() + 1 + value.length + 1;
        int length = rest + String.valueOf(rest).length();
        if (rest + String.valueOf(length).length() != length) {
            length = rest + String.valueOf(length).length();
        }
        byte[] head = (length + " " + key + "=").getBytes(StandardCharsets.US_ASCII);
        return concat(concat(head, value), new byte[] {'\n'});
    }

    private void pad(long size) throws IOException {
        int over = (int) (size % BLOCK);
        if (over > 0) {
            out.write(new byte[BLOCK - over]);
        }
    }

    private static boolean ascii(byte[] bytes) {
        for (byte b : bytes) {
            if (b < 0) {
                return false;
            }
        }
        return true;
    }

    private static byte[] concat(byte[] first, byte[] second) {
        byte[] both = Arrays.copyOf(first, first.length + second.length);
        System.arraycopy(second, 0, both, first.length, second.length);
        return both;
    }
}
