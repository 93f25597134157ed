package dev.kiln.blob;

import java.io.IOException;
import java.util.Optional;

/**
 * A disk with a limit below which nothing new is begun on it, while what is there goes on being served. Thread-safe;
 * asking costs a system call.
 *
 * @param place what people call it
 * @param key of the configuration, which sets the limit
 * @param least bytes
 * @param measure what is free now, in bytes
 */
public record FreeSpace(String place, String key, long least, Measure measure) {
    public interface Measure {
        long free() throws IOException;
    }

    /** Below its limit: what to tell people. */
    public Optional<String> shortage() throws IOException {
        return measure.free() < least
                ? Optional.of(place + " is below " + key + ": free some space")
                : Optional.empty();
    }

    /** @throws LowOnSpaceException below its limit */
    public void require() throws IOException {
        Optional<String> shortage = shortage();
        if (shortage.isPresent()) {
            throw new LowOnSpaceException(shortage.get());
        }
    }
}
