package dev.kiln.config;

import dev.kiln.client.WaitPlans;
import dev.kiln.config.RepositoryConfig.AnswerWhen;
import dev.kiln.config.RepositoryConfig.Build;
import dev.kiln.config.RepositoryConfig.Credentials;
import dev.kiln.config.RepositoryConfig.GitSourceConfig;
import dev.kiln.config.RepositoryConfig.Ssh;
import dev.kiln.oci.Platform;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.function.Supplier;

/**
 * Reads the entries of {@code kiln.repositories}. What a method supplies may be asked for only when nothing was reported.
 */
final class RepositoryReader {
    private static final Duration SHORTEST = Duration.ofMillis(100);
    private static final int HOPS = 10;
    private static final Duration HELD_BEFORE_429 = Duration.ofSeconds(10);

    private final Set<String> builders;
    private final Duration idleTimeout;
    private final boolean asksGit;
    private final ClientsReader clients;
    private final List<NamePattern> earlier = new ArrayList<>();

    /**
     * A reader of one list.
     *
     * @param idleTimeout of the server's connections, which would cut a longer hop
     * @param asksGit whether this node does; one that does not need not have the secrets of sources
     */
    RepositoryReader(Set<String> builders, Duration idleTimeout, boolean asksGit, ClientsReader clients) {
        this.builders = builders;
        this.idleTimeout = idleTimeout;
        this.asksGit = asksGit;
        this.clients = clients;
    }

    /** Call it in the order of the list, in which the first match wins. */
    Supplier<RepositoryConfig> read(Section entry) {
        Optional<NamePattern> name = entry.text("name", "a pattern such as team/**", NamePattern::isValid)
                .map(NamePattern::new);
        name.ifPresent(pattern -> shadowed(entry, pattern));
        Optional<Boolean> push = entry.flag("push");
        Section sourceSection = entry.section("source");
        boolean pushesOnly = push.orElse(false) && !sourceSection.isSet("url");
        Supplier<Optional<GitSourceConfig>> source = source(sourceSection, pushesOnly);
        List<Platform> platforms = pushesOnly ? nothingBuilt(entry) : platforms(entry, "platforms");
        List<Platform> plain =
                platforms.stream().filter(platform -> !platform.isFlavour()).toList();
        if (plain.isEmpty() && !platforms.isEmpty()) {
            entry.error(
                    "platforms",
                    "must have a platform without features, such as "
                            + platforms.get(0).plain() + ": no index for everybody lists one with them");
        }
        Optional<Platform> byDefault = defaultPlatform(entry, plain);
        Optional<String> builder = pushesOnly
                ? Optional.empty()
                : entry.text(
                        "builder", "a key of kiln.builders (" + String.join(", ", builders) + ")", builders::contains);
        Optional<RepositoryConfig.Start> start = entry.choice("start", RepositoryConfig.Start.class);
        Optional<AnswerWhen> answerWhen = answerWhen(entry, plain);
        Optional<Duration> partialAfter = entry.duration("partial-after", Duration.ZERO, Duration.ofDays(1));
        Optional<Duration> hop = entry.duration("hop", SHORTEST, Duration.ofDays(1));
        hop.filter(value -> value.compareTo(idleTimeout) >= 0)
                .ifPresent(value -> entry.error(
                        "hop",
                        "must be shorter than akka.http.server.idle-timeout (" + Texts.of(idleTimeout)
                                + "), which would cut the held request"));
        Optional<Duration> patience = entry.duration("patience", SHORTEST, Duration.ofDays(1))
                .map(value -> hop.isPresent() ? patience(entry, hop.get(), value) : value);
        Supplier<WaitPlans> plans = clients.read(entry.section("clients"));
        hop.filter(value -> value.compareTo(HELD_BEFORE_429) < 0)
                .ifPresent(value -> entry.warning(
                        "hop",
                        "is shorter than " + Texts.of(HELD_BEFORE_429)
                                + ": clients that repeat a 429 at once are held for so long only before each"));
        Supplier<Build> build = build(entry.section("build"));
        entry.end();
        return () -> new RepositoryConfig(
                name.orElseThrow(),
                source.get(),
                platforms,
                byDefault,
                builder,
                start.orElseThrow(),
                answerWhen.orElseThrow(),
                partialAfter.orElseThrow(),
                hop.orElseThrow(),
                patience.orElseThrow(),
                plans.get().map(plan -> plan.within(hop.orElseThrow(), patience.orElseThrow())),
                build.get(),
                push.orElseThrow());
    }

