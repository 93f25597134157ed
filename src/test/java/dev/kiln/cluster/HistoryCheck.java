package dev.kiln.cluster;

import dev.kiln.build.BuildEvent;
import dev.kiln.build.BuildState;
import dev.kiln.build.BuildStatus;
import dev.kiln.build.JournalRules;
import dev.kiln.build.QueueEvent;
import dev.kiln.build.QueueState;
import dev.kiln.image.TagEvent;
import dev.kiln.image.TagKey;
import dev.kiln.oci.BuildKey;
import dev.kiln.oci.Descriptor;
import dev.kiln.oci.Digest;
import dev.kiln.oci.Platform;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Collectors;

/** What must hold of every history, whatever happened: pure, and complete: it names every violation it finds. */
final class HistoryCheck {
    enum Kind {
        /** A digest that was answered once is no longer there, or gives other bytes. */
        LOST_DIGEST,
        /** Two attempts of one build ran at the same time for longer than is promised. */
        OVERLAP,
        /** A build has two results, or its events are not ones that a single writer makes. */
        BUILD_EVENTS,
        /** An index names what cannot be served, or shrinks. */
        INDEX,
        /** Something that was asked for came to no end. */
        NO_END,
        /** A client that follows the protocol has no image. */
        NO_IMAGE,
        /** The cluster tells of an entity what its events do not say. */
        OTHER_STATE
    }

    record Violation(Kind kind, String what) {}

    /** How long the processes of an attempt whose lease is over may take to end. */
    static final Duration ENDING = Duration.ofSeconds(5);

    private final History history;
    private final List<Violation> found = new ArrayList<>();
    private final Map<BuildKey, BuildState> builds = new TreeMap<>();

    private HistoryCheck(History history) {
        this.history = history;
    }

    static List<Violation> violations(History history) {
        HistoryCheck check = new HistoryCheck(history);
        check.pulls();
        check.digests();
        check.builds();
        check.queue();
        check.indexes();
        check.runs();
        return List.copyOf(check.found);
    }

    private void violated(Kind kind, String what) {
        found.add(new Violation(kind, what));
    }

    private void pulls() {
        history.pulls()
                .forEach(pull -> pull.failure().ifPresent(why -> violated(Kind.NO_IMAGE, pull.what() + ": " + why)));
    }

    private void digests() {
        history.afterwards()
                .forEach((digest, wrong) -> wrong.ifPresent(why -> violated(Kind.LOST_DIGEST, digest + ": " + why)));
    }

    private void builds() {
        history.builds().forEach((id, events) -> {
            BuildKey key = BuildKey.of(id);
            BuildState state = BuildState.EMPTY;
            try {
                JournalRules.check(events);
                for (BuildEvent event : events) {
                    state = state.apply(event);
                }
            } catch (AssertionError | IllegalStateException e) {
                violated(Kind.BUILD_EVENTS, id + ": " + e.getMessage());
                return;
            }
            builds.put(key, state);
            if (!ended(state.phase())) {
                violated(Kind.NO_END, id + " is " + state.phase());
            }
            History.Report expected = new History.Report(
                    state.phase().name().toLowerCase(Locale.ROOT),
                    state.status(key).manifest().map(Descriptor::digest));
            History.Report reported = history.reported().get(id);
            if (!expected.equals(reported)) {
                violated(Kind.OTHER_STATE, id + " is " + expected + " by its events and told as " + reported);
            }
        });
    }

    private static boolean ended(BuildStatus.Phase phase) {
        return phase == BuildStatus.Phase.BUILT || phase == BuildStatus.Phase.FAILED;
    }

