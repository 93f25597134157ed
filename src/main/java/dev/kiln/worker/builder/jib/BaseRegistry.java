package dev.kiln.worker.builder.jib;

import com.fasterxml.jackson.databind.JsonNode;
import dev.kiln.oci.Descriptor;
import dev.kiln.oci.ImageManifest;
import dev.kiln.oci.MediaTypes;
import dev.kiln.worker.builder.jib.AddressPolicy.RefusedAddressException;
import java.io.ByteArrayOutputStream;
import java.io.Closeable;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.URI;
import java.net.URISyntaxException;
import java.net.URLEncoder;
import java.net.UnknownHostException;
import java.nio.charset.StandardCharsets;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.http.Header;
import org.apache.http.HttpEntity;
import org.apache.http.HttpHeaders;
import org.apache.http.client.config.CookieSpecs;
import org.apache.http.client.config.RequestConfig;
import org.apache.http.client.methods.CloseableHttpResponse;
import org.apache.http.client.methods.HttpGet;
import org.apache.http.config.ConnectionConfig;
import org.apache.http.config.MessageConstraints;
import org.apache.http.config.Registry;
import org.apache.http.config.RegistryBuilder;
import org.apache.http.conn.socket.ConnectionSocketFactory;
import org.apache.http.conn.socket.PlainConnectionSocketFactory;
import org.apache.http.conn.ssl.SSLConnectionSocketFactory;
import org.apache.http.impl.client.CloseableHttpClient;
import org.apache.http.impl.client.HttpClients;
import org.apache.http.impl.conn.BasicHttpClientConnectionManager;

/**
 * Pulls from one repository of one registry (distribution specification, "Pull"), anonymously. The image's name and every
 * answer are a stranger's: it connects only to allowed addresses, asks for tokens only where the registry itself is,
 * shows a token to nobody else, and reads no more than it was promised. Used by one thread, ended by any.
 */
final class BaseRegistry implements Closeable {
    private static final int MAX_HOPS = 5;
    private static final int MAX_TOKEN_ANSWER = 256 * 1024;
    private static final int CONNECT_TIMEOUT_MS = 10_000;
    private static final int SILENCE_TIMEOUT_MS = 30_000;
    private static final Pattern TOKEN = Pattern.compile("[\\x21-\\x7e]{1,16384}");
    private static final Pattern PARAMETER = Pattern.compile("([a-z]+)=\"([^\"]*)\"");
    private static final String MANIFESTS = String.join(
            ", ", MediaTypes.OCI_INDEX, MediaTypes.DOCKER_LIST, MediaTypes.OCI_MANIFEST, MediaTypes.DOCKER_MANIFEST);

    private final BaseReference image;
    private final Cancellation cancellation;
    private final URI repository;
    private final AddressPolicy policy;
    private final CloseableHttpClient http;
    private Optional<String> token = Optional.empty();

    /** @throws JibFailure when the registry's address is refused or not known */
    BaseRegistry(BaseReference image, boolean allowPrivate, Cancellation cancellation) throws JibFailure {
        this.image = image;
        this.cancellation = cancellation;
        this.repository = image.repositoryUri();
        this.policy = policy(allowPrivate);
        this.http = HttpClients.custom()
                .setConnectionManager(connections())
                .setDefaultRequestConfig(RequestConfig.custom()
                        .setConnectTimeout(CONNECT_TIMEOUT_MS)
                        .setSocketTimeout(SILENCE_TIMEOUT_MS)
                        .setConnectionRequestTimeout(CONNECT_TIMEOUT_MS)
                        .setCookieSpec(CookieSpecs.IGNORE_COOKIES)
                        .build())
                .setUserAgent("kiln")
                .disableRedirectHandling()
                .disableAutomaticRetries()
                .disableAuthCaching()
                .disableCookieManagement()
                .disableContentCompression()
                .build();
    }

    /** A registry on the internet must not lead into the private network, so a private one alone opens it. */
    private AddressPolicy policy(boolean allowPrivate) throws JibFailure {
        if (repository.getScheme().equals("http") && !allowPrivate) {
            throw refusedAddress();
        }
        if (!allowPrivate) {
            return AddressPolicy.PUBLIC;
        }
        try {
            for (InetAddress address : InetAddress.getAllByName(repository.getHost())) {
                if (!AddressPolicy.PUBLIC.allows(address)) {
                    return AddressPolicy.PRIVATE_TOO;
                }
            }
            return AddressPolicy.PUBLIC;
        } catch (UnknownHostException e) {
            throw unreachable(e);
        }
    }

