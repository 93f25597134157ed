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
import dev.kiln.image.PullAnswer;
import dev.kiln.image.PushedImages;
import dev.kiln.oci.Digest;
import dev.kiln.oci.RepositoryName;
import dev.kiln.oci.Tag;
import dev.kiln.repository.RepositoryCommand.Referrers;
import dev.kiln.testing.ActorSystemExtension;
import dev.kiln.testing.MemoryBlobStore;
import dev.kiln.testing.PullBench;
import dev.kiln.testing.Unasked;
import dev.kiln.testing.UnaskedRepositories;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

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

    /** What the listener has been told. */
    private Duration allowed = Duration.ZERO;

    private final CompletableFuture<Optional<PullAnswer.Served>> manifest = new CompletableFuture<>();
    private final Images images = Unasked.but(
            Images.class, Map.of("pull", pull -> new CompletableFuture<>(), "manifest", digest -> manifest));
    private final SettlingContent content = SettlingContent.ofOneNode(
            new ContentStore(
                    new MemoryBlobStore(), Unasked.but(Links.class, Map.of("find", digest -> Optional.empty()))),
            task -> {});
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
        var listener = Unasked.but(akka.http.scaladsl.TimeoutAccess.class, Map.of("updateTimeout", timeout -> {
            allowed = Duration.ofMillis(((scala.concurrent.duration.Duration) timeout[0]).toMillis());
            return null;
        }));
        return Call.of(request.addHeader(TimeoutAccess.create(listener)), new CompletableFuture<>());
    }

    private void assertAllowed(CompletionStage<?> answer, Duration atLeast) {
        assertThat(answer.toCompletableFuture()).isNotDone();
        assertThat(allowed).isGreaterThanOrEqualTo(atLeast);
    }

    @Test
    void aManifestByDigest() {
        Call call = call(HttpRequest.GET("/"));

        assertAllowed(manifests.byDigest(call, APP, DIGEST, false), SETTLE.plusSeconds(20));
    }

    @Test
    void aManifestThatIsThereNeedsNoTime() {
        manifest.complete(Optional.empty());

        assertThat(manifests.byDigest(call(HttpRequest.GET("/")), APP, DIGEST, false))
                .isDone();
        assertThat(allowed).isZero();
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
}
