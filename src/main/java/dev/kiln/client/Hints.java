package dev.kiln.client;

import dev.kiln.oci.Platform;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;

/**
 * Reads the platform a client wants from what its request says. Pure. The first channel that says anything decides:
 * {@code ?platform=}, then {@code X-Build-Platform}, then a Docker Engine's User-Agent. The first two are explicit: what
 * they say must be one of the repository's platforms. The User-Agent is the daemon's own architecture, not what
 * {@code docker pull --platform} asked for (docs/clients.md), so it only suggests.
 */
public final class Hints {
    public static final String PARAMETER = "platform";
    public static final String HEADER = "X-Build-Platform";

    private static final String PARAMETER_CHANNEL = "?platform=";
    private static final String USER_AGENT_CHANNEL = "User-Agent";
    private static final int MAX_ECHO = 40;
    private static final int MAX_USER_AGENT = 1024;

    private Hints() {}

    /** What a request's hints come to. */
    public sealed interface Reading {
        /** @param hint empty when nothing was said that means anything here */
        record Accepted(Optional<Hint> hint) implements Reading {}

        /** @param message one line: what is wrong with an explicit hint, and which platforms there are */
        record Refused(String message) implements Reading {}
    }

    /**
     * @param parameters the decoded values of every {@link #PARAMETER} in the query
     * @param headers the values of every {@link #HEADER}
     * @param platforms the repository's, in their configured order
     */
    public static Reading read(
            List<String> parameters, List<String> headers, Optional<String> userAgent, List<Platform> platforms) {
        if (!parameters.isEmpty()) {
            return explicit(parameters, PARAMETER_CHANNEL, platforms);
        }
        if (!headers.isEmpty()) {
            return explicit(headers, HEADER, platforms);
        }
        return new Reading.Accepted(userAgent
                .flatMap(agent -> engine(agent, platforms))
                .map(platform -> new Hint(platform, false, USER_AGENT_CHANNEL)));
    }

    private static Reading explicit(List<String> values, String channel, List<Platform> platforms) {
        Set<Platform> said = new LinkedHashSet<>();
        for (String value : values) {
            Optional<Platform> platform = Platform.parse(value.strip());
            if (platform.isEmpty()) {
                return refused(channel + " says \"" + echo(value) + "\", which is not os/arch[/variant]", platforms);
            }
            said.add(platform.get());
        }
        if (said.size() > 1) {
            return refused(channel + " names " + said.size() + " platforms; name one", platforms);
        }
        Platform platform = said.iterator().next();
        if (!platforms.contains(platform)) {
            return refused(channel + " says " + echo(platform.toString()) + ", which is not built here", platforms);
        }
        return new Reading.Accepted(Optional.of(new Hint(platform, true, channel)));
    }

    private static Reading refused(String what, List<Platform> platforms) {
        return new Reading.Refused(what + ": choose from "
                + platforms.stream().map(Platform::toString).collect(Collectors.joining(", ")));
    }

    private static String echo(String value) {
        return value.length() <= MAX_ECHO ? value : value.substring(0, MAX_ECHO) + "...";
    }

    /** The platform of {@code docker/29.7.2 go/… os/linux arch/amd64 … UpstreamClient(…)}, when it is built here. */
    private static Optional<Platform> engine(String userAgent, List<Platform> platforms) {
        if (!userAgent.startsWith("docker/")) {
            return Optional.empty();
        }
        // What stands in UpstreamClient(…) is the command line's, not the daemon's.
        int end = userAgent.indexOf("UpstreamClient(");
        String own = userAgent.substring(0, Math.min(end < 0 ? userAgent.length() : end, MAX_USER_AGENT));
        String os = token(own, " os/");
        String architecture = token(own, " arch/");
        if (os.isEmpty() || architecture.isEmpty() || architecture.indexOf('/') >= 0) {
            return Optional.empty();
        }
        if (architecture.equals("arm")) {
            // Go's word says nothing of v6 or v7.
            List<Platform> arms = platforms.stream()
                    .filter(p -> p.os().equals(os) && p.architecture().equals("arm"))
                    .toList();
            return arms.size() == 1 ? Optional.of(arms.get(0)) : Optional.empty();
        }
        return Platform.parse(os + "/" + architecture).filter(platforms::contains);
    }

    private static String token(String text, String prefix) {
        int at = text.indexOf(prefix);
        if (at < 0) {
            return "";
        }
        int begin = at + prefix.length();
        int end = text.indexOf(' ', begin);
        return text.substring(begin, end < 0 ? text.length() : end);
    }
}
