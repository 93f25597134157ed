package dev.kiln.blob;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;

/** There is no room on the content store's disk. Nothing was published. The infrastructure's fault, not the build's. */
public final class DiskFullException extends IOException {
    private static final long serialVersionUID = 1L;

    private static final long NOTHING_LEFT = 1024 * 1024;

    private DiskFullException(IOException cause) {
        super("the content store's disk is full: free some space, or move kiln.store.dir to a larger disk", cause);
    }

    /**
     * {@code failure} itself, or as this exception when a full disk is what caused it.
     *
     * @param folder on the disk in question
     */
    static IOException orOther(IOException failure, Path folder) {
        return failure instanceof DiskFullException || !isFull(failure, folder)
                ? failure
                : new DiskFullException(failure);
    }

    /** Java hands no error number on, only the operating system's text, which may be in the language of the locale. */
    private static boolean isFull(IOException failure, Path folder) {
        String text = String.valueOf(failure.getMessage()).toLowerCase(Locale.ROOT);
        if (text.contains("no space left") || text.contains("quota exceeded")) {
            return true;
        }
        try {
            return Files.getFileStore(folder).getUsableSpace() < NOTHING_LEFT;
        } catch (IOException e) {
            return false;
        }
    }
}
