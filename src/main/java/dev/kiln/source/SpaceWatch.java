package dev.kiln.source;

import java.io.IOException;
import java.time.Duration;
import java.util.Optional;
import java.util.function.LongSupplier;
import org.eclipse.jgit.lib.EmptyProgressMonitor;

/** Breaks a fetch off when its disk becomes short of space: nobody says beforehand how much a fetch will need. */
final class SpaceWatch extends EmptyProgressMonitor {
    /** JGit asks after every object; a look at the disk is a system call. */
    private static final long PAUSE = Duration.ofMillis(100).toNanos();

    private final Check check;
    private final LongSupplier nanos;
    private long looked;
    private Optional<String> shortage = Optional.empty();

    interface Check {
        Optional<String> shortage() throws IOException;
    }

    SpaceWatch(Check check, LongSupplier nanos) {
        this.check = check;
        this.nanos = nanos;
        this.looked = nanos.getAsLong() - PAUSE;
    }

    /** Why the fetch was broken off, if it was. */
    Optional<String> shortage() {
        return shortage;
    }

    @Override
    public boolean isCancelled() {
        long now = nanos.getAsLong();
        if (shortage.isEmpty() && now - looked >= PAUSE) {
            looked = now;
            shortage = look();
        }
        return shortage.isPresent();
    }

    private Optional<String> look() {
        try {
            return check.shortage();
        } catch (IOException e) {
            // a disk that cannot be asked fails the writing, too, and that says why
            return Optional.empty();
        }
    }
}