    /** A plain registry has no platforms: what says something about builds there is a mistake. */
    private static List<Platform> nothingBuilt(Section entry) {
        for (String key : List.of("platforms", "default-platform", "builder")) {
            if (entry.isSet(key)) {
                entry.error(key, "is of no effect without source.url: nothing is built here");
            }
        }
        return List.of();
    }

    private void shadowed(Section entry, NamePattern pattern) {
        earlier.stream()
                .filter(before -> before.equals(pattern) || before.matchesAll())
                .findFirst()
                .ifPresent(before ->
                        entry.warning("name", "is never reached: the earlier entry " + before + " matches first"));
        earlier.add(pattern);
    }

    private static Duration patience(Section entry, Duration hop, Duration patience) {
        Duration most = hop.multipliedBy(HOPS);
        if (patience.compareTo(hop) < 0) {
            entry.error("patience", "must be at least hop (" + Texts.of(hop) + ")");
        }
        if (patience.compareTo(most) <= 0) {
            return patience;
        }
        entry.warning(
                "patience",
                "is cut from " + Texts.of(patience) + " to " + Texts.of(most) + ": clients follow ten hops of "
                        + Texts.of(hop) + " and no more");
        return most;
    }

    private static List<Platform> platforms(Section entry, String key) {
        List<Platform> platforms = entry
                .texts(
                        key,
                        "a list of platforms such as linux/arm64",
                        text -> Platform.parse(text).isPresent())
                .stream()
                .map(Platform::of)
                .toList();
        platforms.stream()
                .filter(platform -> platforms.indexOf(platform) != platforms.lastIndexOf(platform))
                .distinct()
                .forEach(twice -> entry.error(key, "names " + twice + " twice"));
        return platforms;
    }

    private static Optional<Platform> defaultPlatform(Section entry, List<Platform> platforms) {
        if (!entry.isSet("default-platform")) {
            return platforms.stream().findFirst();
        }
        Optional<Platform> platform = entry.text(
                        "default-platform",
                        "a platform such as linux/amd64",
                        text -> Platform.parse(text).isPresent())
                .flatMap(Platform::parse);
        platform.ifPresent(value -> among(entry, "default-platform", List.of(value), platforms));
        return platform;
    }

    private static Optional<AnswerWhen> answerWhen(Section entry, List<Platform> platforms) {
        if (entry.isList("answer-when")) {
            List<Platform> listed = platforms(entry, "answer-when");
            among(entry, "answer-when", listed, platforms);
            return Optional.of(new AnswerWhen.Listed(listed));
        }
        return entry.text(
                        "answer-when",
                        "hinted, any, all or a list of platforms",
                        text -> answerWhen(text).isPresent())
                .flatMap(RepositoryReader::answerWhen);
    }

    private static Optional<AnswerWhen> answerWhen(String text) {
        return Optional.ofNullable(
                switch (text) {
                    case "hinted" -> new AnswerWhen.Hinted();
                    case "any" -> new AnswerWhen.Any();
                    case "all" -> new AnswerWhen.All();
                    default -> null;
                });
    }

    private static void among(Section entry, String key, List<Platform> wanted, List<Platform> platforms) {
        for (Platform platform : wanted) {
            // no platforms at all is reported by itself
            if (!platforms.isEmpty() && !platforms.contains(platform)) {
                entry.error(
                        key,
                        "names " + platform + ", which is not one of the entry's platforms "
                                + (platform.isFlavour() ? "without features " : "") + platforms);
            }
        }
    }

