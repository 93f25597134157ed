package dev.kiln.image;

import akka.util.ByteString;
import dev.kiln.build.BuildStatus;
import dev.kiln.oci.Descriptor;
import dev.kiln.oci.Platform;
import dev.kiln.oci.Revision;
import java.time.Instant;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * A revision as one node last saw it: enough to decide any pull of it, and to answer those that need no more.
 *
 * @param openedAt when it was first pulled
 * @param statuses of all its platforms, in order; one is {@code BUILT} only when the index lists it
 * @param index the newest index
 */
record RevisionSnapshot(
        Revision revision,
        Instant openedAt,
        Map<Platform, BuildStatus> statuses,
        Optional<PullAnswer.Served> index,
        List<IndexComposer.Child> children) {

    RevisionSnapshot {
        statuses = Collections.unmodifiableMap(new LinkedHashMap<>(statuses));
        children = List.copyOf(children);
    }

    static RevisionSnapshot of(Revision revision, TagEntity.View view, Map<Platform, BuildStatus> builds) {
        List<IndexComposer.Child> children =
                view.newest().map(n -> n.composition().children()).orElse(List.of());
        Map<Platform, BuildStatus> statuses = new LinkedHashMap<>();
        for (Platform platform : view.platforms()) {
            BuildStatus status = builds.get(platform);
            if (status != null) {
                boolean listed = children.stream().anyMatch(c -> c.platform().equals(platform));
                statuses.put(
                        platform, status.phase() == BuildStatus.Phase.BUILT && !listed ? notYetListed(status) : status);
            }
        }
        Optional<PullAnswer.Served> index = view.newest()
                .map(n -> new PullAnswer.Served(
                        n.index(),
                        ByteString.fromString(IndexComposer.compose(n.composition())),
                        n.composition().missing()));
        return new RevisionSnapshot(
                revision,
                view.opened().map(TagEvent.RevisionOpened::at).orElse(Instant.EPOCH),
                statuses,
                index,
                children);
    }

    private static BuildStatus notYetListed(BuildStatus built) {
        return new BuildStatus(
                built.key(),
                BuildStatus.Phase.RUNNING,
                built.request(),
                built.attempt(),
                built.requestedAt(),
                built.startedAt(),
                Optional.empty(),
                Optional.empty(),
                Optional.empty(),
                Optional.empty());
    }

    /** Whether the index lists every platform of the revision. */
    boolean complete() {
        return index.map(i -> i.missing().isEmpty()).orElse(false);
    }

    Optional<Descriptor> child(Platform platform) {
        return children.stream()
                .filter(c -> c.platform().equals(platform))
                .map(IndexComposer.Child::manifest)
                .findFirst();
    }

    /** One line for people: what each unfinished platform is doing. */
    String progress(Instant now) {
        StringBuilder line = new StringBuilder();
        statuses.forEach((platform, status) -> {
            if (status.phase() != BuildStatus.Phase.BUILT && status.phase() != BuildStatus.Phase.NEW) {
                line.append(line.isEmpty() ? "" : ", ")
                        .append(platform)
                        .append(' ')
                        .append(describe(status, now));
            }
        });
        return line.isEmpty() ? "building" : line.toString();
    }

    private static String describe(BuildStatus status, Instant now) {
        if (status.phase() == BuildStatus.Phase.RUNNING) {
            return "building for "
                    + status.startedAt()
                            .map(at -> Math.max(0, now.getEpochSecond() - at.getEpochSecond()))
                            .orElse(0L)
                    + " s";
        }
        return status.phase() == BuildStatus.Phase.FAILED ? "failed" : "queued";
    }
}
