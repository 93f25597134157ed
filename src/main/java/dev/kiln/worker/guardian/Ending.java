package dev.kiln.worker.guardian;

import java.util.Optional;

/**
 * The guardian's last word, one line on its standard error, said when every process of the build has ended.
 *
 * @param code of the command, as a shell gives it: 128 and the signal's number when a signal ended it
 * @param diskFull whether the file system of the attempt's directory was seen full
 * @param text what the set-up printed when it failed; may hold paths of this machine
 */
public record Ending(Why why, int code, boolean diskFull, String text) {
    private static final String WORD = "kiln-ended";

    /** What came first. */
    public enum Why {
        /** The command ended by itself. */
        EXITED,
        /** The command was never started: its surroundings could not be set up. */
        NOT_STARTED,
        TIMEOUT,
        LEASE_EXPIRED,
        STOPPED,
        /** It wrote more than it may. */
        OUTPUT,
        /** Its directories are nested too deeply, or too many, to be measured. */
        TREE
    }

    String line() {
        StringBuilder line = new StringBuilder(WORD);
        line.append(' ').append(why.name()).append(' ').append(code).append(' ').append(diskFull);
        line.append(' ').append(text.replace('\n', ' '));
        return line.toString();
    }

    /** Reads a line of a guardian's standard error; empty when it is another line. */
    public static Optional<Ending> parse(String line) {
        String[] words = line.split(" ", 5);
        if (words.length != 5 || !words[0].equals(WORD)) {
            return Optional.empty();
        }
        return Optional.of(new Ending(
                Why.valueOf(words[1]), Integer.parseInt(words[2]), Boolean.parseBoolean(words[3]), words[4]));
    }
}