    private Supplier<Optional<GitSourceConfig>> source(Section source, boolean none) {
        source.text("type", "git", "git"::equals);
        Optional<String> url = none
                ? Optional.empty()
                : source.secret("url", "the address of a git repository", text -> !text.isBlank());
        Optional<String> wrong = url.flatMap(GitUrls::mistake);
        wrong.ifPresent(mistake -> source.error("url", mistake));
        List<String> refs = source.texts(
                "allowed-refs", "a list of refs such as refs/heads/*", ref -> ref.matches("refs/[^\\s:?\\[\\\\^~]+"));
        Optional<Duration> refresh = source.duration("refresh", SHORTEST, Duration.ofDays(1));
        Optional<Duration> timeout = source.duration("timeout", SHORTEST, Duration.ofHours(1));
        Optional<Credentials> credentials =
                source.isSet("credentials") && asksGit ? credentials(source, url) : Optional.empty();
        Optional<CaFile> authorities = source.isSet("ca-file") && asksGit ? authorities(source) : Optional.empty();
        Optional<Ssh> ssh = source.isSet("ssh") && !asksGit
                ? Optional.empty()
                : ssh(source.section("ssh"), url.filter(GitUrls::isSsh).isPresent() && wrong.isEmpty());
        source.end();
        return () -> url.map(address -> new GitSourceConfig(
                address, refs, refresh.orElseThrow(), timeout.orElseThrow(), credentials, authorities, ssh));
    }

    private static Optional<CaFile> authorities(Section source) {
        return source.path("ca-file").flatMap(path -> {
            try {
                return Optional.of(CaFile.read(path));
            } catch (IOException e) {
                source.error("ca-file", "is not a file of certificates in PEM that can be read: " + path);
                return Optional.empty();
            }
        });
    }

    private static Optional<Credentials> credentials(Section source, Optional<String> url) {
        Section credentials = source.section("credentials");
        Optional<String> user = credentials.text("user", "a user's name", text -> true);
        Optional<String> password = credentials.secret("password", "a password or token", text -> !text.isEmpty());
        credentials.end();
        if (url.filter(text -> text.startsWith("http://")).isPresent()) {
            source.warning("credentials", "travel over http in the clear; use https");
        }
        return user.flatMap(u -> password.map(p -> new Credentials(u, p)));
    }

    private static Optional<Ssh> ssh(Section ssh, boolean used) {
        Optional<Path> key = ssh.isSet("private-key") ? ssh.path("private-key") : Optional.empty();
        boolean known = used || ssh.isSet("known-hosts");
        Optional<Path> hosts = known ? ssh.path("known-hosts") : Optional.empty();
        if (used) {
            key.filter(file -> !Files.isReadable(file))
                    .ifPresent(file -> ssh.error("private-key", "is not a file that can be read: " + file));
            hosts.filter(file -> !Files.isReadable(file))
                    .ifPresent(file -> ssh.error(
                            "known-hosts", "is not a file that can be read: " + file + "; ssh-keyscan HOST makes one"));
        }
        ssh.end();
        return used ? hosts.map(file -> new Ssh(key, file)) : Optional.empty();
    }

    private static Supplier<Build> build(Section build) {
        Optional<Duration> timeout = build.duration("timeout", Duration.ofSeconds(1), Duration.ofDays(30));
        Optional<Integer> attempts = build.integer("attempts", 1, 100);
        Optional<Duration> memory = build.duration("failure-memory", Duration.ZERO, Duration.ofDays(365));
        Optional<Duration> backoff = build.duration("backoff", Duration.ofMillis(10), Duration.ofHours(1));
        Optional<Long> maxOutput = build.bytes("max-output", 1024);
        Optional<Long> maxLog = build.bytes("max-log", 1024);
        build.end();
        return () -> new Build(
                timeout.orElseThrow(),
                attempts.orElseThrow(),
                memory.orElseThrow(),
                backoff.orElseThrow(),
                maxOutput.orElseThrow(),
                maxLog.orElseThrow());
    }
}
