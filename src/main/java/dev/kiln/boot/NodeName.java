package dev.kiln.boot;

import dev.kiln.journal.CannotStart;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.util.HexFormat;
import java.util.regex.Pattern;

/** A node's name: made at its first start and the same ever after, so that its worker is known again. */
final class NodeName {
    private static final Pattern VALID = Pattern.compile("node-[0-9a-f]{8}");

    private NodeName() {}

    /** Reads {@code data-dir/node-name}, or makes it. The caller holds the lock on {@code dataDir}. */
    static String of(Path dataDir) {
        Path file = dataDir.resolve("node-name");
        try {
            if (Files.exists(file)) {
                String name = Files.readString(file).strip();
                if (VALID.matcher(name).matches()) {
                    return name;
                }
            }
            byte[] random = new byte[4];
            new SecureRandom().nextBytes(random);
            String name = "node-" + HexFormat.of().formatHex(random);
            Files.writeString(file, name + "\n");
            return name;
        } catch (IOException e) {
            throw new CannotStart("could not read or write the node's name under data-dir: " + e.getMessage(), e);
        }
    }
}
