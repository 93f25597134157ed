package dev.kiln.client;

import com.github.benmanes.caffeine.cache.Cache;
import com.github.benmanes.caffeine.cache.Caffeine;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;
import java.util.function.UnaryOperator;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * Finds the plan for a {@code User-Agent}: of its products, the first that a family names decides; where several families
 * name it, the one with the most conditions that hold. Thread-safe.
 */
public final class WaitPlans {
    private static final int REMEMBERED = 1000;
    private static final int MAX_REMEMBERED_LENGTH = 512;

    private final List<Family> families;
    private final WaitPlan unknown;
    /** User-Agents are few, and are asked for with every pull. */
    private final Cache<String, WaitPlan> found =
            Caffeine.newBuilder().maximumSize(REMEMBERED).build();

    /**
     * Which clients a plan is for.
     *
     * @param agents names of products, in lower case, or names with what follows them: {@code name/version}
     * @param with another product that must be there too
     * @param from the least version, of {@code with} where that is given, else of the agent
     * @param below the version that is too new
     */
    public record Family(
            List<String> agents,
            Optional<String> with,
            Optional<Version> from,
            Optional<Version> below,
            WaitPlan plan) {
        public Family {
            agents = List.copyOf(agents);
        }

        private long conditions() {
            long said = Stream.of(with, from, below).filter(Optional::isPresent).count();
            return agents.stream().anyMatch(agent -> agent.contains("/")) ? said + 1 : said;
        }

        private boolean fits(UserAgent.Product product, UserAgent agent) {
            String whole = product.name() + "/" + product.version().toLowerCase(Locale.ROOT);
            if (!agents.contains(product.name()) && !agents.contains(whole)) {
                return false;
            }
            Optional<UserAgent.Product> versioned = with.isEmpty() ? Optional.of(product) : agent.product(with.get());
            if (versioned.isEmpty()) {
                return false;
            }
            if (from.isEmpty() && below.isEmpty()) {
                return true;
            }
            Optional<Version> version = Version.parse(versioned.get().version());
            return version.isPresent()
                    && from.map(least -> version.get().compareTo(least) >= 0).orElse(true)
                    && below.map(tooNew -> version.get().compareTo(tooNew) < 0).orElse(true);
        }
    }

    /** @param unknown the plan for clients of no family */
    public WaitPlans(List<Family> families, WaitPlan unknown) {
        this.families = families.stream()
                .sorted(Comparator.comparingLong(Family::conditions)
                        .reversed()
                        .thenComparing(family -> family.plan().family()))
                .toList();
        this.unknown = unknown;
    }

    /** The same families, each with a plan made of its own. */
    public WaitPlans map(UnaryOperator<WaitPlan> change) {
        return new WaitPlans(
                families.stream()
                        .map(f -> new Family(f.agents(), f.with(), f.from(), f.below(), change.apply(f.plan())))
                        .toList(),
                change.apply(unknown));
    }

    /** The names of all families. */
    public Set<String> families() {
        return families.stream().map(family -> family.plan().family()).collect(Collectors.toSet());
    }

    /** The plan for a client, by its {@code User-Agent}. */
    public WaitPlan plan(Optional<String> userAgent) {
        return userAgent
                .map(text -> text.length() <= MAX_REMEMBERED_LENGTH ? found.get(text, this::find) : find(text))
                .orElse(unknown);
    }

    private WaitPlan find(String userAgent) {
        UserAgent agent = UserAgent.parse(userAgent);
        for (UserAgent.Product product : agent.products()) {
            for (Family family : families) {
                if (family.fits(product, agent)) {
                    return family.plan();
                }
            }
        }
        return unknown;
    }
}
