package dev.kiln.source;

import java.io.BufferedReader;
import java.io.BufferedWriter;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.DateTimeException;
import java.time.Instant;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import org.eclipse.jgit.lib.ObjectId;

/** A ref table on disk: a line with the time of the answer, a line for each ref, and a line that says it is complete. */
final class RefTableFile {
    private static final String HEAD = "kiln-refs 1 ";
    private static final String END = "end ";

    private RefTableFile() {}

    /** Atomic: readers see the old table or the new one. */
    static void write(Path file, RefObserver.Known known) throws IOException {
        Path next = Files.createTempFile(file.getParent(), "kiln-refs", ".tmp");
        try {
            try (BufferedWriter out = Files.newBufferedWriter(next)) {
                out.write(HEAD + known.at().toEpochMilli() + "\n");
                for (Map.Entry<String, RefTable.Pointer> ref :
                        known.table().pointers().entrySet()) {
                    RefTable.Pointer pointer = ref.getValue();
                    out.write(pointer.object().name() + " " + pointer.target().name() + " " + ref.getKey() + "\n");
                }
                out.write(END + known.table().size() + "\n");
            }
            Files.move(next, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
        } finally {
            Files.deleteIfExists(next);
        }
    }

    /** Empty when there is none, or none that is complete. */
    static Optional<RefObserver.Known> read(Path file) {
        try (BufferedReader in = Files.newBufferedReader(file)) {
            String line = in.readLine();
            if (line == null || !line.startsWith(HEAD)) {
                return Optional.empty();
            }
            Instant at = Instant.ofEpochMilli(Long.parseLong(line.substring(HEAD.length())));
            Map<String, RefTable.Pointer> pointers = new HashMap<>();
            for (line = in.readLine(); line != null && !line.startsWith(END); line = in.readLine()) {
                String[] fields = line.split(" ", 3);
                ObjectId object = ObjectId.fromString(fields[0]);
                ObjectId target = fields[1].equals(fields[0]) ? object : ObjectId.fromString(fields[1]);
                pointers.put(fields[2], new RefTable.Pointer(object, target));
            }
            boolean complete = (END + pointers.size()).equals(line);
            return complete ? Optional.of(new RefObserver.Known(new RefTable(pointers), at)) : Optional.empty();
        } catch (IOException
                | IllegalArgumentException
                | IndexOutOfBoundsException
                | DateTimeException
                | IllegalStateException e) {
            return Optional.empty();
        }
    }
}
