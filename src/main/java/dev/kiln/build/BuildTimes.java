package dev.kiln.build;

import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.function.Function;

/**
 * How long one successful build took, or how long such builds usually take.
 *
 * @param queue from the request to the start of the attempt that succeeded
 * @param build from that start to the result
 */
public record BuildTimes(Duration queue, Duration build) {
    /** @throws IllegalArgumentException when a time is negative */
    public BuildTimes {
        if (queue.isNegative() || build.isNegative()) {
            throw new IllegalArgumentException("a time is never negative");
        }
    }

    /** The usual times of these builds: the medians, which one odd build does not move. Empty without a build. */
    public static Optional<BuildTimes> usual(List<BuildTimes> builds) {
        return builds.isEmpty()
                ? Optional.empty()
                : Optional.of(new BuildTimes(median(builds, BuildTimes::queue), median(builds, BuildTimes::build)));
    }

    private static Duration median(List<BuildTimes> builds, Function<BuildTimes, Duration> time) {
        return builds.stream().map(time).sorted().toList().get(builds.size() / 2);
    }
}
