package dev.kiln.source;

import dev.kiln.config.RepositoryConfig.GitSourceConfig;
import java.io.IOException;
import java.net.SocketTimeoutException;
import java.nio.file.Path;
import java.security.cert.CertPathBuilderException;
import java.security.cert.CertificateException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import java.util.regex.Pattern;
import javax.net.ssl.SSLSocketFactory;
import org.apache.sshd.common.SshConstants;
import org.apache.sshd.common.SshException;
import org.eclipse.jgit.errors.NoRemoteRepositoryException;
import org.eclipse.jgit.errors.TooLargeObjectInPackException;
import org.eclipse.jgit.errors.TransportException;
import org.eclipse.jgit.lib.ObjectId;
import org.eclipse.jgit.lib.ProgressMonitor;
import org.eclipse.jgit.lib.Ref;
import org.eclipse.jgit.lib.Repository;
import org.eclipse.jgit.lib.RepositoryCache;
import org.eclipse.jgit.transport.FetchConnection;
import org.eclipse.jgit.transport.RefSpec;
import org.eclipse.jgit.transport.SshSessionFactory;
import org.eclipse.jgit.transport.SshTransport;
import org.eclipse.jgit.transport.Transport;
import org.eclipse.jgit.transport.TransportHttp;
import org.eclipse.jgit.transport.UsernamePasswordCredentialsProvider;
import org.eclipse.jgit.util.FS;

/** The conversations with one repository's git server. Blocking; every failure is told without credentials. */
class GitRemote {
    /** More allowed refs than this are not held in memory. */
    static final int MAX_REFS = 200_000;

    private static final long MAX_ANSWER = 128L * 1024 * 1024;
    private static final Pattern SSH_NOT_FOUND = Pattern.compile(
            "(?i).*(repository not found|does not appear to be a git repository|could not be found"
                    + "|no such (project|repository)|(repository|project)\\b.{0,200} (does not exist|not found)).*",
            Pattern.DOTALL);

    private final GitUrl url;
    private final GitSourceConfig config;
    private final RefPatterns allowed;
    private final Path nowhere;
    private final Optional<Path> agentSocket;
    private final Optional<SSLSocketFactory> tls;

    /**
     * @param nowhere a folder that does not exist, in place of a home
     * @param agentSocket of the ssh agent; empty: as {@code SSH_AUTH_SOCK} says
     */
    GitRemote(GitUrl url, GitSourceConfig config, Path nowhere, Optional<Path> agentSocket) {
        IsolatedGit.install();
        this.url = url;
        this.config = config;
        this.allowed = new RefPatterns(config.allowedRefs());
        this.nowhere = nowhere;
        this.agentSocket = agentSocket;
        this.tls = config.authorities().map(TrustedAuthorities::sockets);
    }

    /** A look-up that another thread can end. */
    final class Listing {
        private final GuardedConnections http;

        private Listing(Duration limit) {
            this.http = GuardedConnections.bounded(url, tls, System.nanoTime() + limit.toNanos(), MAX_ANSWER);
        }

        /** Asks git for its refs. */
        RefTable run() throws GitException {
            return converse(http, () -> Transport.open(url.uri()), connection -> table(connection));
        }

        /** Ends it where an interrupt of its thread would not. */
        void abort() {
            http.abort();
        }
    }

    /** @param limit of the whole look-up, over http; elsewhere of each silence, and the thread can be interrupted */
    Listing listing(Duration limit) {
        return new Listing(limit);
    }

    /**
     * Fetches what the allowed refs now reach into {@code mirror}, whose refs it then extends; they are named by what they
     * point at, so that no name of a stranger becomes a file's name and a force-push takes nothing away.
     *
     * @param progress can break it off
     * @return the refs in whose place the mirror now has everything they reach
     */
    RefTable fetch(Repository mirror, MirrorRefs refs, ProgressMonitor progress) throws GitException {
        GuardedConnections http = GuardedConnections.unbounded(url, tls);
        return converse(http, () -> Transport.open(mirror, url.uri()), connection -> {
            RefTable table = table(connection);
            Set<ObjectId> present = refs.objects(mirror);
            Map<ObjectId, Ref> wanted = new HashMap<>();
            for (Ref ref : connection.getRefs()) {
                RefTable.Pointer pointer = table.pointers().get(ref.getName());
                if (pointer != null && !present.contains(pointer.object())) {
                    wanted.put(pointer.object(), ref);
                }
            }
            if (!wanted.isEmpty()) {
                connection.fetch(progress, wanted.values(), Set.of());
            }
            for (ObjectId id : wanted.keySet()) {
                if (!mirror.getObjectDatabase().has(id)) {
                    throw new TransportException("git did not send what it announced");
                }
            }
            refs.add(mirror, wanted.keySet());
            return table;
        });
    }

    private RefTable table(FetchConnection connection) throws TransportException {
        Map<String, RefTable.Pointer> pointers = new HashMap<>();
        for (Ref ref : connection.getRefs()) {
            if (ref.getObjectId() == null
                    || !allowed.allow(ref.getName())
                    || !Repository.isValidRefName(ref.getName())) {
                continue;
            }
            ObjectId object = ref.getObjectId().copy();
            ObjectId target = ref.getPeeledObjectId() == null
                    ? object
                    : ref.getPeeledObjectId().copy();
            pointers.put(ref.getName(), new RefTable.Pointer(object, target));
            if (pointers.size() > MAX_REFS) {
                throw new TransportException("it has more than " + MAX_REFS + " allowed refs");
            }
        }
        return new RefTable(pointers);
    }

    private interface Opening {
        Transport open() throws Exception;
    }

    private interface Exchange<T> {
        T with(FetchConnection connection) throws IOException;
    }

