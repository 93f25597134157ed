package dev.kiln.testing;

import dev.kiln.client.WaitPlan;
import dev.kiln.client.WaitPlan.FinalAnswer;
import dev.kiln.client.WaitPlan.Situation;
import dev.kiln.client.WaitPlans;
import dev.kiln.config.ConfigLoader;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Properties;

/** The one-size plan of clients.md 6.2 for every client. */
public final class Plans {
    private Plans() {}

    public static WaitPlan plan(Duration hop, Duration patience) {
        FinalAnswer later = new FinalAnswer(429, Optional.of(Duration.ofSeconds(15)));
        return new WaitPlan(
                "test",
                hop,
                patience,
                true,
                Duration.ZERO,
                true,
                false,
                Map.of(
                        Situation.NOTHING_READY,
                        later,
                        Situation.AWAITED_NOT_READY,
                        later,
                        Situation.QUEUE_FULL,
                        new FinalAnswer(429, Optional.of(Duration.ofSeconds(60))),
                        Situation.FAILED,
                        new FinalAnswer(424, Optional.empty())));
    }

    /** The plans that every installation begins with. */
    public static WaitPlans shipped(Duration hop, Duration patience) {
        return ConfigLoader.load(Optional.empty(), new Properties())
                .kiln()
                .repositories()
                .get(0)
                .clients()
                .map(plan -> plan.within(hop, patience));
    }

    public static WaitPlans plans(Duration hop, Duration patience) {
        return new WaitPlans(List.of(), plan(hop, patience));
    }
}
