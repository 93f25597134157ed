package dev.kiln.image;

import dev.kiln.client.Hint;
import dev.kiln.config.RepositoryConfig;
import dev.kiln.oci.Platform;
import java.util.Collection;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * What a client wants of whichever revision its tag means. Pure.
 *
 * @param wholeIndex whether only a complete index will do, whatever the repository's {@code answer-when} says
 */
record Wish(Optional<Hint> hint, boolean acceptsIndex, boolean wholeIndex) {

    /** The repository's policy as it is for this pull. */
    RepositoryConfig policy(RepositoryConfig config) {
        return wholeIndex ? config.answeringWhenAll() : config;
    }

    /**
     * The platform the pull is for; empty when it is for none in particular. A hint that this revision cannot follow is as
     * if absent: it never makes a pull fail. Who takes no index is for exactly one, the default one without a hint.
     *
     * @param platforms of the revision, in order
     * @param listed those of them that its index lists
     */
    Optional<Platform> platform(RepositoryConfig config, Collection<Platform> platforms, Set<Platform> listed) {
        Optional<Platform> hinted = hint.map(Hint::platform)
                .filter(p -> listed.contains(p)
                        || (platforms.contains(p) && config.platforms().contains(p)));
        return hinted.isPresent() || acceptsIndex
                ? hinted
                : Optional.of(WaitPolicy.defaultPlatform(config, List.copyOf(platforms)));
    }

    /** The platform that is to be added to the revision first: configured after it, and asked for explicitly. */
    Optional<Platform> joining(RepositoryConfig config, Collection<Platform> platforms) {
        return hint.filter(Hint::explicit)
                .map(Hint::platform)
                .filter(p -> config.platforms().contains(p) && !platforms.contains(p));
    }
}
