package dev.kiln.client;

import java.util.Arrays;
import java.util.Optional;

/**
 * A version's release numbers, as far as they can be read: {@code v2.3.3+unknown} and {@code 2.3.3-rc.1} are 2.3.3, and
 * {@code 2.3} is 2.3.0.
 */
public record Version(int major, int minor, int patch) implements Comparable<Version> {
    private static final int MAX_DIGITS = 8;

    /** Empty when {@code text} does not begin with a number. */
    public static Optional<Version> parse(String text) {
        int[] numbers = new int[3];
        int at = text.startsWith("v") ? 1 : 0;
        for (int i = 0; i < numbers.length; i++) {
            int end = at;
            while (end < text.length() && Character.digit(text.charAt(end), 10) >= 0 && text.charAt(end) < 0x80) {
                end++;
            }
            if (end == at || end - at > MAX_DIGITS) {
                return i == 0 || end - at > MAX_DIGITS ? Optional.empty() : of(numbers);
            }
            numbers[i] = Integer.parseInt(text, at, end, 10);
            if (end == text.length() || text.charAt(end) != '.') {
                return of(numbers);
            }
            at = end + 1;
        }
        return of(numbers);
    }

    private static Optional<Version> of(int[] numbers) {
        return Optional.of(new Version(numbers[0], numbers[1], numbers[2]));
    }

    @Override
    public int compareTo(Version other) {
        return Arrays.compare(new int[] {major, minor, patch}, new int[] {other.major, other.minor, other.patch});
    }

    @Override
    public String toString() {
        return major + "." + minor + "." + patch;
    }
}
