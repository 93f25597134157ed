package dev.kiln.image;

import dev.kiln.build.BuildFailure;
import dev.kiln.build.BuildStatus;
import dev.kiln.oci.Descriptor;
import dev.kiln.oci.Platform;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;

/**
 * What a waiter has heard of the builds of its revision, and what it has asked of them and of their tag: nothing is asked
 * twice until {@link #askAgain}. One waiter's own; not thread-safe.
 */
final class RevisionBuilds {
    private final Map<Platform, BuildStatus> statuses = new HashMap<>();
    private final Set<Platform> requested = new HashSet<>();
    private final Set<Platform> joined = new HashSet<>();
    private final Set<Platform> queueFull = new HashSet<>();

    static Set<Platform> listed(TagEntity.View view) {
        return RevisionSnapshot.children(view).stream()
                .map(IndexComposer.Child::platform)
                .collect(Collectors.toUnmodifiableSet());
    }

    static Set<Platform> unlisted(TagEntity.View view) {
        Set<Platform> unlisted = new LinkedHashSet<>(view.platforms());
        unlisted.removeAll(listed(view));
        return unlisted;
    }

    /** Statuses may overtake each other. */
    void hear(BuildStatus status) {
        statuses.merge(status.key().platform(), status, BuildStatus::then);
    }

    /** By platform, those that were heard of. */
    Map<Platform, BuildStatus> statuses() {
        return statuses;
    }

    boolean hasHeardOf(Collection<Platform> platforms) {
        return statuses.keySet().containsAll(platforms);
    }

    /** Whether the tag is to be asked to take this platform in. */
    boolean isToJoin(Platform platform) {
        return joined.add(platform);
    }

    /** Whether the build is to be requested: nobody has begun it, or it failed and that is forgotten by now. */
    boolean isToRequest(Platform platform, Instant now) {
        BuildStatus status = statuses.get(platform);
        boolean wanted = status == null
                || status.phase() == BuildStatus.Phase.NEW
                || status.failure()
                        .flatMap(BuildFailure::until)
                        .map(until -> !now.isBefore(until))
                        .orElse(false);
        return wanted && requested.add(platform);
    }

    /**
     * A request was answered, or not.
     *
     * @param full whether the queue has no room for it
     */
    void answered(Platform platform, boolean full) {
        requested.remove(platform);
        if (full) {
            queueFull.add(platform);
        } else {
            queueFull.remove(platform);
        }
    }

    /** Those that found no room in the queue. */
    Set<Platform> queueFull() {
        return queueFull;
    }

    void askAgain() {
        requested.clear();
        joined.clear();
    }

    /** What is built and not listed yet, in the order of the platforms. */
    List<IndexComposer.Child> toCompose(TagEntity.View view) {
        Set<Platform> listed = listed(view);
        List<IndexComposer.Child> built = new ArrayList<>();
        for (Platform platform : view.platforms()) {
            Optional<Descriptor> manifest =
                    Optional.ofNullable(statuses.get(platform)).flatMap(BuildStatus::manifest);
            if (manifest.isPresent() && !listed.contains(platform)) {
                built.add(new IndexComposer.Child(platform, manifest.get()));
            }
        }
        return built;
    }
}
