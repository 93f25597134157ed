package dev.kiln.client;

import dev.kiln.oci.Platform;
import dev.kiln.oci.Tag;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * Reads the platform a client wants from what its request says. Pure. The first channel that says anything decides, the
 * most specific first, and what the later ones say is not even read: the tag's suffix, the path's segment, the host name,
 * {@code ?platform=}, the headers, the username, the User-Agent. All but the last are explicit: what they say must be one
 * of the repository's platforms. A User-Agent is of the machine that pulls, not what its user asked for
 * (docs/clients.md), so it only suggests.
 */
public final class Hints {
    public static final String PARAMETER = "platform";
    public static final String HEADER = "X-Build-Platform";

    /** What a Docker command line can send: the engine passes on what begins with {@code X-Meta-}. */
    public static final String META_HEADER = "X-Meta-Build-Platform";

    private static final String SUFFIX_CHANNEL = "tag suffix";
    private static final String PATH_CHANNEL = "path";
    private static final String HOST_CHANNEL = "host name";
    private static final String PARAMETER_CHANNEL = "?platform=";
    private static final String USERNAME_CHANNEL = "username";
    private static final String USER_AGENT_CHANNEL = "User-Agent";
    private static final int MAX_ECHO = 40;

    private Hints() {}

    /**
     * What a request says, channel by channel.
     *
     * @param tag as it was asked for
     * @param path what the segment in the path names
     * @param host what the first label of the host name names
     * @param parameters the decoded values of every {@link #PARAMETER} in the query
     * @param headers the values of every {@link #HEADER}
     * @param metaHeaders the values of every {@link #META_HEADER}
     */
    public record Said(
            Tag tag,
            Optional<Platform> path,
            Optional<Platform> host,
            List<String> parameters,
            List<String> headers,
            List<String> metaHeaders,
            Optional<UsernameHint> username,
            Optional<String> userAgent) {}

    /** What is asked for: a tag, without a suffix that is a hint. */
    public record Asked(Tag tag, Optional<Hint> hint) {}

    /** What a request's hints come to. */
    public sealed interface Reading {
        /**
         * A request that can be followed.
         *
         * @param otherwise what is meant instead when the source has no such tag
         */
        record Accepted(Asked asked, Optional<Asked> otherwise) implements Reading {}

        /** @param message one line: what is wrong with an explicit hint, and which platforms there are */
        record Refused(String message) implements Reading {}
    }

    /** @param platforms the repository's, in their configured order */
    public static Reading read(Said said, List<Platform> platforms) {
        Optional<Asked> suffixed = TagSuffix.underscored(said.tag(), platforms).map(Hints::asked);
        if (suffixed.isPresent()) {
            return new Reading.Accepted(suffixed.get(), Optional.empty());
        }
        Optional<Asked> otherwise = TagSuffix.dashed(said.tag(), platforms).map(Hints::asked);
        if (said.path().isPresent()) {
            return named(said, otherwise, said.path().get(), PATH_CHANNEL, platforms);
        }
        if (said.host().isPresent()) {
            return named(said, otherwise, said.host().get(), HOST_CHANNEL, platforms);
        }
        if (!said.parameters().isEmpty()) {
            return texts(said, otherwise, said.parameters(), PARAMETER_CHANNEL, platforms);
        }
        if (!said.headers().isEmpty() || !said.metaHeaders().isEmpty()) {
            List<String> both = Stream.concat(said.headers().stream(), said.metaHeaders().stream())
                    .toList();
            return texts(said, otherwise, both, said.headers().isEmpty() ? META_HEADER : HEADER, platforms);
        }
        if (said.username().isPresent()) {
            UsernameHint username = said.username().get();
            return named(said, otherwise, best(username, platforms), USERNAME_CHANNEL, platforms);
        }
        Optional<Hint> suggested = said.userAgent()
                .flatMap(agent -> UserAgents.platform(agent, platforms))
                .map(platform -> new Hint(platform, false, USER_AGENT_CHANNEL));
        return new Reading.Accepted(new Asked(said.tag(), suggested), otherwise);
    }

    /** Every tag that a pull of this one may mean. */
    public static List<Tag> readings(Tag tag, List<Platform> platforms) {
        return Stream.of(
                        Stream.of(tag),
                        TagSuffix.underscored(tag, platforms).map(TagSuffix::tag).stream(),
                        TagSuffix.dashed(tag, platforms).map(TagSuffix::tag).stream())
                .flatMap(tags -> tags)
                .distinct()
                .toList();
    }

    /** What was named; of what runs on a machine that was described, that which asks for most of it. */
    private static Platform best(UsernameHint username, List<Platform> platforms) {
        if (!username.platform().features().isEmpty()) {
            return username.platform();
        }
        return platforms.stream()
                .filter(platform -> platform.runsOn(username.platform(), username.features()))
                // the first of equals
                .reduce((one, other) -> demands(other) > demands(one) ? other : one)
                .orElse(username.platform());
    }

    private static int demands(Platform platform) {
        return 2 * platform.features().size() + (platform.osVersion().isEmpty() ? 0 : 1);
    }

    private static Asked asked(TagSuffix suffix) {
        return new Asked(suffix.tag(), Optional.of(new Hint(suffix.platform(), true, SUFFIX_CHANNEL)));
    }

    private static Reading texts(
            Said said, Optional<Asked> otherwise, List<String> values, String channel, List<Platform> platforms) {
        Set<Platform> named = new LinkedHashSet<>();
        for (String value : values) {
            Optional<Platform> platform = Platform.parse(value.strip());
            if (platform.isEmpty()) {
                return refused(channel + " says \"" + echo(value) + "\", which is not " + Platform.FORM, platforms);
            }
            named.add(platform.get());
        }
        if (named.size() > 1) {
            return refused(channel + " names " + named.size() + " platforms; name one", platforms);
        }
        return explicit(said, otherwise, named.iterator().next(), channel, platforms);
    }

    private static Reading named(
            Said said, Optional<Asked> otherwise, Platform platform, String channel, List<Platform> platforms) {
        Platform meant = PlatformName.among(platforms, platform).orElse(platform);
        return explicit(said, otherwise, meant, channel, platforms);
    }

    private static Reading explicit(
            Said said, Optional<Asked> otherwise, Platform platform, String channel, List<Platform> platforms) {
        if (!platforms.contains(platform)) {
            return refused(channel + " says " + echo(platform.toString()) + ", which is not built here", platforms);
        }
        Hint hint = new Hint(platform, true, channel);
        return new Reading.Accepted(new Asked(said.tag(), Optional.of(hint)), otherwise);
    }

    private static Reading refused(String what, List<Platform> platforms) {
        return new Reading.Refused(what + ": choose from "
                + platforms.stream().map(Platform::toString).collect(Collectors.joining(", ")));
    }

    private static String echo(String value) {
        return value.length() <= MAX_ECHO ? value : value.substring(0, MAX_ECHO) + "...";
    }
}
