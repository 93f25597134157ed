package dev.kiln.blob;

import dev.kiln.oci.BuildKey;
import dev.kiln.oci.Digest;
import dev.kiln.oci.Platform;
import dev.kiln.oci.RepositoryName;
import java.nio.file.Path;

/**
 * Every path of the shared folder, and the only place that knows them. Names come from values that are valid by
 * construction, so that no path leaves the folder; no component exceeds the 255 bytes that file systems allow. Kiln's
 * own folders within a repository begin with {@code _}, which no component of a repository's name does.
 */
final class BlobLayout {
    private final Path root;

    BlobLayout(Path root) {
        this.root = root.toAbsolutePath().normalize();
    }

    Path root() {
        return root;
    }

    /** {@code blobs/sha256/ab/abcd…} */
    Path blob(Digest digest) {
        return spread(root.resolve("blobs"), digest);
    }

    /** {@code repositories/team/app/_manifests/sha256/ab/abcd…}, for a blob's link {@code _blobs}. */
    Path link(RepositoryName repository, Links.Kind kind, Digest digest) {
        String folder = switch (kind) {
            case MANIFEST -> "_manifests";
            case BLOB -> "_blobs";
        };
        return spread(root.resolve("repositories").resolve(repository.value()).resolve(folder), digest);
    }

    /** {@code repositories/team/app/_uploads/<id>} */
    Path upload(RepositoryName repository, String id) {
        return root.resolve("repositories")
                .resolve(repository.value())
                .resolve("_uploads")
                .resolve(id);
    }

    /** {@code logs/team/app/_builds/<revision>/linux~arm64~v8/<attempt>.log} */
    Path log(BuildKey key, int attempt) {
        Platform platform = key.platform();
        return root.resolve("logs")
                .resolve(key.repository().value())
                .resolve("_builds")
                .resolve(key.revision().value())
                .resolve(platform.toString().replace('/', '~'))
                .resolve(attempt + ".log");
    }

    /** Holds one folder for each process that writes. */
    Path staging() {
        return root.resolve("staging");
    }

    private static Path spread(Path folder, Digest digest) {
        return folder.resolve(digest.algorithm())
                .resolve(digest.hex().substring(0, 2))
                .resolve(digest.hex());
    }
}
