package dev.kiln.client;

import dev.kiln.oci.Platform;

/**
 * What a request tells about the platform its client wants.
 *
 * @param explicit whether somebody said so on purpose; a User-Agent only suggests it, and never makes a request fail
 * @param channel where it was said, e.g. {@code ?platform=}: recorded with the build or index it leads to
 */
public record Hint(Platform platform, boolean explicit, String channel) {
    @Override
    public String toString() {
        return platform + " by " + channel;
    }
}
