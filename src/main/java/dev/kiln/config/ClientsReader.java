package dev.kiln.config;

import dev.kiln.client.Version;
import dev.kiln.client.WaitPlan;
import dev.kiln.client.WaitPlan.FinalAnswer;
import dev.kiln.client.WaitPlan.Situation;
import dev.kiln.client.WaitPlans;
import java.time.Duration;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Predicate;
import java.util.function.Supplier;
import java.util.regex.Pattern;

/**
 * Reads {@code kiln.clients}, and what an entry of {@code kiln.repositories} says otherwise. What a method supplies may be
 * asked for only when nothing was reported.
 */
final class ClientsReader {
    private static final String UNKNOWN = "unknown";
    private static final String LIKE = "like";
    private static final Pattern NAME = Pattern.compile("[a-z0-9][a-z0-9._-]{0,62}");
    private static final Pattern AGENT = Pattern.compile(NAME + "(/" + NAME + ")?");
    private static final Duration SHORTEST = Duration.ofMillis(100);
    private static final Duration LONGEST = Duration.ofDays(1);
    private static final Set<Integer> LATER = Set.of(429, 503);
    private static final Set<Integer> NEVER = Set.of(403, 424);

    private final Section clients;
    private final Section defaults;
    private final List<String> names;
    private final Supplier<WaitPlans> plans;

    ClientsReader(Section clients, Section defaults) {
        this.clients = clients;
        this.defaults = defaults;
        this.names = clients.names("a family's name (lower-case letters, digits, . _ -)", ClientsReader::isName);
        names.forEach(this::checkLike);
        Map<String, Section> families = families(Optional.empty());
        this.plans = plans(families, defaults);
        twice(families);
    }

    /** @param own the {@code clients} of one repository: families that {@code kiln.clients} has, and any of their keys */
    Supplier<WaitPlans> read(Section own) {
        List<String> changed = own.names(
                "a family of kiln.clients: " + String.join(", ", names),
                name -> names.contains(name) || name.equals(UNKNOWN));
        if (changed.isEmpty()) {
            return plans;
        }
        changed.stream()
                .map(own::section)
                .filter(family -> family.isSet(LIKE))
                .forEach(family -> family.error(LIKE, "can be said in kiln.clients alone"));
        return plans(families(Optional.of(own)), changed.contains(UNKNOWN) ? own.section(UNKNOWN, defaults) : defaults);
    }

    private Map<String, Section> families(Optional<Section> own) {
        Map<String, Section> families = new LinkedHashMap<>();
        names.forEach(name -> families.put(name, family(name, own, Set.of())));
        return families;
    }

    /**
     * A family with all that it inherits. What it says itself beats what the one that it is like says, for all or here.
     *
     * @param own as in {@link #read}
     * @param above the families that are like this one, on the way to which it is read
     */
    private Section family(String name, Optional<Section> own, Set<String> above) {
        Set<String> seen = new HashSet<>(above);
        seen.add(name);
        Section base = like(name)
                .filter(other -> names.contains(other) && !seen.contains(other))
                .map(other -> family(other, own, seen))
                .orElse(defaults);
        Section ofAll = clients.section(name, base);
        return own.filter(section -> section.isSet(name))
                .map(section -> section.section(name, ofAll))
                .orElse(ofAll);
    }

    private Optional<String> like(String name) {
        return clients.section(name).quietTexts(LIKE).stream().findFirst();
    }

    private void checkLike(String name) {
        Set<String> seen = new HashSet<>();
        Optional<String> at = Optional.of(name);
        while (at.isPresent() && seen.add(at.get())) {
            at = names.contains(at.get()) ? like(at.get()) : Optional.empty();
        }
        boolean circle = at.filter(name::equals).isPresent();
        boolean unknown = like(name).filter(other -> !names.contains(other)).isPresent();
        if (circle || unknown) {
            clients.section(name).error(LIKE, circle ? "leads back to " + name : "is not a family of kiln.clients");
        }
    }

