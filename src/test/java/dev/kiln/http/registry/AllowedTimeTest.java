package dev.kiln.http.registry;

import static org.assertj.core.api.Assertions.assertThat;

import akka.http.javadsl.model.HttpRequest;
import akka.http.javadsl.model.headers.TimeoutAccess;
import akka.stream.Materializer;
import com.typesafe.config.ConfigFactory;
import dev.kiln.blob.ContentStore;
import dev.kiln.blob.Links;
import dev.kiln.blob.SettlingContent;
import dev.kiln.config.KilnConfig;
import dev.kiln.config.RepositoryConfig;
import dev.kiln.http.wire.Call;
import dev.kiln.http.wire.Forwarding;
import dev.kiln.image.Images;
import dev.kiln.image.IndexHistory;
import dev.kiln.image.Pull;
import dev.kiln.image.PullAnswer;
import dev.kiln.image.PushedImages;
import dev.kiln.oci.Digest;
import dev.kiln.oci.Platform;
import dev.kiln.oci.RepositoryName;
import dev.kiln.oci.Tag;
import dev.kiln.repository.RepositoryCommand.Referrers;
import dev.kiln.testing.ActorSystemExtension;
import dev.kiln.testing.MemoryBlobStore;
import dev.kiln.testing.PullBench;
import dev.kiln.testing.UnaskedRepositories;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import scala.Function1;

/** Where a request may wait for what another node has written, the listener lets it take as long. */
class AllowedTimeTest {
    private static final RepositoryName APP = new RepositoryName("team/app");
    private static final Digest DIGEST = Digest.sha256(new byte[0]);
    private static final Duration SETTLE = Duration.ofMinutes(1);
    private static final RepositoryConfig REPOSITORY =
            PullBench.repository(new RepositoryConfig.AnswerWhen.Hinted(), RepositoryConfig.Start.ALL);

    @RegisterExtension
    static final ActorSystemExtension ACTORS =
            ActorSystemExtension.with(ConfigFactory.parseString("akka.actor.provider = local")
                    .withFallback(ConfigFactory.parseResources("kiln-akka.conf")));

    private final Allowed allowed = new Allowed();
    private final Held images = new Held();
    private final SettlingContent content =
            SettlingContent.ofOneNode(new ContentStore(new MemoryBlobStore(), new NoLinks()), task -> {});
    private final Pushing pushing = new Pushing(
            new Owners(),
            null,
            new PushedImages(PullBench.config(REPOSITORY), new Owners(), null, content, SETTLE),
            null,
            null,
            task -> {},
            SETTLE,
            Materializer.createMaterializer(ACTORS.system()));
    private final ManifestRoutes manifests = new ManifestRoutes(
            images,
            pushing,
            new KilnConfig.Http("127.0.0.1", 0, Optional.empty(), List.of()),
            new Forwarding(List.of()),
            () -> "");

    private Call call(HttpRequest request) {
        return Call.of(request.addHeader(TimeoutAccess.create(allowed)), new CompletableFuture<>());
    }

    private void assertAllowed(CompletionStage<?> answer, Duration atLeast) {
        assertThat(answer.toCompletableFuture()).isNotDone();
        assertThat(allowed.time).isGreaterThanOrEqualTo(atLeast);
    }

    @Test
    void aManifestByDigest() {
        Call call = call(HttpRequest.GET("/"));

        assertAllowed(manifests.byDigest(call, APP, DIGEST, false), SETTLE.plusSeconds(20));
    }

    @Test
    void aManifestThatIsThereNeedsNoTime() {
        images.manifest.complete(Optional.empty());

        assertThat(manifests.byDigest(call(HttpRequest.GET("/")), APP, DIGEST, false))
                .isDone();
        assertThat(allowed.time).isZero();
    }

