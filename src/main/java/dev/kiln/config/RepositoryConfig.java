package dev.kiln.config;

import dev.kiln.client.WaitPlans;
import dev.kiln.oci.Platform;
import dev.kiln.oci.RepositoryName;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;

/**
 * One entry of {@code kiln.repositories}: which names it is for, where their builds' input comes from, what is built and
 * what a pull waits for, and whether clients may push.
 *
 * @param source empty for a plain registry, which has what is pushed and builds nothing
 * @param platforms in the order in which an index lists them; empty only without a source
 * @param defaultPlatform one of {@code platforms}: for a client that says nothing of its own; empty only without a source
 * @param builder a key of {@code kiln.builders}; empty only without a source
 * @param hop the longest time one request is held
 * @param patience the longest time one pull is held; at most ten hops
 * @param clients how each kind of client is made to wait, within these limits
 * @param push whether clients may push here; true where there is no source
 */
public record RepositoryConfig(
        NamePattern name,
        Optional<GitSourceConfig> source,
        List<Platform> platforms,
        Optional<Platform> defaultPlatform,
        Optional<String> builder,
        Start start,
        AnswerWhen answerWhen,
        Duration partialAfter,
        Duration hop,
        Duration patience,
        WaitPlans clients,
        Build build,
        boolean push) {

    public RepositoryConfig {
        platforms = List.copyOf(platforms);
    }

    /** This repository with {@code answer-when = all}. */
    public RepositoryConfig answeringWhenAll() {
        return new RepositoryConfig(
                name,
                source,
                platforms,
                defaultPlatform,
                builder,
                start,
                new AnswerWhen.All(),
                partialAfter,
                hop,
                patience,
                clients,
                build,
                push);
    }

    /** Which platforms a pull starts. */
    public enum Start {
        ALL,
        HINTED
    }

    /** What a pull waits for: {@code docs/configuration.md}, "answer-when". */
    public sealed interface AnswerWhen {
        /** The hinted platform; without a hint all that are requested, or the default one after {@code partial-after}. */
        record Hinted() implements AnswerWhen {}

        /** The hinted platform; without a hint the first to finish. */
        record Any() implements AnswerWhen {}

        /** Every platform. */
        record All() implements AnswerWhen {}

        /** These platforms and the hinted one. */
        record Listed(List<Platform> platforms) implements AnswerWhen {
            public Listed {
                platforms = List.copyOf(platforms);
            }
        }
    }

    /**
     * The limits of one build.
     *
     * @param timeout of one attempt, counted from the start of its process, never from its request
     * @param attempts how often an infrastructure failure is tried
     * @param failureMemory how long the source's own failure is remembered
     * @param backoff before the second attempt; doubles with each one after it
     * @param maxOutput bytes of checkout, output, HOME and TMPDIR together
     * @param maxLog bytes
     */
    public record Build(
            Duration timeout, int attempts, Duration failureMemory, Duration backoff, long maxOutput, long maxLog) {}

    /**
     * A git source.
     *
     * @param url with {@code {name}} for the repository's name; never holds a password
     * @param allowedRefs patterns such as {@code refs/heads/*}, where {@code *} stands for anything
     * @param refresh how old the meaning of a ref may be
     * @param timeout of a look-up, and of silence on the wire during a fetch
     * @param authorities the only ones whose certificates are trusted over https; empty: the Java runtime's
     */
    public record GitSourceConfig(
            String url,
            List<String> allowedRefs,
            Duration refresh,
            Duration timeout,
            Optional<Credentials> credentials,
            Optional<CaFile> authorities,
            Optional<Ssh> ssh) {
        public GitSourceConfig {
            allowedRefs = List.copyOf(allowedRefs);
        }

        public String url(RepositoryName name) {
            return url.replace("{name}", name.value());
        }
    }

    /** For https. The text form never shows the password. */
    public record Credentials(String user, String password) {
        @Override
        public String toString() {
            return "Credentials[" + user + "]";
        }
    }

    /**
     * For ssh: a private key file, else the ssh agent.
     *
     * @param knownHosts the only host keys that are trusted
     */
    public record Ssh(Optional<Path> privateKey, Path knownHosts) {}
}
