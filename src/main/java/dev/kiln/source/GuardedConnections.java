package dev.kiln.source;

import java.io.EOFException;
import java.io.FilterInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.net.HttpURLConnection;
import java.net.Proxy;
import java.net.SocketTimeoutException;
import java.net.URL;
import java.net.URLConnection;
import java.net.URLStreamHandler;
import java.util.Optional;
import java.util.OptionalInt;
import javax.net.ssl.HttpsURLConnection;
import javax.net.ssl.SSLSocketFactory;
import org.eclipse.jgit.transport.http.HttpConnection;
import org.eclipse.jgit.transport.http.HttpConnectionFactory;
import org.eclipse.jgit.transport.http.JDKHttpConnection;

/**
 * The http connections of one conversation with a git server. Refuses a redirect to another host, so that credentials
 * and trust stay where the operator put them; ends a look-up that takes too long or too much, since the JDK's time-out is
 * for each read alone; and notices an answer that is cut short, which the JDK reports as a normal end.
 */
final class GuardedConnections implements HttpConnectionFactory {
    /** Any other answer is a page for people, or the file of a plain web server, which could end early without a sign. */
    private static final String SMART = "application/x-git-upload-pack-advertisement";

    private final GitUrl url;
    private final Optional<SSLSocketFactory> tls;
    private final long deadline;
    private final long maxBytes;
    private volatile int status = -1;
    private volatile HttpURLConnection awaitingHeaders;

    private GuardedConnections(GitUrl url, Optional<SSLSocketFactory> tls, long deadline, long maxBytes) {
        this.url = url;
        this.tls = tls;
        this.deadline = deadline;
        this.maxBytes = maxBytes;
    }

    /**
     * @param tls who is trusted over https; empty: whom the Java runtime trusts
     * @param deadline in {@link System#nanoTime}; of everything together
     */
    static GuardedConnections bounded(GitUrl url, Optional<SSLSocketFactory> tls, long deadline, long maxBytes) {
        return new GuardedConnections(url, tls, deadline, maxBytes);
    }

    static GuardedConnections unbounded(GitUrl url, Optional<SSLSocketFactory> tls) {
        return new GuardedConnections(url, tls, 0, Long.MAX_VALUE);
    }

    /** The status with which the server answered the request for its refs, when it did. */
    OptionalInt status() {
        return status < 0 ? OptionalInt.empty() : OptionalInt.of(status);
    }

    /** Ends the request that still waits for its answer to begin; one that is being read ends by its deadline. */
    void abort() {
        HttpURLConnection connection = awaitingHeaders;
        if (connection != null) {
            connection.disconnect();
        }
    }

    @Override
    public HttpConnection create(URL target) throws IOException {
        return create(target, Proxy.NO_PROXY);
    }

    @Override
    public HttpConnection create(URL target, Proxy proxy) throws IOException {
        int port = target.getPort() > 0 ? target.getPort() : target.getDefaultPort();
        boolean upgraded = target.getProtocol().equals("https")
                && "http".equals(url.uri().getScheme())
                && port == target.getDefaultPort();
        if (!url.host().equalsIgnoreCase(target.getHost()) || (port != url.port() && !upgraded)) {
            throw new IOException("the git server redirects to another host, which Kiln does not follow");
        }
        Opener opener = new Opener();
        return new Guarded(new URL(null, target.toExternalForm(), opener), proxy, opener);
    }

    /** Keeps hold of the connection, which JGit's class hides and which alone can be closed by another thread. */
    private final class Opener extends URLStreamHandler {
        private HttpURLConnection opened;

        @Override
        protected URLConnection openConnection(URL target) throws IOException {
            return openConnection(target, Proxy.NO_PROXY);
        }

        @Override
        protected URLConnection openConnection(URL target, Proxy proxy) throws IOException {
            opened = (HttpURLConnection) new URL(target.toExternalForm()).openConnection(proxy);
            if (opened instanceof HttpsURLConnection secure) {
                tls.ifPresent(secure::setSSLSocketFactory);
            }
            return opened;
        }
    }

    private final class Guarded extends JDKHttpConnection {
        private final HttpURLConnection connection;

        Guarded(URL target, Proxy proxy, Opener opener) throws IOException {
            super(target, proxy);
            this.connection = opener.opened;
        }

        @Override
        public int getResponseCode() throws IOException {
            checkDeadline();
            awaitingHeaders = connection;
            try {
                int code = super.getResponseCode();
                if (getURL().getPath().endsWith("/info/refs")) {
                    status = code;
                    requireGit(code);
                }
                return code;
            } finally {
                awaitingHeaders = null;
            }
        }

        private void requireGit(int code) throws IOException {
            String type = String.valueOf(connection.getContentType());
            if (code == HttpURLConnection.HTTP_OK && !type.startsWith(SMART)) {
                throw new IOException("the server does not speak git's smart http protocol there");
            }
        }

        @Override
        public InputStream getInputStream() throws IOException {
            return new GuardedStream(super.getInputStream(), connection.getContentLengthLong());
        }
    }

    private void checkDeadline() throws SocketTimeoutException {
        if (deadline != 0 && System.nanoTime() - deadline > 0) {
            throw new SocketTimeoutException("the answer took too long");
        }
    }

    private final class GuardedStream extends FilterInputStream {
        private final long announced;
        private long seen;

        GuardedStream(InputStream in, long announced) {
            super(in);
            this.announced = announced;
        }

        @Override
        public int read() throws IOException {
            byte[] one = new byte[1];
            return read(one, 0, 1) < 0 ? -1 : one[0] & 0xff;
        }

        @Override
        public int read(byte[] bytes, int offset, int length) throws IOException {
            checkDeadline();
            int count = super.read(bytes, offset, length);
            if (count < 0 && seen < announced) {
                throw new EOFException("the answer ended early");
            }
            seen += Math.max(count, 0);
            if (seen > maxBytes) {
                throw new IOException("the answer is longer than " + maxBytes + " bytes");
            }
            return count;
        }

        @Override
        public long skip(long count) throws IOException {
            byte[] skipped = new byte[(int) Math.min(count, 8192)];
            return Math.max(0, read(skipped, 0, skipped.length));
        }

        @Override
        public boolean markSupported() {
            return false;
        }
    }
}
