package dev.kiln.http.registry;

import static org.assertj.core.api.Assertions.assertThat;

import akka.http.javadsl.model.HttpEntity;
import akka.http.javadsl.model.HttpRequest;
import akka.http.javadsl.model.HttpResponse;
import dev.kiln.blob.ContentStore;
import dev.kiln.blob.SettlingContent;
import dev.kiln.http.wire.Call;
import dev.kiln.oci.Descriptor;
import dev.kiln.oci.Digest;
import dev.kiln.oci.MediaTypes;
import dev.kiln.oci.RepositoryName;
import dev.kiln.problem.Problem;
import dev.kiln.problem.ProblemCode;
import dev.kiln.repository.PushedManifest;
import dev.kiln.repository.RepositoryCommand.Referrers;
import dev.kiln.testing.MemoryBlobStore;
import dev.kiln.testing.UnaskedRepositories;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/** Referrers of which this node does not see yet what another node has written. */
class ReferrerRoutesTest {
    private static final RepositoryName APP = new RepositoryName("team/app");
    private static final Digest SUBJECT = Digest.sha256(new byte[0]);

    private final MemoryBlobStore blobs = new MemoryBlobStore();

    private static byte[] content(int number) {
        return ("{\"annotations\":{\"number\":\"" + number + "\"}}").getBytes(StandardCharsets.US_ASCII);
    }

    private CompletableFuture<HttpResponse> list(int manifests, Duration settle) {
        SettlingContent content = new SettlingContent(
                new ContentStore(blobs, null),
                (repository, digest) -> CompletableFuture.completedFuture(SettlingContent.Word.ABSENT),
                settle,
                Runnable::run);
        Pushing pushing =
                new Pushing(new Owner(manifests), null, null, null, content.content(), Runnable::run, settle, null);
        return new ReferrerRoutes(content, pushing)
                .list(Call.of(HttpRequest.GET("/"), new CompletableFuture<>()), APP, SUBJECT)
                .toCompletableFuture();
    }

    @Test
    void aReferrerThatDoesNotShowYetIsWaitedFor() throws Exception {
        CompletableFuture<HttpResponse> answer = list(2, Duration.ofSeconds(20));
        assertThat(answer).isNotDone();

        blobs.put(content(0));
        blobs.put(content(1));

        HttpEntity.Strict entity =
                (HttpEntity.Strict) answer.get(20, TimeUnit.SECONDS).entity();
        assertThat(entity.getData().utf8String()).contains("\"number\":\"0\"", "\"number\":\"1\"");
    }

    @Test
    void aPageIsWaitedForNoLongerThanOneReferrer() {
        assertThat(list(100, Duration.ofSeconds(1)))
                .failsWithin(Duration.ofSeconds(20))
                .withThrowableThat()
                .havingCause()
                .isInstanceOfSatisfying(Problem.class, p -> assertThat(p.code()).isEqualTo(ProblemCode.UNAVAILABLE));
    }

    private static final class Owner extends UnaskedRepositories {
        private final int manifests;

        Owner(int manifests) {
            this.manifests = manifests;
        }

        @Override
        public CompletionStage<Referrers> referrers(
                RepositoryName repository, Digest subject, Optional<String> artifactType, Optional<Digest> after) {
            return CompletableFuture.completedFuture(new Referrers(
                    IntStream.range(0, manifests)
                            .mapToObj(i -> new PushedManifest(
                                    new Descriptor(
                                            MediaTypes.OCI_MANIFEST, Digest.sha256(content(i)), content(i).length),
                                    List.of(),
                                    Optional.of(SUBJECT),
                                    Optional.empty()))
                            .toList(),
                    false));
        }
    }
}