    private void queue() {
        QueueState state = QueueState.EMPTY;
        Set<Long> fences = new HashSet<>();
        long last = 0;
        for (QueueEvent event : history.queue()) {
            if (event instanceof QueueEvent.Granted granted) {
                if (!fences.add(granted.fence()) || granted.fence() < last) {
                    violated(Kind.BUILD_EVENTS, "fence " + granted.fence() + " was given after " + last);
                }
                last = Math.max(last, granted.fence());
            }
            state = state.apply(event);
        }
        Set<String> waiting =
                state.entries().stream().map(e -> e.key().toString()).collect(Collectors.toSet());
        waiting.forEach(id -> violated(Kind.NO_END, id + " is still queued"));
        if (!waiting.equals(new TreeSet<>(history.queued()))) {
            violated(Kind.OTHER_STATE, "queued are " + waiting + " by the events and told are " + history.queued());
        }
    }

    private void indexes() {
        history.tags().forEach((id, events) -> {
            Map<Optional<Platform>, List<Digest>> listed = new HashMap<>();
            List<Digest> indexes = new ArrayList<>();
            for (TagEvent event : events) {
                if (event instanceof TagEvent.IndexComposed composed) {
                    List<Digest> now = composed.composition().children().stream()
                            .map(child -> child.manifest().digest())
                            .toList();
                    List<Digest> before = listed.put(composed.composition().flavour(), now);
                    if (before != null && !now.containsAll(before)) {
                        violated(
                                Kind.INDEX,
                                id + " shrinks with " + composed.index().digest());
                    }
                    builtAsListed(TagKey.of(id), composed);
                    indexes.add(composed.index().digest());
                }
            }
            List<Digest> told = history.composed().getOrDefault(id, List.of());
            if (!indexes.equals(told)) {
                violated(
                        Kind.OTHER_STATE,
                        id + " has the indexes " + indexes + " by its events and is told with " + told);
            }
        });
        history.indexes().forEach((digest, children) -> {
            for (Digest child : children) {
                if (!history.afterwards()
                        .getOrDefault(child, Optional.of("never asked for"))
                        .isEmpty()) {
                    violated(Kind.INDEX, digest + " names " + child + ", which cannot be served");
                }
            }
        });
    }

    private void builtAsListed(TagKey tag, TagEvent.IndexComposed composed) {
        composed.composition().children().forEach(child -> {
            BuildKey build = new BuildKey(tag.repository(), tag.revision().orElseThrow(), child.platform());
            Optional<Descriptor> built = Optional.ofNullable(builds.get(build))
                    .flatMap(state -> state.status(build).manifest());
            if (!built.equals(Optional.of(child.manifest()))) {
                violated(Kind.INDEX, composed.index().digest() + " lists what " + build + " is not: " + built);
            }
        });
    }

    private void runs() {
        Map<BuildKey, List<History.Run>> ofBuild =
                history.runs().stream().collect(Collectors.groupingBy(History.Run::build));
        ofBuild.forEach((build, runs) -> {
            List<History.Run> inOrder = runs.stream()
                    .sorted(Comparator.comparing(History.Run::first))
                    .toList();
            Duration bound = runs.size() > confirmed(build) ? history.longestOverlap() : ENDING;
            Instant busyUntil = Instant.MIN;
            for (History.Run run : inOrder) {
                Instant shared = earlier(busyUntil, run.last());
                if (shared.isAfter(run.first())
                        && Duration.between(run.first(), shared).compareTo(bound) > 0) {
                    violated(Kind.OVERLAP, build + " ran twice for " + Duration.between(run.first(), shared));
                }
                busyUntil = later(busyUntil, run.last());
            }
        });
    }

    /** How many attempts a worker lived to say that it had begun: those end with their lease, before another begins. */
    private long confirmed(BuildKey build) {
        return history.builds().getOrDefault(build.toString(), List.of()).stream()
                .filter(BuildEvent.AttemptStarted.class::isInstance)
                .count();
    }

    private static Instant earlier(Instant a, Instant b) {
        return a.isBefore(b) ? a : b;
    }

    private static Instant later(Instant a, Instant b) {
        return a.isAfter(b) ? a : b;
    }
}