    private <T> T converse(GuardedConnections http, Opening opening, Exchange<T> exchange) throws GitException {
        if (url.kind() == GitUrl.Kind.LOCAL
                && RepositoryCache.FileKey.resolve(url.path().toFile(), FS.DETECTED) == null) {
            throw GitException.repositoryUnknown("there is no git repository of that name");
        }
        try (Transport transport = opening.open()) {
            configure(transport, http);
            try (FetchConnection connection =
                    transport.openFetch(refSpecs(), allowed.advertised().toArray(String[]::new))) {
                return exchange.with(connection);
            }
        } catch (Exception e) {
            throw explain(http, e);
        }
    }

    /** Their sources tell a server that can filter what to advertise. */
    private List<RefSpec> refSpecs() {
        List<RefSpec> specs = new ArrayList<>();
        for (String ref : new HashSet<>(allowed.advertised())) {
            specs.add(new RefSpec(ref + ":" + ref));
        }
        return specs;
    }

    private void configure(Transport transport, GuardedConnections http) {
        transport.setTimeout((int) Math.max(1, Math.min(Integer.MAX_VALUE / 1000, secondsUp(config.timeout()))));
        if (transport instanceof TransportHttp web) {
            web.setHttpConnectionFactory(http);
            web.setCredentialsProvider(config.credentials()
                    .map(credentials -> new UsernamePasswordCredentialsProvider(
                            credentials.user(), credentials.password().toCharArray()))
                    .orElse(null));
        } else if (transport instanceof SshTransport ssh) {
            ssh.setSshSessionFactory(sessions());
            ssh.setCredentialsProvider(null);
        }
    }

    private SshSessionFactory sessions() {
        return config.ssh()
                .map(ssh -> StrictSsh.factory(ssh, nowhere, agentSocket))
                .orElseThrow(() -> new IllegalStateException(
                        "a source over ssh needs source.ssh.known-hosts in the configuration"));
    }

    private static long secondsUp(Duration duration) {
        return duration.plusMillis(999).toSeconds();
    }

    private GitException explain(GuardedConnections http, Exception failure) {
        OptionalInt status = http.status();
        if (url.kind() == GitUrl.Kind.HTTP && status.isPresent()) {
            int code = status.getAsInt();
            if (code == 404 || code == 410) {
                return GitException.repositoryUnknown("there is no git repository at " + url.publicName());
            }
            if (code == 401 || code == 403) {
                return GitException.unavailable("git at " + url.publicName() + " refuses the credentials (HTTP " + code
                        + "); an operator must configure source.credentials");
            }
            if (code >= 500) {
                return GitException.unavailable("git at " + url.publicName() + " answers HTTP " + code);
            }
        }
        Throwable cause = deepest(failure);
        if (cause instanceof TooLargeObjectInPackException) {
            // JGit says both sizes
            return GitException.refused(
                    "cannot be built: a file in git's history is too large for the heap (-Xmx), make it"
                            + " smaller or have the heap raised; a quarter of it is the limit: "
                            + url.scrub(message(cause)));
        }
        if (cause instanceof SocketTimeoutException) {
            return GitException.unavailable(tooSlow(url.publicName(), config.timeout()));
        }
        if (cause instanceof CertPathBuilderException) {
            return GitException.unavailable("git at " + url.publicName() + " shows a certificate of an authority that"
                    + " is not trusted; an operator must set source.ca-file");
        }
        if (cause instanceof CertificateException) {
            return GitException.unavailable("git at " + url.publicName() + " shows a certificate that is not valid: "
                    + url.scrub(cause.getMessage()));
        }
        if (url.kind() == GitUrl.Kind.SSH
                && failure instanceof NoRemoteRepositoryException
                && SSH_NOT_FOUND.matcher(String.valueOf(failure.getMessage())).matches()) {
            return GitException.repositoryUnknown("there is no git repository at " + url.publicName());
        }
        Optional<String> ssh = refusedOverSsh(cause);
        if (ssh.isPresent()) {
            return GitException.unavailable("git at " + url.publicName() + " " + ssh.get());
        }
        return GitException.unavailable(
                "git at " + url.publicName() + " could not be read: " + url.scrub(message(cause)));
    }

    /** The same whichever of a connection and who waits for it notices first. */
    static String tooSlow(String name, Duration timeout) {
        return "git at " + name + " did not answer within " + timeout.toMillis() / 1000.0 + " s";
    }

    private static Optional<String> refusedOverSsh(Throwable cause) {
        int code = cause instanceof SshException failure ? failure.getDisconnectCode() : 0;
        return Optional.ofNullable(
                switch (code) {
                    case SshConstants.SSH2_DISCONNECT_NO_MORE_AUTH_METHODS_AVAILABLE ->
                        "refuses the ssh key; an operator must configure source.ssh.private-key or the ssh agent";
                    case SshConstants.SSH2_DISCONNECT_HOST_KEY_NOT_VERIFIABLE ->
                        "shows a host key that is not trusted; an operator must correct source.ssh.known-hosts";
                    default -> null;
                });
    }

    /** What JGit wraps says more than its wrapping, which repeats the address. */
    private static Throwable deepest(Throwable failure) {
        Throwable cause = failure;
        for (int depth = 0; depth < 10 && cause.getCause() != null; depth++) {
            cause = cause.getCause();
        }
        return cause;
    }

    private static String message(Throwable cause) {
        String message = cause.getMessage();
        String kind = cause.getClass().getSimpleName().toLowerCase(Locale.ROOT);
        if (message == null) {
            return cause.getClass().getSimpleName();
        }
        return kind.contains("unknownhost") ? "unknown host " + message : message;
    }
}
