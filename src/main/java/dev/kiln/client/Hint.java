package dev.kiln.client;

import dev.kiln.oci.Platform;
import java.util.List;

/**
 * What a request tells about the platform its client wants.
 *
 * @param features of the machine beyond its platform, e.g. {@code sse4}, sorted; recorded, and of no effect: every build
 *     is the plain platform's
 * @param explicit whether somebody said so on purpose; a User-Agent only suggests it, and never makes a request fail
 * @param channel where it was said, e.g. {@code ?platform=}: recorded with the build it leads to
 */
public record Hint(Platform platform, List<String> features, boolean explicit, String channel) {
    public Hint {
        features = List.copyOf(features);
    }

    public Hint(Platform platform, boolean explicit, String channel) {
        this(platform, List.of(), explicit, channel);
    }

    @Override
    public String toString() {
        return platform + features.stream().map(f -> "+" + f).reduce("", String::concat) + " by " + channel;
    }
}
