package dev.kiln.client;

import dev.kiln.oci.Platform;
import dev.kiln.oci.Tag;
import java.util.List;
import java.util.Optional;

/**
 * A platform at the end of a tag: {@code v1.2.3_linux-arm64}, or with a dash. Only a configured platform is one; any other
 * ending is simply part of the tag.
 *
 * @param tag what stands before it
 */
record TagSuffix(Tag tag, Platform platform) {

    /** After an underscore, which no name of a ref is likely to have there. */
    static Optional<TagSuffix> underscored(Tag tag, List<Platform> platforms) {
        return at(tag.value().lastIndexOf('_'), tag, platforms);
    }

    /** After a dash, which may as well be part of the tag: the longest ending that is a platform. */
    static Optional<TagSuffix> dashed(Tag tag, List<Platform> platforms) {
        for (int dash = tag.value().indexOf('-'); dash >= 0; dash = tag.value().indexOf('-', dash + 1)) {
            Optional<TagSuffix> suffix = at(dash, tag, platforms);
            if (suffix.isPresent()) {
                return suffix;
            }
        }
        return Optional.empty();
    }

    private static Optional<TagSuffix> at(int separator, Tag tag, List<Platform> platforms) {
        if (separator <= 0) {
            return Optional.empty();
        }
        Optional<Platform> platform = PlatformName.parse(tag.value().substring(separator + 1))
                .flatMap(named -> PlatformName.among(platforms, named));
        return platform.flatMap(
                found -> Tag.parse(tag.value().substring(0, separator)).map(rest -> new TagSuffix(rest, found)));
    }
}
