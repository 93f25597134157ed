package dev.kiln.http.registry;

import akka.stream.Materializer;
import dev.kiln.blob.ContentStore;
import dev.kiln.blob.PushedContent;
import dev.kiln.http.wire.Call;
import dev.kiln.image.PushedImages;
import dev.kiln.repository.Pushes;
import dev.kiln.repository.Repositories;
import java.time.Duration;
import java.util.concurrent.Executor;

/**
 * What repositories that clients push to are served from.
 *
 * @param content what was pushed
 * @param store what was pushed and what was built
 * @param blocking writes to the store, and never anything else
 * @param settle how long something may take to show that another node has put into the store
 * @param materializer runs the streams of uploads
 */
public record Pushing(
        Repositories repositories,
        Pushes pushes,
        PushedImages images,
        PushedContent content,
        ContentStore store,
        Executor blocking,
        Duration settle,
        Materializer materializer) {
    /** The dispatcher of {@link #blocking}, by its name in the configuration. */
    public static final String DISPATCHER = "kiln-upload-dispatcher";

    /** Beside what is waited for: what a listener lets every request take. */
    private static final Duration ANSWERING = Duration.ofSeconds(20);

    /** How long a request waits for what shows late: a link and then its bytes, a place in an upload and then a chunk. */
    Duration settling() {
        return settle.multipliedBy(2);
    }

    /** Lets a request wait so long: the listener would answer 503 while what it waits for shows. */
    void allowSettling(Call call) {
        call.allow(settling().plus(ANSWERING));
    }
}
