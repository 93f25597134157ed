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
    private static final String PUSHED = "_pushed";
    private static final String UPLOADS = "_uploads";

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

    /** {@code pushed/sha256/ab/abcd…}: what came from clients, apart from what was built. */
    Path pushedBlob(Digest digest) {
        return spread(root.resolve("pushed"), digest);
    }

    /** Those of a {@link Shard}. */
    Path pushedBlobs(Shard shard) {
        return shard.of(root.resolve("pushed"));
    }

    /** What is about to be deleted: {@code trash/sha256/ab/abcd….<since when>-<number>}. */
    Path trash(Shard shard) {
        return shard.of(root.resolve("trash"));
    }

    /** {@code repositories/team/app/_manifests/sha256/ab/abcd…}, for a blob's link {@code _blobs}. */
    Path link(RepositoryName repository, Links.Kind kind, Digest digest) {
        String folder = switch (kind) {
            case MANIFEST -> "_manifests";
            case BLOB -> "_blobs";
        };
        return spread(repository(repository).resolve(folder), digest);
    }

    /** {@code repositories/team/app/_pushed/manifests/sha256/ab/abcd…}, for a blob's link {@code blobs}. */
    Path pushedLink(RepositoryName repository, Links.Kind kind, Digest digest) {
        return spread(pushedLinks(repository, kind), digest);
    }

    Path pushedLinks(RepositoryName repository, Links.Kind kind) {
        String folder = switch (kind) {
            case MANIFEST -> "manifests";
            case BLOB -> "blobs";
        };
        return repository(repository).resolve(PUSHED).resolve(folder);
    }

    /** {@code repositories/team/app/_uploads/<id>} */
    Path upload(RepositoryName repository, String id) {
        return uploads(repository).resolve(id);
    }

    Path uploads(RepositoryName repository) {
        return repository(repository).resolve(UPLOADS);
    }

    /** Holds a folder for each component of a repository's name, and in it those of the longer names. */
    Path repositories() {
        return root.resolve("repositories");
    }

    /** Whether a folder within a repository's holds what clients push. */
    static boolean holdsPushes(Path folder) {
        String name = folder.getFileName().toString();
        return name.equals(PUSHED) || name.equals(UPLOADS);
    }

    private Path repository(RepositoryName repository) {
        return repositories().resolve(repository.value());
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
        return Shard.of(digest).of(folder).resolve(digest.hex());
    }
}
