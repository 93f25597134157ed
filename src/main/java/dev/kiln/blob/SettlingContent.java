package dev.kiln.blob;

import com.github.benmanes.caffeine.cache.AsyncCache;
import com.github.benmanes.caffeine.cache.Caffeine;
import dev.kiln.blob.Links.Link;
import dev.kiln.oci.Digest;
import dev.kiln.oci.RepositoryName;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.NoSuchFileException;
import java.time.Duration;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;

/**
 * The content of a folder that may show other nodes' files late. What is found decides at once. What is not is confirmed by
 * those who may have published it, and waited for, up to {@code store.settle}, where it should be there. Thread-safe,
 * never blocks; stages fail with an {@link IOException} as cause.
 */
public final class SettlingContent {
    /** A file system sends no word of what others have written: it is looked at again. */
    private static final Duration PAUSE = Duration.ofMillis(200);

    private static final Duration NEGATIVE_LIFE = Duration.ofSeconds(1);
    private static final int BOUND = 10_000;

    private final ContentStore content;
    private final Publishers others;
    private final Duration settle;
    private final Executor blocking;

    /** What the others said a moment ago: asking for what does not exist costs them little. */
    private final AsyncCache<Key, Word> words = Caffeine.newBuilder()
            .expireAfterWrite(NEGATIVE_LIFE)
            .maximumSize(BOUND)
            .buildAsync();

    private record Key(RepositoryName repository, Digest digest) {}

    /** What is known of a link that this node does not see. */
    public enum Word {
        /** Nobody has published it lately: it would show by now. */
        ABSENT,
        /** Somebody has published it. */
        PUBLISHED,
        /** Somebody who may have published it cannot be asked. */
        UNKNOWN
    }

    /** The other nodes that write to the folder. */
    @FunctionalInterface
    public interface Publishers {
        /** Never blocks. */
        CompletionStage<Word> ask(RepositoryName repository, Digest digest);
    }

    @FunctionalInterface
    private interface Look<T> {
        Optional<T> now() throws IOException;
    }

    /**
     * The content that several nodes share.
     *
     * @param settle how long a thing that should be there is waited for
     * @param blocking for reads of the store
     */
    public SettlingContent(ContentStore content, Publishers others, Duration settle, Executor blocking) {
        this.content = content;
        this.others = others;
        this.settle = settle;
        this.blocking = blocking;
    }

    /** The content of a folder that no other node writes to, where nothing is late. */
    public static SettlingContent ofOneNode(ContentStore content, Executor blocking) {
        return new SettlingContent(
                content,
                (repository, digest) -> CompletableFuture.completedFuture(Word.ABSENT),
                Duration.ZERO,
                blocking);
    }

    /** For what is published, and for streams of what is here. */
    public ContentStore content() {
        return content;
    }

    /** The link; empty when there is none. Fails with {@link LateContentException} for one that should be there. */
    public CompletionStage<Optional<Link>> link(RepositoryName repository, Digest digest) {
        Look<Link> look = () -> content.links().find(repository, digest);
        return look(look)
                .thenCompose(link -> link.isPresent()
                        ? CompletableFuture.completedFuture(link)
                        : words.get(
                                        new Key(repository, digest),
                                        (key, unused) ->
                                                others.ask(repository, digest).toCompletableFuture())
                                .thenCompose(word -> word == Word.ABSENT
                                        ? CompletableFuture.completedFuture(link)
                                        : lateLink(look, digest, word)));
    }

    /** A link that is likely to be there, waited for also where nobody can be asked; empty when it does not show. */
    public CompletionStage<Optional<Link>> awaitLink(RepositoryName repository, Digest digest) {
        return await(() -> content.links().find(repository, digest), deadline());
    }

    /** What was published before the wait shows at its end; so what nobody could be asked about is absent then. */
    private CompletionStage<Optional<Link>> lateLink(Look<Link> look, Digest digest, Word word) {
        return await(look, deadline()).thenApply(link -> {
            if (link.isEmpty() && word == Word.PUBLISHED) {
                throw new CompletionException(new LateContentException("the link of " + digest));
            }
            return link;
        });
    }

    /**
     * The size in bytes of a blob that a link names. Fails with {@link LateContentException} when it does not show, and
     * with {@link NoSuchFileException} where nothing is late.
     */
    public CompletionStage<Long> size(Digest digest) {
        return named(digest, () -> {
            OptionalLong size = content.blobs().size(digest);
            return size.isPresent() ? Optional.of(size.getAsLong()) : Optional.empty();
        });
    }

    /**
     * The first bytes of a blob that a link names. Fails as {@link #size}.
     *
     * @param max how many bytes are read at most
     */
    public CompletionStage<byte[]> bytes(Digest digest, int max) {
        return named(digest, () -> {
            try (InputStream in = content.blobs().open(digest)) {
                return Optional.of(in.readNBytes(max));
            } catch (NoSuchFileException e) {
                return Optional.empty();
            }
        });
    }

    private <T> CompletionStage<T> named(Digest digest, Look<T> look) {
        return await(look, deadline())
                .thenApply(found -> found.orElseThrow(() -> new CompletionException(
                        settle.isZero()
                                ? FileBlobStore.absent(digest.value())
                                : new LateContentException(digest.value()))));
    }

    private long deadline() {
        return System.nanoTime() + settle.toNanos();
    }

    private <T> CompletionStage<Optional<T>> await(Look<T> look, long deadline) {
        return look(look)
                .thenCompose(found -> found.isPresent() || System.nanoTime() - deadline >= 0
                        ? CompletableFuture.completedFuture(found)
                        : CompletableFuture.runAsync(
                                        () -> {},
                                        CompletableFuture.delayedExecutor(
                                                PAUSE.toMillis(), TimeUnit.MILLISECONDS, blocking))
                                .thenCompose(later -> await(look, deadline)));
    }

    private <T> CompletionStage<Optional<T>> look(Look<T> look) {
        return CompletableFuture.supplyAsync(
                () -> {
                    try {
                        return look.now();
                    } catch (IOException e) {
                        throw new CompletionException(e);
                    }
                },
                blocking);
    }
}
