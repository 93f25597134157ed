package dev.kiln.http.registry;

import static org.assertj.core.api.Assertions.assertThat;

import akka.http.javadsl.model.HttpRequest;
import akka.http.javadsl.model.HttpResponse;
import akka.stream.Materializer;
import com.typesafe.config.ConfigFactory;
import dev.kiln.blob.Links;
import dev.kiln.blob.PushTerms;
import dev.kiln.blob.PushedContent;
import dev.kiln.blob.SharedFolder;
import dev.kiln.blob.UploadChunk;
import dev.kiln.blob.Uploads;
import dev.kiln.http.wire.Call;
import dev.kiln.oci.Descriptor;
import dev.kiln.oci.Digest;
import dev.kiln.oci.RepositoryName;
import dev.kiln.testing.ActorSystemExtension;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;

/** Chunks that come to a node which does not see yet what another has taken before. */
class UploadRoutesTest {
    private static final RepositoryName APP = new RepositoryName("team/app");
    private static final Digest WHOLE = Digest.sha256("onetwo".getBytes(StandardCharsets.US_ASCII));

    @RegisterExtension
    static final ActorSystemExtension ACTORS =
            ActorSystemExtension.with(ConfigFactory.parseString("akka.actor.provider = local")
                    .withFallback(ConfigFactory.parseResources("kiln-akka.conf")));

    @TempDir
    Path directory;

    private final ExecutorService threads = Executors.newFixedThreadPool(4);
    /** The first try to end a chunk has come to nothing. */
    private final CountDownLatch tried = new CountDownLatch(1);

    private SharedFolder folder;
    private PushedContent content;
    private UploadRoutes routes;
    private String id;
    private Path shown;
    private Path late;

    @BeforeEach
    void open() throws IOException {
        folder = SharedFolder.open(directory, InstantSource.system());
        content = folder.pushed(new PushTerms(Duration.ofHours(1), Duration.ofHours(1), List.of()));
        Materializer materializer = Materializer.createMaterializer(ACTORS.system());
        Pushing pushing = new Pushing(
                null, null, null, new Shown(), folder.content(), threads, Duration.ofSeconds(20), materializer);
        routes = new UploadRoutes(pushing, Allowance.unlimited());
        Uploads uploads = content.uploads();
        id = uploads.open(APP);
        try (UploadChunk chunk = uploads.append(APP, id, 0)) {
            chunk.out().write("one".getBytes(StandardCharsets.US_ASCII));
            chunk.commit();
        }
        shown = directory.resolve("repositories/team/app/_uploads").resolve(id).resolve("0");
        late = directory.resolve("late");
        Files.move(shown, late);
    }

    @AfterEach
    void close() throws IOException {
        threads.shutdown();
        folder.close();
    }

    private HttpResponse send(HttpRequest request) throws Exception {
        CompletableFuture<HttpResponse> answer = routes.handle(
                        Call.of(request.withEntity("two"), new CompletableFuture<>()), new RegistryPath.Upload(APP, id))
                .toCompletableFuture();
        assertThat(tried.await(20, TimeUnit.SECONDS)).isTrue();
        Files.move(late, shown);
        return answer.get(20, TimeUnit.SECONDS);
    }

    @Test
    void aLastChunkWaitsForThoseBeforeIt() throws Exception {
        HttpResponse answer = send(HttpRequest.PUT("/v2/team/app/blobs/uploads/" + id + "?digest=" + WHOLE));

        assertThat(answer.status().intValue()).isEqualTo(201);
        assertThat(folder.content().blobs().size(WHOLE)).hasValue(6);
    }

    @Test
    void aChunkWithoutARangeWaitsForThoseBeforeIt() throws Exception {
        HttpResponse answer = send(HttpRequest.PATCH("/v2/team/app/blobs/uploads/" + id));

        assertThat(answer.status().intValue()).isEqualTo(202);
        assertThat(answer.getHeader("Range").orElseThrow().value()).isEqualTo("0-5");
        assertThat(content.uploads().finish(APP, id, WHOLE).size()).isEqualTo(6);
    }

    /** What is not shown is not in the way either, as it is where the folder is another node's: a first commit meets it. */
    private final class Shown implements PushedContent, Uploads {
        @Override
        public Uploads uploads() {
            return this;
        }

        @Override
        public UploadChunk append(RepositoryName repository, String upload) throws IOException {
            UploadChunk chunk = content.uploads().append(repository, upload);
            return new UploadChunk() {
                @Override
                public OutputStream out() {
                    return chunk.out();
                }

                @Override
                public long size() {
                    return chunk.size();
                }

                @Override
                public long commit() throws IOException {
                    if (tried.getCount() > 0) {
                        tried.countDown();
                        content.uploads().append(repository, upload, Long.MAX_VALUE);
                    }
                    return chunk.commit();
                }

                @Override
                public Descriptor finish(Digest expected) throws IOException {
                    try {
                        return chunk.finish(expected);
                    } finally {
                        tried.countDown();
                    }
                }

                @Override
                public void close() throws IOException {
                    chunk.close();
                }
            };
        }

        @Override
        public String open(RepositoryName repository, String algorithm) throws IOException {
            return content.uploads().open(repository, algorithm);
        }

        @Override
        public OptionalLong offset(RepositoryName repository, String upload) throws IOException {
            return content.uploads().offset(repository, upload);
        }

        @Override
        public UploadChunk append(RepositoryName repository, String upload, long from) throws IOException {
            return content.uploads().append(repository, upload, from);
        }

        @Override
        public Descriptor finish(RepositoryName repository, String upload, Digest expected) throws IOException {
            return content.uploads().finish(repository, upload, expected);
        }

        @Override
        public boolean cancel(RepositoryName repository, String upload) throws IOException {
            return content.uploads().cancel(repository, upload);
        }

        @Override
        public Optional<Links.Link> use(RepositoryName repository, Digest digest) {
            throw new UnsupportedOperationException();
        }

        @Override
        public Optional<Links.Link> useAsBlob(RepositoryName repository, Digest digest) {
            throw new UnsupportedOperationException();
        }

        @Override
        public void publishManifest(RepositoryName repository, Descriptor manifest, byte[] bytes) {
            throw new UnsupportedOperationException();
        }

        @Override
        public Optional<Long> mount(RepositoryName from, RepositoryName to, Digest digest) {
            throw new UnsupportedOperationException();
        }

        @Override
        public Optional<Long> mountFromAny(RepositoryName to, Digest digest) {
            throw new UnsupportedOperationException();
        }

        @Override
        public boolean remove(
                RepositoryName repository,
                Digest digest,
                Set<Links.Kind> kinds,
                Optional<Instant> untouchedSince,
                Decision decision) {
            throw new UnsupportedOperationException();
        }
    }
}
