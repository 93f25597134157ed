package dev.kiln.http.wire;

import akka.http.javadsl.model.HttpHeader;
import akka.http.javadsl.model.headers.Connection;
import akka.http.javadsl.model.headers.RawHeader;

/** The response headers that need no request to be known, and the way to make the others. */
public final class Headers {
    public static final HttpHeader NO_SNIFF = of("X-Content-Type-Options", "nosniff");
    public static final HttpHeader NO_STORE = of("Cache-Control", "no-store");
    /** What a digest names never changes. */
    public static final HttpHeader IMMUTABLE = of("Cache-Control", "public, max-age=31536000, immutable");

    public static final HttpHeader CLOSE = Connection.create("close");

    private Headers() {}

    public static HttpHeader of(String name, String value) {
        return RawHeader.create(name, value);
    }

    public static HttpHeader warning(String line) {
        return of("Warning", OneLine.warning(line));
    }

    public static HttpHeader allow(String methods) {
        return of("Allow", methods);
    }
}
