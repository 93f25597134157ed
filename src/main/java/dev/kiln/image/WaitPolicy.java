package dev.kiln.image;

import dev.kiln.build.BuildFailure;
import dev.kiln.build.BuildStatus;
import dev.kiln.config.RepositoryConfig;
import dev.kiln.config.RepositoryConfig.AnswerWhen;
import dev.kiln.oci.Platform;
import java.time.Instant;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * Which platforms a pull starts, and when it is answered. Pure; the rules are those of {@code docs/configuration.md},
 * "What a pull waits for".
 */
public final class WaitPolicy {
    private WaitPolicy() {}

    /** What to do with a pull now. */
    public sealed interface Decision {
        /** What is built is answer enough. */
        record Answer() implements Decision {}

        /** @param reconsiderAt when time alone may change the decision */
        record KeepWaiting(Optional<Instant> reconsiderAt) implements Decision {
            KeepWaiting() {
                this(Optional.empty());
            }
        }

        /** What it waits for failed, and the failure is remembered. */
        record GiveUp(Platform platform, BuildFailure failure) implements Decision {}
    }

    /**
     * The platforms whose builds a pull starts or joins.
     *
     * @param platforms of the revision, in order
     */
    public static Set<Platform> starts(RepositoryConfig config, List<Platform> platforms, Optional<Platform> hint) {
        Set<Platform> starts = new LinkedHashSet<>();
        boolean all = config.start() == RepositoryConfig.Start.ALL || config.answerWhen() instanceof AnswerWhen.All;
        if (all) {
            starts.addAll(platforms);
        }
        if (config.answerWhen() instanceof AnswerWhen.Listed listed) {
            starts.addAll(listed.platforms());
        }
        hint.ifPresent(starts::add);
        // A platform that is no longer configured is waited for by nobody; one that came later joins by a hint only.
        starts.retainAll(config.platforms());
        starts.retainAll(platforms);
        if (starts.isEmpty()) {
            Optional.of(defaultPlatform(config, platforms))
                    .filter(platforms::contains)
                    .ifPresent(starts::add);
            starts.retainAll(config.platforms());
        }
        return starts;
    }

    /**
     * The platform for a client that says nothing: the configured one, and for a revision that is older than it the first
     * that is still configured.
     *
     * @param platforms of the revision, in order
     */
    static Platform defaultPlatform(RepositoryConfig config, List<Platform> platforms) {
        Platform byDefault = config.defaultPlatform().orElseThrow();
        return platforms.contains(byDefault)
                ? byDefault
                : platforms.stream()
                        .filter(config.platforms()::contains)
                        .findFirst()
                        .orElse(byDefault);
    }

    /**
     * What to do with a pull.
     *
     * @param hint the platform the client wants; one of {@code statuses}
     * @param statuses of the revision's platforms, in order; a platform counts as built when the index lists it
     * @param firstRequested when the revision was first pulled: {@code partial-after} counts from then
     */
    public static Decision decide(
            RepositoryConfig config,
            Optional<Platform> hint,
            Map<Platform, BuildStatus> statuses,
            Instant firstRequested,
            Instant now) {
        List<Platform> platforms = List.copyOf(statuses.keySet());
        Set<Platform> wanted = starts(config, platforms, hint);
        Platform defaultPlatform = defaultPlatform(config, platforms);
        boolean strict =
                config.answerWhen() instanceof AnswerWhen.All || config.answerWhen() instanceof AnswerWhen.Listed;
        Set<Platform> awaited = awaited(config, hint, statuses, wanted);
        boolean anythingBuilt = statuses.values().stream().anyMatch(WaitPolicy::isBuilt);

        for (Platform platform : awaited) {
            boolean decisive = strict
                    || hint.map(platform::equals)
                            .orElse(config.answerWhen() instanceof AnswerWhen.Hinted
                                    && platform.equals(defaultPlatform));
            Optional<BuildFailure> failure = remembered(statuses.get(platform), now);
            if (decisive && failure.isPresent()) {
                return new Decision.GiveUp(platform, failure.get());
            }
        }
        if (hint.isEmpty() && config.answerWhen() instanceof AnswerWhen.Any && anythingBuilt) {
            return new Decision.Answer();
        }
        Optional<Instant> partialFrom = Optional.empty();
        if (hint.isEmpty() && config.answerWhen() instanceof AnswerWhen.Hinted) {
            Instant from = firstRequested.plus(config.partialAfter());
            boolean defaultBuilt = isBuilt(statuses.get(defaultPlatform));
            if (defaultBuilt && !now.isBefore(from)) {
                return new Decision.Answer();
            }
            partialFrom = Optional.of(from).filter(now::isBefore);
        }
        Optional<Decision> failed = Optional.empty();
        for (Platform platform : awaited) {
            BuildStatus status = statuses.get(platform);
            Optional<BuildFailure> failure = remembered(status, now);
            if (failure.isPresent()) {
                failed = failed.or(() -> Optional.of(new Decision.GiveUp(platform, failure.get())));
            } else if (!isBuilt(status)) {
                return new Decision.KeepWaiting(partialFrom);
            }
        }
        return anythingBuilt ? new Decision.Answer() : failed.orElse(new Decision.KeepWaiting());
    }

    /** The platforms that a pull still waits for, in order. The parameters are those of {@link #decide}. */
    static List<Platform> unsettled(
            RepositoryConfig config, Optional<Platform> hint, Map<Platform, BuildStatus> statuses, Instant now) {
        Set<Platform> wanted = starts(config, List.copyOf(statuses.keySet()), hint);
        return awaited(config, hint, statuses, wanted).stream()
                .filter(platform -> !isBuilt(statuses.get(platform)))
                .filter(platform -> remembered(statuses.get(platform), now).isEmpty())
                .toList();
    }

    private static Set<Platform> awaited(
            RepositoryConfig config,
            Optional<Platform> hint,
            Map<Platform, BuildStatus> statuses,
            Set<Platform> wanted) {
        if (config.answerWhen() instanceof AnswerWhen.All) {
            return wanted;
        }
        if (config.answerWhen() instanceof AnswerWhen.Listed listed) {
            Set<Platform> awaited = new LinkedHashSet<>(listed.platforms());
            hint.ifPresent(awaited::add);
            awaited.retainAll(statuses.keySet());
            return awaited.isEmpty() ? wanted : awaited;
        }
        if (hint.isPresent()) {
            return Set.of(hint.get());
        }
        // All that are requested, by this pull or by one before.
        Set<Platform> requested = new LinkedHashSet<>(wanted);
        statuses.forEach((platform, status) -> {
            if (status.phase() != BuildStatus.Phase.NEW && config.platforms().contains(platform)) {
                requested.add(platform);
            }
        });
        return requested;
    }

    private static boolean isBuilt(BuildStatus status) {
        return status != null && status.phase() == BuildStatus.Phase.BUILT;
    }

    /** The failure, while it is remembered; afterwards the next pull starts the build anew. */
    private static Optional<BuildFailure> remembered(BuildStatus status, Instant now) {
        return Optional.ofNullable(status)
                .flatMap(BuildStatus::failure)
                .filter(f -> f.until().map(now::isBefore).orElse(true));
    }
}