    /** What its last hop waited for may have been built by another node a moment ago. */
    @Test
    void aManifestByTagBesideItsHop() {
        assertAllowed(
                manifests.byTag(
                        call(HttpRequest.GET("/")),
                        REPOSITORY,
                        new RegistryPath.ManifestByTag(APP, new Tag("main")),
                        Optional.empty()),
                REPOSITORY.hop().plus(SETTLE));
    }

    @Test
    void aBlob() {
        BlobRoutes blobs = new BlobRoutes(content, task -> {}, pushing);

        assertAllowed(blobs.get(call(HttpRequest.GET("/")), APP, DIGEST, false), SETTLE.plusSeconds(20));
    }

    @Test
    void aManifestThatIsPushed() {
        ManifestPushRoutes pushes = new ManifestPushRoutes(pushing, new Forwarding(List.of()));

        assertAllowed(
                pushes.byDigest(call(HttpRequest.PUT("/").withEntity("{}")), REPOSITORY, APP, DIGEST),
                SETTLE.plusSeconds(20));
    }

    @Test
    void referrers() {
        ReferrerRoutes referrers = new ReferrerRoutes(content, pushing);

        assertAllowed(referrers.list(call(HttpRequest.GET("/")), APP, DIGEST), SETTLE.plusSeconds(20));
    }

    private static final class Owners extends UnaskedRepositories {
        @Override
        public CompletionStage<Referrers> referrers(
                RepositoryName repository, Digest subject, Optional<String> artifactType, Optional<Digest> after) {
            return new CompletableFuture<>();
        }
    }

    private static final class NoLinks implements Links {
        @Override
        public void publish(RepositoryName repository, Digest digest, Link link) {
            throw new UnsupportedOperationException();
        }

        @Override
        public Optional<Link> find(RepositoryName repository, Digest digest) {
            return Optional.empty();
        }
    }

    private static final class Held implements Images {
        final CompletableFuture<Optional<PullAnswer.Served>> manifest = new CompletableFuture<>();

        @Override
        public CompletionStage<PullAnswer> pull(Pull pull) {
            return new CompletableFuture<>();
        }

        @Override
        public CompletionStage<String> pointers(RepositoryName repository, Tag tag) {
            throw new UnsupportedOperationException();
        }

        @Override
        public CompletionStage<IndexHistory> indexes(RepositoryName repository, Tag tag, Optional<Platform> platform) {
            throw new UnsupportedOperationException();
        }

        @Override
        public CompletionStage<Optional<PullAnswer.Served>> manifest(RepositoryName repository, Digest digest) {
            return manifest;
        }

        @Override
        public CompletionStage<List<Tag>> tags(RepositoryName repository, String after, int limit) {
            throw new UnsupportedOperationException();
        }
    }

    /** What the listener has been told. */
    private static final class Allowed implements akka.http.scaladsl.TimeoutAccess {
        Duration time = Duration.ZERO;

        @Override
        public scala.concurrent.duration.Duration timeout() {
            return scala.concurrent.duration.Duration.create(time.toMillis(), TimeUnit.MILLISECONDS);
        }

        @Override
        public void updateTimeout(scala.concurrent.duration.Duration timeout) {
            time = Duration.ofMillis(timeout.toMillis());
        }

        @Override
        public void updateHandler(
                Function1<akka.http.scaladsl.model.HttpRequest, akka.http.scaladsl.model.HttpResponse> handler) {
            throw new UnsupportedOperationException();
        }

        @Override
        public void updateHandler(akka.japi.Function<HttpRequest, akka.http.javadsl.model.HttpResponse> handler) {
            throw new UnsupportedOperationException();
        }

        @Override
        public void update(
                scala.concurrent.duration.Duration timeout,
                Function1<akka.http.scaladsl.model.HttpRequest, akka.http.scaladsl.model.HttpResponse> handler) {
            throw new UnsupportedOperationException();
        }

        @Override
        public void update(
                scala.concurrent.duration.Duration timeout,
                akka.japi.Function<HttpRequest, akka.http.javadsl.model.HttpResponse> handler) {
            throw new UnsupportedOperationException();
        }
    }
}