    private static Supplier<WaitPlans> plans(Map<String, Section> families, Section unknown) {
        List<Supplier<WaitPlans.Family>> all = new ArrayList<>();
        families.forEach((name, section) -> all.add(family(name, section)));
        Supplier<WaitPlan> rest = plan(UNKNOWN, unknown);
        unknown.end();
        return () -> new WaitPlans(all.stream().map(Supplier::get).toList(), rest.get());
    }

    /** Two families with the same conditions: the order of their names would decide, and nobody would see it. */
    private static void twice(Map<String, Section> families) {
        Map<String, String> conditions = new LinkedHashMap<>();
        families.forEach((name, family) -> {
            for (String agent : family.quietTexts("agents")) {
                String key = agent + " " + family.quietTexts("with") + " " + family.quietTexts("from-version") + " "
                        + family.quietTexts("below-version");
                String other = conditions.putIfAbsent(key, name);
                if (other != null) {
                    family.error("agents", "names " + agent + " as kiln.clients." + other + " does: change that one");
                }
            }
        });
    }

    private static Supplier<WaitPlans.Family> family(String name, Section family) {
        family.isSet(LIKE);
        List<String> agents = family.texts(
                "agents",
                "a list of product names in lower case, such as regclient or regclient/regsync",
                text -> AGENT.matcher(text).matches());
        Optional<String> with = family.isSet("with")
                ? family.text("with", "a product's name in lower case", ClientsReader::isName)
                : Optional.empty();
        Optional<Version> from = version(family, "from-version");
        Optional<Version> below = version(family, "below-version");
        Supplier<WaitPlan> plan = plan(name, family);
        family.end();
        return () -> new WaitPlans.Family(agents, with, from, below, plan.get());
    }

    private static boolean isName(String text) {
        return NAME.matcher(text).matches();
    }

    private static Optional<Version> version(Section family, String key) {
        Predicate<String> isVersion = text -> Version.parse(text).isPresent();
        return family.isSet(key)
                ? family.text(key, "a version such as 2.3.0", isVersion).flatMap(Version::parse)
                : Optional.empty();
    }

    private static Supplier<WaitPlan> plan(String name, Section section) {
        Optional<Duration> hop = section.duration("hop", SHORTEST, LONGEST);
        Optional<Duration> patience = section.duration("patience", SHORTEST, LONGEST);
        Optional<Boolean> redirects = section.flag("redirects");
        Optional<Duration> leastHold = section.duration("least-hold", Duration.ZERO, Duration.ofMinutes(1));
        Optional<Boolean> startsBuilds = section.flag("starts-builds");
        Optional<Boolean> wholeIndex = section.flag("whole-index");
        Map<Situation, Supplier<FinalAnswer>> answers = new EnumMap<>(Situation.class);
        answers.put(Situation.NOTHING_READY, answer(section.section("nothing-ready"), LATER));
        answers.put(Situation.AWAITED_NOT_READY, answer(section.section("awaited-not-ready"), LATER));
        answers.put(Situation.FAILED, answer(section.section("failed"), NEVER));
        answers.put(Situation.QUEUE_FULL, answer(section.section("queue-full"), LATER));
        return () -> {
            Map<Situation, FinalAnswer> finals = new EnumMap<>(Situation.class);
            answers.forEach((situation, answer) -> finals.put(situation, answer.get()));
            return new WaitPlan(
                    name,
                    hop.orElseThrow(),
                    patience.orElseThrow(),
                    redirects.orElseThrow(),
                    leastHold.orElseThrow(),
                    startsBuilds.orElseThrow(),
                    wholeIndex.orElseThrow(),
                    finals);
        };
    }

    private static Supplier<FinalAnswer> answer(Section answer, Set<Integer> allowed) {
        Optional<Integer> status = answer.integer("status", 400, 599);
        status.filter(value -> !allowed.contains(value))
                .ifPresent(value -> answer.error(
                        "status",
                        "must be one of "
                                + allowed.stream().sorted().map(String::valueOf).toList() + ", not " + value));
        Optional<Duration> retryAfter = answer.isSet("retry-after")
                ? answer.duration("retry-after", Duration.ofSeconds(1), Duration.ofHours(1))
                : Optional.empty();
        answer.end();
        return () -> new FinalAnswer(status.orElseThrow(), retryAfter);
    }
}
