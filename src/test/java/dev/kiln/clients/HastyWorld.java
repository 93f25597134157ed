package dev.kiln.clients;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpTimeoutException;
import java.time.Duration;

/** A world in which the registry's time is real and a client's own passes at once: it pauses for nothing. */
final class HastyWorld implements ScriptedClient.World {
    /** Against a server that hangs. */
    private static final Duration LIMIT = Duration.ofMinutes(3);

    private final HttpClient http =
            HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();

    @Override
    public HttpResponse<byte[]> exchange(HttpRequest request, Duration timeout) throws HttpTimeoutException {
        try {
            return http.send(
                    HttpRequest.newBuilder(request, (name, value) -> true)
                            .timeout(LIMIT)
                            .build(),
                    HttpResponse.BodyHandlers.ofByteArray());
        } catch (HttpTimeoutException e) {
            throw e;
        } catch (IOException e) {
            throw new UncheckedIOException(request.uri().toString(), e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException(e);
        }
    }

    @Override
    public void pause(Duration time) {
        // its pauses are not what is looked at
    }

    @Override
    public Duration now() {
        return Duration.ZERO;
    }
}
