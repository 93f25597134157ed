package dev.kiln.cluster;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kiln.build.BuildEvent;
import dev.kiln.build.BuildInput;
import dev.kiln.build.Cause;
import dev.kiln.build.QueueEvent;
import dev.kiln.cluster.History.Pull;
import dev.kiln.cluster.History.Report;
import dev.kiln.cluster.History.Run;
import dev.kiln.cluster.HistoryCheck.Kind;
import dev.kiln.cluster.HistoryCheck.Violation;
import dev.kiln.image.IndexComposer;
import dev.kiln.image.TagEvent;
import dev.kiln.oci.BuildKey;
import dev.kiln.oci.Descriptor;
import dev.kiln.oci.Digest;
import dev.kiln.oci.MediaTypes;
import dev.kiln.oci.Platform;
import dev.kiln.source.SourceArchive;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** The checker finds nothing in a history without fault, and each kind of fault that is planted in it. */
class HistoryCheckTest {
    private static final Instant START = Instant.parse("2026-11-24T10:00:00Z");
    private static final String REVISION = "0123456789".repeat(4);
    private static final BuildKey AMD64 = BuildKey.of("team/app@" + REVISION + "@linux/amd64");
    private static final BuildKey ARM64 = BuildKey.of("team/app@" + REVISION + "@linux/arm64/v8");
    private static final BuildInput INPUT = new BuildInput(new SourceArchive(digest("source"), 10_240, 0), "make");
    private static final Cause CAUSE = new Cause("curl/8.5.0", "192.0.2.7", "none", "main");

    /** Mutable parts of a history, in which a test changes one. */
    private static final class Draft {
        final List<Pull> pulls = new ArrayList<>(List.of(new Pull("main", Optional.empty())));
        final Map<Digest, List<Digest>> indexes = new HashMap<>();
        final Map<Digest, Optional<String>> afterwards = new HashMap<>();
        final List<Run> runs = new ArrayList<>();
        final Map<String, List<BuildEvent>> builds = new HashMap<>();
        final Map<String, List<TagEvent>> tags = new HashMap<>();
        final List<QueueEvent> queue = new ArrayList<>();
        final Map<String, Report> reported = new HashMap<>();
        final Map<String, List<Digest>> told = new HashMap<>();
        final List<String> queued = new ArrayList<>();

        Draft() {
            long fence = 0;
            for (BuildKey key : List.of(AMD64, ARM64)) {
                Descriptor manifest = manifest(key);
                BuildEvent.Requested requested = new BuildEvent.Requested(1, CAUSE, INPUT, START);
                List<BuildEvent> events = new ArrayList<>(List.of(
                        requested,
                        new BuildEvent.AttemptStarted(1, 1, ++fence, "b1", START),
                        new BuildEvent.AttemptLost(1, fence, false, "killed", START),
                        new BuildEvent.AttemptStarted(2, 1, ++fence, "b2", START),
                        new BuildEvent.Built(2, fence, manifest, START)));
                builds.put(key.toString(), events);
                queue.add(new QueueEvent.Enqueued(key, 1, CAUSE, INPUT, START, Optional.empty()));
                queue.add(new QueueEvent.Granted(key, 1, fence - 1, "b1", "life", START));
                queue.add(new QueueEvent.Returned(key, fence - 1, "lost", Optional.empty(), START));
                queue.add(new QueueEvent.Granted(key, 1, fence, "b2", "life", START));
                queue.add(new QueueEvent.Removed(key, 1, START));
                reported.put(key.toString(), new Report("built", Optional.of(manifest.digest())));
                runs.add(new Run(key, "first", START, START.plusSeconds(3)));
                runs.add(new Run(key, "second", START.plusSeconds(2), START.plusSeconds(30)));
                afterwards.put(manifest.digest(), Optional.empty());
            }
            tags.put("team/app:" + REVISION, new ArrayList<>(List.of(composed(AMD64), composed(AMD64, ARM64))));
            tags.values()
                    .forEach(events -> events.forEach(event -> {
                        TagEvent.IndexComposed index = (TagEvent.IndexComposed) event;
                        afterwards.put(index.index().digest(), Optional.empty());
                        indexes.put(
                                index.index().digest(),
                                index.composition().children().stream()
                                        .map(child -> child.manifest().digest())
                                        .toList());
                    }));
            tags.forEach((id, events) -> told.put(
                    id,
                    events.stream()
                            .map(event ->
                                    ((TagEvent.IndexComposed) event).index().digest())
                            .toList()));
        }

        List<Violation> check() {
            return HistoryCheck.violations(new History(
                    pulls,
                    indexes,
                    afterwards,
                    runs,
                    Duration.ofSeconds(8),
                    builds,
                    tags,
                    queue,
                    reported,
                    told,
                    queued));
        }
    }

