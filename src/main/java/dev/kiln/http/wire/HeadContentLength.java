package dev.kiln.http.wire;

import akka.http.scaladsl.model.headers.CustomHeader;

/**
 * {@code Content-Length} on the answer to a HEAD over HTTP/1.x. Akka HTTP from 10.5.0 on renders none there
 * (akka-http#4481), and container clients refuse a manifest without it. Not for HTTP/2, where Akka renders it and a second
 * one breaks the answer. To be removed when that issue is fixed.
 */
public final class HeadContentLength extends CustomHeader {
    private final long length;

    public HeadContentLength(long length) {
        this.length = length;
    }

    @Override
    public String name() {
        return "Content-Length";
    }

    @Override
    public String value() {
        return Long.toString(length);
    }

    @Override
    public boolean renderInRequests() {
        return false;
    }

    @Override
    public boolean renderInResponses() {
        return true;
    }
}