    private BasicHttpClientConnectionManager connections() {
        Registry<ConnectionSocketFactory> sockets = RegistryBuilder.<ConnectionSocketFactory>create()
                .register("https", SSLConnectionSocketFactory.getSocketFactory())
                .register("http", PlainConnectionSocketFactory.getSocketFactory())
                .build();
        BasicHttpClientConnectionManager connections =
                new BasicHttpClientConnectionManager(sockets, null, null, policy);
        connections.setConnectionConfig(ConnectionConfig.custom()
                .setMessageConstraints(MessageConstraints.custom()
                        .setMaxLineLength(32 * 1024)
                        .setMaxHeaderCount(128)
                        .build())
                .build());
        return connections;
    }

    /** The bytes of a manifest or index, unverified: the caller knows what they must be. */
    byte[] manifest(String reference) throws JibFailure, IOException, InterruptedException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        get(repository.resolve("manifests/" + reference), MANIFESTS, ImageManifest.MAX_SIZE, bytes);
        return bytes.toByteArray();
    }

    /** Writes a blob, at most as long as its descriptor says, unverified. */
    void blob(Descriptor descriptor, OutputStream out) throws JibFailure, IOException, InterruptedException {
        get(repository.resolve("blobs/" + descriptor.digest()), "*/*", descriptor.size(), out);
    }

    // GET with at most one new token and a few redirects
    private void get(URI uri, String accept, long limit, OutputStream out)
            throws JibFailure, IOException, InterruptedException {
        URI target = uri;
        boolean challenged = false;
        for (int hop = 0; hop <= MAX_HOPS + 1; hop++) {
            boolean own = sameOrigin(target, repository);
            HttpGet request = new HttpGet(target);
            request.setHeader(HttpHeaders.ACCEPT, accept);
            if (own && token.isPresent()) {
                request.setHeader(HttpHeaders.AUTHORIZATION, "Bearer " + token.get());
            }
            Answer answer = exchange(request, limit, out);
            if (answer.status() == 200) {
                return;
            } else if (answer.status() == 401 && own && !challenged) {
                challenged = true;
                token = Optional.of(newToken(answer.challenge()));
            } else if (answer.status() / 100 == 3 && !answer.location().isEmpty()) {
                target = redirect(target, answer.location());
            } else {
                throw unexpected(answer.status());
            }
        }
        throw JibFailure.source("could not fetch the base image " + image + ": its registry redirects too often");
    }

    private record Answer(int status, String location, String challenge) {
        static Answer of(CloseableHttpResponse response) {
            return new Answer(
                    response.getStatusLine().getStatusCode(),
                    header(response, HttpHeaders.LOCATION),
                    header(response, HttpHeaders.WWW_AUTHENTICATE));
        }

        private static String header(CloseableHttpResponse response, String name) {
            Header header = response.getFirstHeader(name);
            return header == null || header.getValue() == null ? "" : header.getValue();
        }
    }

    /** One request; the body goes to {@code out} only with status 200, and is dropped unread otherwise. */
    private Answer exchange(HttpGet request, long limit, OutputStream out)
            throws JibFailure, IOException, InterruptedException {
        Cancellation.Registration registration = cancellation.onCancel(request::abort);
        try (CloseableHttpResponse response = execute(request)) {
            Answer answer = Answer.of(response);
            if (answer.status() == 200) {
                copy(response.getEntity(), limit, out);
            }
            return answer;
        } finally {
            registration.close();
        }
    }

    private CloseableHttpResponse execute(HttpGet request) throws JibFailure, InterruptedException {
        try {
            return http.execute(request);
        } catch (RefusedAddressException e) {
            throw refusedAddress();
        } catch (IOException e) {
            cancellation.check();
            throw unreachable(e);
        }
    }

    private void copy(HttpEntity entity, long limit, OutputStream out)
            throws JibFailure, IOException, InterruptedException {
        if (entity == null) {
            return;
        }
        long left = limit;
        byte[] buffer = new byte[64 * 1024];
        // closing the response, not this stream, drops the connection: what a stranger still wants to send is not read
        InputStream in = entity.getContent();
        while (true) {
            int read;
            try {
                read = in.read(buffer);
            } catch (IOException e) {
                cancellation.check();
                throw unreachable(e);
            }
            if (read < 0) {
                return;
            }
            left -= read;
            if (left < 0) {
                throw JibFailure.source(
                        "could not fetch the base image " + image + ": the registry sends more than it promised");
            }
            out.write(buffer, 0, read);
            cancellation.check();
        }
    }

    private URI redirect(URI from, String location) throws JibFailure {
        try {
            URI to = from.resolve(location);
            boolean secure = "https".equals(to.getScheme());
            boolean local = "http".equals(to.getScheme())
                    && from.getScheme().equals("http")
                    && to.getHost() != null
                    && BaseReference.isLoopback(to.getHost());
            if (to.getHost() == null || to.getUserInfo() != null) {
                throw new IllegalArgumentException("no host");
            }
            if (!secure && !local) {
                // an address that would be refused anyway is the clearer reason
                policy.resolve(to.getHost());
                throw JibFailure.source("could not fetch the base image " + image + ": its registry redirects to http");
            }
            return to;
        } catch (RefusedAddressException e) {
            throw refusedAddress();
        } catch (UnknownHostException e) {
            throw unreachable(e);
        } catch (IllegalArgumentException e) {
            throw JibFailure.source(
                    "could not fetch the base image " + image + ": its registry redirects to an invalid address", e);
        }
    }

    // distribution's token specification; the scope asked for is our own, never the challenge's
    private String newToken(String challenge) throws JibFailure, IOException, InterruptedException {
        if (!challenge.regionMatches(true, 0, "Bearer ", 0, 7)) {
            throw JibFailure.source("could not fetch the base image " + image
                    + ": its registry asks for a password, and Kiln pulls base images anonymously");
        }
        String realm = "";
        String service = "";
        Matcher matcher = PARAMETER.matcher(challenge);
        while (matcher.find()) {
            switch (matcher.group(1)) {
                case "realm" -> realm = matcher.group(2);
                case "service" -> service = matcher.group(2);
                default -> {}
            }
        }
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        Answer answer = exchange(new HttpGet(realm(realm, service)), MAX_TOKEN_ANSWER, bytes);
        if (answer.status() != 200) {
            throw unexpected(answer.status());
        }
        try {
            JsonNode json = ImageManifest.parseObject(bytes.toByteArray());
            String found = json.path("token").asText(json.path("access_token").asText(""));
            if (!TOKEN.matcher(found).matches()) {
                throw new IllegalArgumentException("no token");
            }
            return found;
        } catch (IllegalArgumentException e) {
            throw JibFailure.infrastructure(
                    "could not fetch the base image " + image + ": its registry's token service answers nonsense", e);
        }
    }

    /** A realm elsewhere would let a registry point Kiln at any server: the origin of the registry, or Docker Hub's pair. */
    private URI realm(String realm, String service) throws JibFailure {
        try {
            URI uri = new URI(realm);
            boolean dockerHub = "registry-1.docker.io".equals(repository.getAuthority())
                    && "https".equals(uri.getScheme())
                    && "auth.docker.io".equals(uri.getAuthority());
            if (sameOrigin(uri, repository) || dockerHub) {
                String query =
                        "service=" + encode(service) + "&scope=" + encode("repository:" + image.repository() + ":pull");
                return new URI(uri.getScheme() + "://" + uri.getRawAuthority()
                        + (uri.getRawPath() == null ? "" : uri.getRawPath()) + "?" + query);
            }
        } catch (URISyntaxException e) {
            // refused like any other realm that is not the registry's own
        }
        throw JibFailure.source("could not fetch the base image " + image
                + ": its registry sends clients to another host for tokens, which Kiln does not follow");
    }

    private static String encode(String text) {
        return URLEncoder.encode(text, StandardCharsets.UTF_8);
    }

    private static boolean sameOrigin(URI a, URI b) {
        return a.getHost() != null
                && a.getUserInfo() == null
                && a.getHost().equalsIgnoreCase(b.getHost())
                && b.getScheme().equalsIgnoreCase(a.getScheme())
                && port(a) == port(b);
    }

    private static int port(URI uri) {
        return uri.getPort() >= 0 ? uri.getPort() : "http".equalsIgnoreCase(uri.getScheme()) ? 80 : 443;
    }

    private JibFailure unexpected(int status) {
        String attempt = "could not fetch the base image " + image + ": ";
        return switch (status) {
            case 401, 403 ->
                JibFailure.source(attempt + "its registry denies it to anonymous clients (status " + status + ")");
            case 404 -> JibFailure.source(attempt + "its registry does not have it (status 404)");
            default ->
                status == 429 || status == 408 || status >= 500
                        ? JibFailure.infrastructure(attempt + "its registry answered with status " + status, null)
                        : JibFailure.source(attempt + "its registry answered with status " + status);
        };
    }

    private JibFailure unreachable(IOException e) {
        return JibFailure.infrastructure(
                "could not fetch the base image " + image + ": its registry does not answer ("
                        + e.getClass().getSimpleName() + ")",
                e);
    }

    private JibFailure refusedAddress() {
        return JibFailure.source("could not fetch the base image " + image
                + ": it leads to an address in a range that Kiln does not connect to for builds");
    }

    @Override
    public void close() throws IOException {
        http.close();
    }
}