    private static Digest digest(String of) {
        return Digest.sha256(of.getBytes(StandardCharsets.UTF_8));
    }

    private static Descriptor manifest(BuildKey key) {
        return new Descriptor(MediaTypes.OCI_MANIFEST, digest(key.toString()), 512);
    }

    private static TagEvent.IndexComposed composed(BuildKey... builds) {
        IndexComposer.Composition composition = new IndexComposer.Composition(
                1,
                AMD64.revision(),
                Optional.empty(),
                Optional.empty(),
                Stream.of(builds)
                        .map(key -> new IndexComposer.Child(key.platform(), manifest(key)))
                        .toList(),
                List.<Platform>of());
        Descriptor index = new Descriptor(MediaTypes.OCI_INDEX, digest(composition.toString()), 700);
        return new TagEvent.IndexComposed(index, composition, Optional.empty(), START);
    }

    /** A fault, and as what it must be found. */
    private record Planted(String name, Kind kind, Consumer<Draft> plant) {
        @Override
        public String toString() {
            return name;
        }
    }

    static Stream<Planted> faults() {
        return Stream.of(
                new Planted(
                        "a client without its image",
                        Kind.NO_IMAGE,
                        draft -> draft.pulls.add(new Pull("v1", Optional.of("502 three times")))),
                new Planted(
                        "a manifest that is gone",
                        Kind.LOST_DIGEST,
                        draft -> draft.afterwards.put(manifest(AMD64).digest(), Optional.of("404"))),
                new Planted(
                        "an index with a child that is gone",
                        Kind.INDEX,
                        draft -> draft.afterwards.put(manifest(ARM64).digest(), Optional.of("404"))),
                new Planted(
                        "an index with a child that nobody could ask for",
                        Kind.INDEX,
                        draft -> draft.indexes.put(digest("index"), List.of(digest("unknown")))),
                new Planted(
                        "an index that shrinks",
                        Kind.INDEX,
                        draft -> draft.tags.values().iterator().next().add(composed(ARM64))),
                new Planted("an index of what was not built", Kind.INDEX, draft -> {
                    List<BuildEvent> events = draft.builds.get(ARM64.toString());
                    events.set(4, new BuildEvent.Built(2, 4, manifest(AMD64), START));
                }),
                new Planted(
                        "two results",
                        Kind.BUILD_EVENTS,
                        draft -> draft.builds
                                .get(AMD64.toString())
                                .add(new BuildEvent.Built(2, 2, manifest(ARM64), START))),
                new Planted(
                        "an attempt beside another",
                        Kind.BUILD_EVENTS,
                        draft -> draft.builds.get(AMD64.toString()).remove(2)),
                new Planted(
                        "a fence that is given twice",
                        Kind.BUILD_EVENTS,
                        draft -> draft.queue.add(6, draft.queue.get(3))),
                new Planted(
                        "processes that run twice",
                        Kind.OVERLAP,
                        draft -> draft.runs.add(new Run(ARM64, "third", START.plusSeconds(6), START.plusSeconds(20)))),
                new Planted(
                        "processes that run within another's time",
                        Kind.OVERLAP,
                        draft -> draft.runs.add(new Run(ARM64, "third", START.plusSeconds(3), START.plusSeconds(16)))),
                new Planted(
                        "processes that go on for longer than their lease",
                        Kind.OVERLAP,
                        draft -> draft.runs.replaceAll(run -> run.attempt().equals("first")
                                ? new Run(run.build(), "first", run.first(), START.plusSeconds(9))
                                : run)),
                new Planted(
                        "a build without an end",
                        Kind.NO_END,
                        draft -> draft.builds.get(AMD64.toString()).remove(4)),
                new Planted("an entry that stays", Kind.NO_END, draft -> draft.queue.remove(draft.queue.size() - 1)),
                new Planted(
                        "a build told otherwise",
                        Kind.OTHER_STATE,
                        draft -> draft.reported.put(AMD64.toString(), new Report("failed", Optional.empty()))),
                new Planted(
                        "a build that is not told", Kind.OTHER_STATE, draft -> draft.reported.remove(AMD64.toString())),
                new Planted(
                        "a tag that is told with an index less",
                        Kind.OTHER_STATE,
                        draft -> draft.told.replaceAll((id, indexes) -> indexes.subList(0, 1))),
                new Planted("a queue told otherwise", Kind.OTHER_STATE, draft -> draft.queued.add(AMD64.toString())));
    }

    @Test
    void findsNothingWhereNothingIsWrong() {
        assertThat(new Draft().check()).isEmpty();
    }

    @ParameterizedTest
    @MethodSource("faults")
    void findsEachFault(Planted planted) {
        Draft draft = new Draft();
        planted.plant().accept(draft);
        assertThat(draft.check()).extracting(Violation::kind).contains(planted.kind());
    }
}
