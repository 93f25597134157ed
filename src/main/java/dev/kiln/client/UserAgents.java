package dev.kiln.client;

import dev.kiln.oci.Platform;
import java.util.List;
import java.util.Optional;

/**
 * The platform that a User-Agent tells of. Docker's engine and CRI-O write {@code os/linux arch/arm64}, Apptainer
 * {@code (Linux amd64)}, cosign {@code (linux; amd64)}; no other client tells anything (docs/clients.md).
 */
final class UserAgents {
    private static final int MAX = 1024;

    private UserAgents() {}

    /** Empty when it tells nothing, or of nothing that is built here. */
    static Optional<Platform> platform(String userAgent, List<Platform> platforms) {
        String text = userAgent.length() > MAX ? userAgent.substring(0, MAX) : userAgent;
        if (text.startsWith("docker/")) {
            // What stands in UpstreamClient(…) is the command line's, not the daemon's.
            int end = text.indexOf("UpstreamClient(");
            return words(end < 0 ? text : text.substring(0, end), platforms);
        }
        if (text.startsWith("cri-o/")) {
            return words(text, platforms);
        }
        if (text.startsWith("Apptainer/")) {
            return comment(text, " ", platforms);
        }
        return text.startsWith("cosign/") ? comment(text, "; ", platforms) : Optional.empty();
    }

    private static Optional<Platform> words(String text, List<Platform> platforms) {
        return built(after(text, " os/"), after(text, " arch/"), platforms);
    }

    private static String after(String text, String prefix) {
        int at = text.indexOf(prefix);
        if (at < 0) {
            return "";
        }
        int begin = at + prefix.length();
        int end = text.indexOf(' ', begin);
        return text.substring(begin, end < 0 ? text.length() : end);
    }

    private static Optional<Platform> comment(String text, String separator, List<Platform> platforms) {
        int begin = text.indexOf(" (");
        int end = text.indexOf(')', begin + 1);
        if (begin < 0 || end < 0) {
            return Optional.empty();
        }
        String comment = text.substring(begin + 2, end);
        int middle = comment.indexOf(separator);
        return middle < 0
                ? Optional.empty()
                : built(comment.substring(0, middle), comment.substring(middle + separator.length()), platforms);
    }

    private static Optional<Platform> built(String os, String architecture, List<Platform> platforms) {
        Optional<Platform> platform =
                architecture.indexOf('/') >= 0 ? Optional.empty() : Platform.parse(os + "/" + architecture);
        if (platform.isPresent() && architecture.equals("arm")) {
            // Go's word says nothing of v6 or v7.
            List<Platform> arms = platforms.stream()
                    .filter(p -> p.os().equals(platform.get().os())
                            && p.architecture().equals("arm")
                            && !p.isFlavour())
                    .toList();
            return arms.size() == 1 ? Optional.of(arms.get(0)) : Optional.empty();
        }
        return platform.filter(platforms::contains);
    }
}
