package dev.kiln.blob;

import dev.kiln.oci.Digest;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/** A blob that is being written to the staging folder. sha256 is computed on the way, sha512 by reading once more. */
final class FileStagedBlob implements StagedBlob {
    private static final String SHA256 = "sha256";

    private final StagedFile file;
    private final BlobLayout layout;
    private final DurableNames names;

    FileStagedBlob(Path file, BlobLayout layout, DurableNames names) throws IOException {
        this.file = new StagedFile(file, layout.root(), Optional.of(Digest.newMessageDigest(SHA256)));
        this.layout = layout;
        this.names = names;
    }

    @Override
    public OutputStream out() {
        return file.out();
    }

    @Override
    public long size() {
        return file.size();
    }

    @Override
    public void commit(Digest expected) throws IOException {
        file.commit(() -> {
            file.drain();
            Digest actual = expected.algorithm().equals(SHA256) ? sha256() : reread(expected);
            if (!actual.equals(expected)) {
                throw new DigestMismatchException(expected, actual);
            }
            publish(expected);
        });
    }

    @Override
    public Digest commit() throws IOException {
        Digest[] digest = new Digest[1];
        file.commit(() -> {
            file.drain();
            digest[0] = sha256();
            publish(digest[0]);
        });
        return digest[0];
    }

    @Override
    public void close() throws IOException {
        file.close();
    }

    private Digest sha256() {
        return Digest.of(SHA256, file.hash().orElseThrow().digest());
    }

    private Digest reread(Digest expected) throws IOException {
        return FileDigest.of(expected.algorithm(), List.of(file.path()));
    }

    private void publish(Digest digest) throws IOException {
        Path name = layout.blob(digest);
        if (Files.isRegularFile(name) && Files.size(name) == file.size()) {
            names.confirm(name);
        } else {
            file.force();
            names.publish(file.path(), name);
        }
    }
}
