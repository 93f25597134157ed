package dev.kiln.image;

import akka.util.ByteString;
import dev.kiln.build.BuildStatus;
import dev.kiln.build.BuildStatus.Phase;
import dev.kiln.config.RepositoryConfig;
import dev.kiln.oci.BuildKey;
import dev.kiln.oci.Descriptor;
import dev.kiln.oci.Platform;
import java.time.Instant;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;

/**
 * A revision as one node last saw it: enough to decide any pull of it, and to answer those that need no more.
 *
 * @param openedAt when it was first pulled
 * @param statuses of all its platforms, in order; one is {@code BUILT} exactly when the index lists it
 * @param index the newest index
 */
record RevisionSnapshot(
        Instant openedAt,
        Map<Platform, BuildStatus> statuses,
        Optional<PullAnswer.Served> index,
        List<IndexComposer.Child> children) {

    RevisionSnapshot {
        statuses = Collections.unmodifiableMap(new LinkedHashMap<>(statuses));
        children = List.copyOf(children);
    }

    /**
     * What the owner of the revision and those of its builds have said.
     *
     * @param key of the revision, which is open
     * @param builds as far as they were heard of: a platform that the index lists needs no more, another one is assumed
     *     to be wanted, so that a build whose owner is away keeps nobody from what is finished
     */
    static RevisionSnapshot of(TagKey key, TagEntity.View view, Map<Platform, BuildStatus> builds) {
        List<IndexComposer.Child> children = children(view);
        Map<Platform, BuildStatus> statuses = new LinkedHashMap<>();
        for (Platform platform : view.platforms()) {
            Optional<Descriptor> manifest = manifest(children, platform);
            BuildStatus heard = builds.get(platform);
            if (manifest.isPresent()) {
                statuses.put(platform, assumed(key, platform, Phase.BUILT, manifest));
            } else if (heard == null) {
                statuses.put(platform, assumed(key, platform, Phase.QUEUED, manifest));
            } else {
                boolean toBeListed = heard.phase() == Phase.BUILT;
                statuses.put(platform, toBeListed ? assumed(key, platform, Phase.RUNNING, manifest) : heard);
            }
        }
        Optional<PullAnswer.Served> index = view.newest()
                .map(n -> new PullAnswer.Served(
                        n.index(),
                        ByteString.fromString(IndexComposer.compose(n.composition())),
                        n.composition().missing()));
        return new RevisionSnapshot(view.opened().orElseThrow().at(), statuses, index, children);
    }

    private static BuildStatus assumed(TagKey key, Platform platform, Phase phase, Optional<Descriptor> manifest) {
        return new BuildStatus(
                new BuildKey(key.repository(), key.revision().orElseThrow(), platform),
                phase,
                0,
                0,
                Optional.empty(),
                Optional.empty(),
                Optional.empty(),
                Optional.empty(),
                manifest,
                Optional.empty());
    }

    /** What the newest index of a revision lists. */
    static List<IndexComposer.Child> children(TagEntity.View view) {
        return view.newest().map(n -> n.composition().children()).orElse(List.of());
    }

    private static Optional<Descriptor> manifest(List<IndexComposer.Child> children, Platform platform) {
        return children.stream()
                .filter(c -> c.platform().equals(platform))
                .map(IndexComposer.Child::manifest)
                .findFirst();
    }

    /** Whether the index lists every platform of the revision. */
    boolean complete() {
        return children.size() == statuses.size();
    }

    /** Whether {@code other} has seen more of the revision, which only ever grows. */
    boolean isBehind(RevisionSnapshot other) {
        return statuses.size() + children.size() < other.statuses.size() + other.children.size();
    }

    /** The platform that a pull is for, as {@link Wish#platform}. */
    Optional<Platform> platform(RepositoryConfig config, Wish wish) {
        Set<Platform> listed =
                children.stream().map(IndexComposer.Child::platform).collect(Collectors.toUnmodifiableSet());
        return wish.platform(config, statuses.keySet(), listed);
    }

    Optional<Descriptor> child(Platform platform) {
        return manifest(children, platform);
    }
}
