package dev.kiln.blob;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.UUID;

/** Tells one store from another, so that nodes find out whether they have the same. */
public final class StoreId {
    private static final String FILE = "id";

    private StoreId() {}

    /** The id of the store in a folder that is there, given to it at the first call on any node. Blocking. */
    public static String of(Path store) throws IOException {
        Path file = store.resolve(FILE);
        if (!Files.exists(file)) {
            create(file);
        }
        return Files.readString(file).strip();
    }

    /** Complete when it appears, and only the first of several stays. */
    private static void create(Path file) throws IOException {
        Path whole = file.resolveSibling(FILE + "-" + UUID.randomUUID());
        try {
            Files.writeString(whole, UUID.randomUUID() + "\n", StandardCharsets.UTF_8, StandardOpenOption.CREATE_NEW);
            try (FileChannel channel = FileChannel.open(whole, StandardOpenOption.WRITE)) {
                channel.force(true);
            }
            Files.createLink(file, whole);
        } catch (FileAlreadyExistsException e) {
            // another node was first
        } finally {
            Files.deleteIfExists(whole);
        }
    }
}
