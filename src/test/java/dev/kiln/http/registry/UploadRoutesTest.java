package dev.kiln.http.registry;

import static org.assertj.core.api.Assertions.assertThat;

import akka.http.javadsl.model.HttpRequest;
import akka.http.javadsl.model.HttpResponse;
import akka.http.javadsl.model.headers.RawHeader;
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
import dev.kiln.problem.Problem;
import dev.kiln.problem.ProblemCode;
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
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;

/** Requests that come to a node which does not see yet what another has taken before. */
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
    /** The first look, or try to end a chunk, has come to nothing. */
    private final CountDownLatch tried = new CountDownLatch(1);

    private final AtomicLong looks = new AtomicLong();

    private SharedFolder folder;
    private PushedContent content;
    private Materializer materializer;
    private String id;
    private Path session;
    private Path late;
    private boolean grows;

    @BeforeEach
    void open() throws IOException {
        folder = SharedFolder.open(directory, InstantSource.system());
        content = folder.pushed(new PushTerms(Duration.ofHours(1), Duration.ofHours(1), List.of()));
        materializer = Materializer.createMaterializer(ACTORS.system());
        Uploads uploads = content.uploads();
        id = uploads.open(APP);
        try (UploadChunk chunk = uploads.append(APP, id, 0)) {
            chunk.out().write("one".getBytes(StandardCharsets.US_ASCII));
            chunk.commit();
        }
        session = directory.resolve("repositories/team/app/_uploads").resolve(id);
        late = directory.resolve("late");
        Files.move(session, late);
    }

    @AfterEach
    void close() throws IOException {
        threads.shutdown();
        folder.close();
    }

    private CompletableFuture<HttpResponse> answer(HttpRequest request, Duration settle) {
        Pushing pushing = new Pushing(null, null, null, new Shown(), folder.content(), threads, settle, materializer);
        return new UploadRoutes(pushing, Allowance.unlimited())
                .handle(Call.of(request, new CompletableFuture<>()), new RegistryPath.Upload(APP, id))
                .toCompletableFuture();
    }

    private HttpResponse send(HttpRequest request) throws Exception {
        CompletableFuture<HttpResponse> answer = answer(request, Duration.ofSeconds(20));
        assertThat(tried.await(20, TimeUnit.SECONDS)).isTrue();
        Files.deleteIfExists(session);
        Files.move(late, session);
        return answer.get(20, TimeUnit.SECONDS);
    }

    private String target() {
        return "/v2/team/app/blobs/uploads/" + id;
    }

    @Test
    void anUploadThatDoesNotShowYetIsWaitedFor() throws Exception {
        HttpResponse answer = send(HttpRequest.GET(target()));

        assertThat(answer.status().intValue()).isEqualTo(204);
        assertThat(answer.getHeader("Range").orElseThrow().value()).isEqualTo("0-2");
    }

    @Test
    void soItIsByAChunk() throws Exception {
        HttpResponse answer =
                send(HttpRequest.PATCH(target()).withEntity("two").addHeader(RawHeader.create("Content-Range", "3-5")));

        assertThat(answer.status().intValue()).isEqualTo(202);
        assertThat(content.uploads().finish(APP, id, WHOLE).size()).isEqualTo(6);
    }

    @Test
    void soItIsByItsEnd() throws Exception {
        HttpResponse answer =
                send(HttpRequest.PUT(target() + "?digest=" + WHOLE).withEntity("two"));

        assertThat(answer.status().intValue()).isEqualTo(201);
    }

    @Test
    void soItIsByADelete() throws Exception {
        assertThat(send(HttpRequest.DELETE(target())).status().intValue()).isEqualTo(204);
        assertThat(session).doesNotExist();
    }

    @Test
    void anUploadThatNeverShowsIsUnknown() {
        for (HttpRequest request : List.of(
                HttpRequest.GET(target()),
                HttpRequest.PATCH(target()).withEntity("two"),
                HttpRequest.PUT(target() + "?digest=" + WHOLE),
                HttpRequest.DELETE(target()))) {
            assertThat(answer(request, Duration.ofMillis(300)))
                    .failsWithin(Duration.ofSeconds(20))
                    .withThrowableThat()
                    .havingRootCause()
                    .isInstanceOfSatisfying(
                            Problem.class, p -> assertThat(p.code()).isEqualTo(ProblemCode.BLOB_UPLOAD_UNKNOWN));
        }
    }

    /** What grows for ever keeps nobody for ever. */
    @Test
    void aDigestIsWrongInABoundedTime() throws Exception {
        Files.createDirectory(session);
        grows = true;

        assertThat(answer(HttpRequest.PUT(target() + "?digest=" + WHOLE), Duration.ofSeconds(1)))
                .failsWithin(Duration.ofSeconds(20))
                .withThrowableThat()
                .havingRootCause()
                .isInstanceOfSatisfying(Problem.class, p -> assertThat(p.code()).isEqualTo(ProblemCode.DIGEST_INVALID));
        assertThat(looks).hasValueGreaterThan(1);
    }

    @Test
    void aLastChunkWaitsForThoseBeforeIt() throws Exception {
        Files.createDirectory(session);
        HttpResponse answer =
                send(HttpRequest.PUT(target() + "?digest=" + WHOLE).withEntity("two"));

        assertThat(answer.status().intValue()).isEqualTo(201);
        assertThat(folder.content().blobs().size(WHOLE)).hasValue(6);
    }

    @Test
    void aChunkWithoutARangeWaitsForThoseBeforeIt() throws Exception {
        Files.createDirectory(session);
        HttpResponse answer = send(HttpRequest.PATCH(target()).withEntity("two"));

        assertThat(answer.status().intValue()).isEqualTo(202);
        assertThat(answer.getHeader("Range").orElseThrow().value()).isEqualTo("0-5");
        assertThat(content.uploads().finish(APP, id, WHOLE).size()).isEqualTo(6);
    }

    private interface Append {
        UploadChunk run() throws IOException;
    }

    /** What is not shown is not in the way either, as it is where the folder is another node's: a first commit meets it. */
    private final class Shown implements PushedContent, Uploads {
        @Override
        public Uploads uploads() {
            return this;
        }

        @Override
        public UploadChunk append(RepositoryName repository, String upload) throws IOException {
            UploadChunk chunk = seen(() -> content.uploads().append(repository, upload));
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
                        throw new OffsetException(0, true);
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

        private UploadChunk seen(Append append) throws IOException {
            try {
                return append.run();
            } catch (NoSuchUploadException e) {
                tried.countDown();
                throw e;
            }
        }

        @Override
        public String open(RepositoryName repository, String algorithm) throws IOException {
            return content.uploads().open(repository, algorithm);
        }

        @Override
        public OptionalLong offset(RepositoryName repository, String upload) throws IOException {
            long look = looks.incrementAndGet();
            OptionalLong offset =
                    grows ? OptionalLong.of(look) : content.uploads().offset(repository, upload);
            if (offset.isEmpty()) {
                tried.countDown();
            }
            return offset;
        }

        @Override
        public UploadChunk append(RepositoryName repository, String upload, long from) throws IOException {
            return seen(() -> content.uploads().append(repository, upload, from));
        }

        @Override
        public Descriptor finish(RepositoryName repository, String upload, Digest expected) throws IOException {
            return content.uploads().finish(repository, upload, expected);
        }

        @Override
        public boolean cancel(RepositoryName repository, String upload) throws IOException {
            boolean cancelled = content.uploads().cancel(repository, upload);
            if (!cancelled) {
                tried.countDown();
            }
            return cancelled;
        }

        private static AssertionError unasked() {
            return new AssertionError("uploads must not ask this");
        }

        @Override
        public Optional<Links.Link> use(RepositoryName repository, Digest digest) {
            throw unasked();
        }

        @Override
        public Optional<Links.Link> useAsBlob(RepositoryName repository, Digest digest) {
            throw unasked();
        }

        @Override
        public void publishManifest(RepositoryName repository, Descriptor manifest, byte[] bytes) {
            throw unasked();
        }

        @Override
        public Optional<Long> mount(RepositoryName from, RepositoryName to, Digest digest) {
            throw unasked();
        }

        @Override
        public Optional<Long> mountFromAny(RepositoryName to, Digest digest) {
            throw unasked();
        }

        @Override
        public boolean remove(
                RepositoryName repository,
                Digest digest,
                Set<Links.Kind> kinds,
                Optional<Instant> untouchedSince,
                Decision decision) {
            throw unasked();
        }
    }
}
