package dev.kiln.http.wire;

import dev.kiln.oci.ImageForm;
import dev.kiln.oci.MediaTypes;
import java.util.List;

/** What a client's {@code Accept} lines take (RFC 9110, 12.5.1): every line, every element; a weight of 0 refuses. */
public final class Accept {
    private Accept() {}

    /**
     * The form in which an image is welcome. An index goes before a single manifest, since it leaves the choice of the
     * platform to the client, and of two of a kind the OCI type goes first, since it is what a build's digests are of.
     * Who takes none of the four is given {@link ImageForm#MANIFEST}.
     *
     * @param lines every {@code Accept} header's value; none means that everything is welcome
     */
    public static ImageForm form(List<String> lines) {
        if (takes(lines, MediaTypes.OCI_INDEX)) {
            return ImageForm.INDEX;
        }
        if (takes(lines, MediaTypes.DOCKER_LIST)) {
            return ImageForm.DOCKER_LIST;
        }
        return takes(lines, MediaTypes.OCI_MANIFEST) || !takes(lines, MediaTypes.DOCKER_MANIFEST)
                ? ImageForm.MANIFEST
                : ImageForm.DOCKER_MANIFEST;
    }

    /** Whether the lines name a type itself, without a weight of 0. */
    public static boolean names(List<String> lines, String mediaType) {
        for (String line : lines) {
            for (String element : line.split(",", -1)) {
                int semicolon = element.indexOf(';');
                String range = semicolon < 0 ? element : element.substring(0, semicolon);
                if (range.strip().equalsIgnoreCase(mediaType)
                        && (semicolon < 0 || !isZero(element.substring(semicolon + 1)))) {
                    return true;
                }
            }
        }
        return false;
    }

    /** Whether a type of the form {@code application/…} is welcome; the most specific range that fits decides. */
    private static boolean takes(List<String> lines, String mediaType) {
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
                int specificity = specificity(range, mediaType);
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

    private static int specificity(String range, String mediaType) {
        if (range.equalsIgnoreCase(mediaType)) {
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
