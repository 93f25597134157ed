package dev.kiln.blob;

import dev.kiln.oci.Digest;
import java.io.IOException;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** Lists folders. A folder that is not there is empty; one that cannot be read is an error, and never taken for empty. */
final class SharedNames {
    private SharedNames() {}

    static List<Path> list(Path folder) throws IOException {
        try {
            return listExisting(folder);
        } catch (NoSuchFileException e) {
            return List.of();
        }
    }

    /** @throws NoSuchFileException when the folder is not there */
    static List<Path> listExisting(Path folder) throws IOException {
        List<Path> all = new ArrayList<>();
        try (DirectoryStream<Path> files = Files.newDirectoryStream(folder)) {
            files.forEach(all::add);
        } catch (DirectoryIteratorException e) {
            throw e.getCause();
        }
        return all;
    }

    /** Those of a shard that a folder holds. */
    static List<Digest> digests(Shard shard, Path folder) throws IOException {
        List<Digest> all = new ArrayList<>();
        for (Path file : list(folder)) {
            Digest.parse(shard.algorithm() + ":" + file.getFileName()).ifPresent(all::add);
        }
        return all;
    }
}
