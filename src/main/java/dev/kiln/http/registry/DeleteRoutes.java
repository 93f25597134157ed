package dev.kiln.http.registry;

import akka.http.javadsl.model.HttpResponse;
import akka.http.javadsl.model.StatusCodes;
import dev.kiln.blob.Links;
import dev.kiln.config.RepositoryConfig;
import dev.kiln.http.wire.Headers;
import dev.kiln.oci.Digest;
import dev.kiln.oci.RepositoryName;
import dev.kiln.oci.Tag;
import dev.kiln.problem.Problem;
import dev.kiln.problem.ProblemCode;
import dev.kiln.repository.Pusher;
import dev.kiln.repository.Pushes;
import dev.kiln.repository.RepositoryCommand.DeleteAnswer;
import java.io.IOException;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;

/**
 * Deletes of what clients pushed (distribution specification, "Content Management"). What Kiln built or composed stays, and
 * so does what something still refers to.
 */
final class DeleteRoutes {
    private final Pushing pushing;

    DeleteRoutes(Pushing pushing) {
        this.pushing = pushing;
    }

    /** {@code DELETE /v2/<name>/manifests/<tag>} */
    CompletionStage<HttpResponse> tag(RepositoryConfig config, RepositoryName name, Tag tag, Pusher by) {
        return pushing.repositories().deleteTag(name, tag, by).thenCompose(answer -> {
            if (!(answer instanceof DeleteAnswer.Unknown)) {
                return CompletableFuture.completedFuture(render(answer));
            }
            return pushing.images().isOfSource(config, name, tag).thenApply(ofSource -> {
                throw ofSource
                        ? new Problem(ProblemCode.DENIED, "the tag comes from the source, and is deleted there")
                        : new Problem(ProblemCode.MANIFEST_UNKNOWN, "no such tag was pushed to this repository");
            });
        });
    }

    /** {@code DELETE /v2/<name>/manifests/<digest>} */
    CompletionStage<HttpResponse> manifest(RepositoryName name, Digest digest, Pusher by) {
        return link(name, digest).thenCompose(link -> {
            if (link.isPresent() && !link.get().origin().equals(Pushes.ORIGIN)) {
                throw new Problem(
                        ProblemCode.DENIED, "it was built here and not pushed: what is built stays for who pinned it");
            }
            return pushing.repositories().deleteManifest(name, digest, by).thenApply(answer -> {
                if (answer instanceof DeleteAnswer.Unknown) {
                    throw new Problem(ProblemCode.MANIFEST_UNKNOWN, "this repository has no manifest of that digest");
                }
                return render(answer);
            });
        });
    }

    /** {@code DELETE /v2/<name>/blobs/<digest>} */
    CompletionStage<HttpResponse> blob(RepositoryName name, Digest digest) {
        return link(name, digest).thenCompose(link -> {
            if (link.isEmpty()) {
                throw noBlob();
            }
            if (!link.get().origin().equals(Pushes.ORIGIN)) {
                throw new Problem(ProblemCode.DENIED, "it is part of what was built here, which stays");
            }
            return pushing.repositories().deleteBlob(name, digest).thenApply(answer -> {
                if (answer instanceof DeleteAnswer.Unknown) {
                    throw noBlob();
                }
                return render(answer);
            });
        });
    }

    private static Problem noBlob() {
        return new Problem(ProblemCode.BLOB_UNKNOWN, "this repository has no blob of that digest");
    }

    private CompletionStage<Optional<Links.Link>> link(RepositoryName name, Digest digest) {
        return CompletableFuture.supplyAsync(
                () -> {
                    try {
                        return pushing.store().links().find(name, digest);
                    } catch (IOException e) {
                        throw new Problem(ProblemCode.UNAVAILABLE, "could not read the content store: try again", e);
                    }
                },
                pushing.blocking());
    }

    private static HttpResponse render(DeleteAnswer answer) {
        if (answer instanceof DeleteAnswer.Refused refused) {
            throw new Problem(ProblemCode.DENIED, "not deleted: " + refused.message());
        }
        if (answer instanceof DeleteAnswer.Failed) {
            throw new Problem(ProblemCode.UNAVAILABLE, "the content store could not be written: try again");
        }
        return HttpResponse.create().withStatus(StatusCodes.ACCEPTED).withHeaders(List.of(Headers.NO_STORE));
    }
}
