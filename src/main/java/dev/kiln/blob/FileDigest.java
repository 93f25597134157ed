package dev.kiln.blob;

import dev.kiln.oci.Digest;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.List;

/** Reads files for their digest. */
final class FileDigest {
    private static final int BUFFER = 128 * 1024;

    private FileDigest() {}

    /** The digest of the files' bytes, one after the other. */
    static Digest of(String algorithm, List<Path> files) throws IOException {
        MessageDigest hash = Digest.newMessageDigest(algorithm);
        byte[] buffer = new byte[BUFFER];
        for (Path file : files) {
            try (InputStream in = Files.newInputStream(file)) {
                for (int n = in.read(buffer); n >= 0; n = in.read(buffer)) {
                    hash.update(buffer, 0, n);
                }
            }
        }
        return Digest.of(algorithm, hash.digest());
    }
}
