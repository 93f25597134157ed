package dev.kiln.http.wire;

import akka.http.javadsl.model.AttributeKeys;
import akka.http.javadsl.model.HttpHeader;
import akka.http.javadsl.model.HttpMethods;
import akka.http.javadsl.model.HttpRequest;
import akka.http.javadsl.model.RemoteAddress;
import akka.http.javadsl.model.headers.TimeoutAccess;
import akka.stream.Materializer;
import akka.stream.javadsl.Sink;
import akka.stream.javadsl.Source;
import akka.util.ByteString;
import java.io.ByteArrayOutputStream;
import java.net.InetAddress;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * A request as the routes see it: the path undecoded, as it came on the wire, because decoding would make
 * {@code a%2Fb} and {@code a/b} the same; headers by name; the peer.
 */
public final class Call {
    private final HttpRequest request;
    private final Iterable<HttpHeader> headers;
    private final String path;
    private final Query query;
    private final CompletionStage<Void> gone;
    private final AtomicBoolean bodyBegun = new AtomicBoolean();
    private final CompletableFuture<Void> bodyUnwanted = new CompletableFuture<>();
    private final CompletableFuture<Void> bodyEnd = new CompletableFuture<>();
    private volatile boolean bodyRead;

    private Call(
            HttpRequest request, Iterable<HttpHeader> headers, String path, Query query, CompletionStage<Void> gone) {
        this.request = request;
        this.headers = headers;
        this.path = path;
        this.query = query;
        this.gone = gone;
    }

    /**
     * @param request from a listener with {@code raw-request-uri-header}, without which the path is Akka's reading of it
     * @param gone as {@link #gone}
     */
    public static Call of(HttpRequest request, CompletionStage<Void> gone) {
        Iterable<HttpHeader> headers = request.getHeaders();
        String target = first(headers, "raw-request-uri");
        if (target == null) {
            target = request.getUri().toString();
        }
        int begin = 0;
        if (!target.startsWith("/")) {
            // absolute-form (RFC 9112, 3.2.2): http://host/path
            int authority = target.indexOf("://");
            int slash = authority < 0 ? -1 : target.indexOf('/', authority + 3);
            begin = slash < 0 ? target.length() : slash;
        }
        int question = target.indexOf('?', begin);
        String path = target.substring(begin, question < 0 ? target.length() : question);
        Query query = question < 0 ? Query.NONE : new Query(target.substring(question + 1));
        return new Call(request, headers, path, query, gone);
    }

    public HttpRequest request() {
        return request;
    }

    /** Undecoded. Empty only for the asterisk-form and an absolute-form without a path. */
    public String path() {
        return path;
    }

    public Query query() {
        return query;
    }

    public boolean isGet() {
        return request.method().equals(HttpMethods.GET);
    }

    public boolean isHead() {
        return request.method().equals(HttpMethods.HEAD);
    }

    public boolean isPost() {
        return request.method().equals(HttpMethods.POST);
    }

    public boolean isPut() {
        return request.method().equals(HttpMethods.PUT);
    }

    public boolean isPatch() {
        return request.method().equals(HttpMethods.PATCH);
    }

    public boolean isDelete() {
        return request.method().equals(HttpMethods.DELETE);
    }

    /**
     * Its body, whatever its size, to be read once; fails when the client breaks off. Whoever stops reading need not care for
     * the rest: it waits until {@link #dropBody}.
     */
    public Source<ByteString, ?> body() {
        return bodyBegun.compareAndSet(false, true)
                ? request.entity()
                        .withoutSizeLimit()
                        .getDataBytes()
                        .via(new BodyToItsEnd(() -> bodyRead = true, bodyUnwanted, bodyEnd))
                : Source.failed(new IllegalStateException("the body is read or dropped already"));
    }

    /**
     * All of {@link #body}. Fails with a {@link akka.stream.StreamLimitReachedException} when it has more than {@code max}
     * bytes, and with a {@link java.util.concurrent.TimeoutException} when it has not come in time.
     */
    public CompletionStage<ByteString> bytes(long max, Duration time, Materializer materializer) {
        return body().completionTimeout(time)
                .limitWeighted(max, part -> (long) part.size())
                // A client chooses the size of the parts: kept as they are, parts of one byte take fifty times their
                // size.
                .runFold(
                        new ByteArrayOutputStream(),
                        (all, part) -> {
                            all.writeBytes(part.toArrayUnsafe());
                            return all;
                        },
                        materializer)
                .thenApply(all -> ByteString.fromArrayUnsafe(all.toByteArray()));
    }

    /** Whether the whole body has come: the connection can then take the next request. */
    public boolean isBodyRead() {
        return bodyRead || request.entity().isKnownEmpty();
    }

    /**
     * Drops what nobody has read of the body, as much as {@link BodyToItsEnd} says. For when there is an answer: until then the
     * client is held up, so that one that sends fast cannot come to the end of what is dropped before it.
     *
     * @return completes when no more of it comes, or is waited for
     */
    public CompletionStage<Void> dropBody(Materializer materializer) {
        bodyUnwanted.complete(null);
        if (!bodyBegun.get()) {
            body().runWith(Sink.cancelled(), materializer);
        }
        return bodyEnd;
    }

    /** Whether the client sends a body only when it is asked for it, and is not yet. */
    public boolean isBodyHeldBack() {
        return header("expect").isPresent() && !bodyBegun.get();
    }

    /** GET or HEAD. */
    public boolean isRead() {
        return isGet() || isHead();
    }

    /** The first header of that name, which is given in lower case. */
    public Optional<String> header(String lowerCaseName) {
        return Optional.ofNullable(first(headers, lowerCaseName));
    }

    /** Every header of that name, which is given in lower case, in order. */
    public List<String> headers(String lowerCaseName) {
        List<String> values = new ArrayList<>(2);
        for (HttpHeader header : headers) {
            if (header.is(lowerCaseName)) {
                values.add(header.value());
            }
        }
        return values;
    }

    private static String first(Iterable<HttpHeader> headers, String lowerCaseName) {
        for (HttpHeader header : headers) {
            if (header.is(lowerCaseName)) {
                return header.value();
            }
        }
        return null;
    }

    /** The peer's IP address, without its port; what a proxy says about others is not believed. */
    public String address() {
        return peer().map(InetAddress::getHostAddress).orElse("unknown");
    }

    /** Completed when the client closes its connection before it has the answer, and so waits for none. */
    public CompletionStage<Void> gone() {
        return gone;
    }

    /** The other end of the connection. */
    public Optional<InetAddress> peer() {
        return request.getAttribute(AttributeKeys.remoteAddress).flatMap(RemoteAddress::getAddress);
    }

    /** Lets this request take longer than the listener's request timeout. */
    public void allow(Duration time) {
        request.getHeader(TimeoutAccess.class)
                .ifPresent(header -> header.timeoutAccess()
                        .updateTimeout(
                                scala.concurrent.duration.Duration.create(time.toMillis(), TimeUnit.MILLISECONDS)));
    }
}
