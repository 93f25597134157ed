package dev.kiln.http.wire;

import dev.kiln.oci.MediaTypes;
import java.util.List;

/** What a client's {@code Accept} lines take (RFC 9110, 12.5.1): every line, every element, with its weight. */
public final class Accept {
    private Accept() {}

    /**
     * Whether an OCI index is welcome. A client that takes only Docker's manifest list is not given another format under
     * a type that it did not name.
     *
     * @param lines every {@code Accept} header's value; none means that everything is welcome
     */
    public static boolean takesIndex(List<String> lines) {
        int best = 0;
        boolean welcome = true;
        for (String line : lines) {
            int begin = 0;
            while (begin < line.length()) {
                int comma = line.indexOf(',', begin);
                int end = comma < 0 ? line.length() : comma;
                int semicolon = line.indexOf(';', begin);
                int rangeEnd = semicolon < 0 || semicolon > end ? end : semicolon;
                String range = line.substring(begin, rangeEnd).strip();
                int specificity = specificity(range);
                if (specificity > 0) {
                    boolean takes = rangeEnd == end || !isZero(line.substring(rangeEnd + 1, end));
                    welcome = specificity > best ? takes : specificity == best ? welcome || takes : welcome;
                    best = Math.max(best, specificity);
                } else if (!range.isEmpty() && best == 0) {
                    welcome = false;
                }
                begin = end + 1;
            }
        }
        return welcome;
    }

    private static int specificity(String range) {
        if (range.equalsIgnoreCase(MediaTypes.OCI_INDEX)) {
            return 3;
        }
        if (range.equalsIgnoreCase("application/*")) {
            return 2;
        }
        return range.equals("*/*") ? 1 : 0;
    }

    private static boolean isZero(String parameters) {
        for (String parameter : parameters.split(";", -1)) {
            String text = parameter.strip();
            if (text.regionMatches(true, 0, "q=", 0, 2)) {
                String weight = text.substring(2).strip();
                return weight.startsWith("0") && weight.chars().allMatch(c -> c == '0' || c == '.');
            }
        }
        return false;
    }
}
