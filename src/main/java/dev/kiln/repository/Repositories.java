package dev.kiln.repository;

import dev.kiln.oci.Digest;
import dev.kiln.oci.RepositoryName;
import dev.kiln.oci.Tag;
import dev.kiln.repository.RepositoryCommand.BeginAnswer;
import dev.kiln.repository.RepositoryCommand.DeleteAnswer;
import dev.kiln.repository.RepositoryCommand.PutAnswer;
import dev.kiln.repository.RepositoryCommand.Referrers;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletionStage;

/**
 * What was pushed to repositories, as their owners say: every answer knows of all that was answered before it, on whichever
 * node. Thread-safe, never blocks; stages fail with a TimeoutException when an owner is away.
 */
public interface Repositories {
    CompletionStage<Optional<PushedManifest>> manifest(RepositoryName repository, Digest digest);

    CompletionStage<Optional<PushedManifest>> manifest(RepositoryName repository, Tag tag);

    /** A pushed manifest that refers to this digest. */
    CompletionStage<Optional<Digest>> user(RepositoryName repository, Digest digest);

    /** Tags after {@code after}, which may be any text, in byte order, at most {@link RepositoryCommand#MAX_PAGE}. */
    CompletionStage<List<Tag>> tags(RepositoryName repository, String after);

    /** Who names {@code subject}, in the order of their digests. */
    CompletionStage<Referrers> referrers(
            RepositoryName repository, Digest subject, Optional<String> artifactType, Optional<Digest> after);

    /** As {@link RepositoryCommand.Begin}. */
    CompletionStage<BeginAnswer> begin(RepositoryName repository, List<Digest> digests);

    /** As {@link RepositoryCommand.Put}. */
    CompletionStage<PutAnswer> put(
            RepositoryName repository, BeginAnswer.Pinned pin, PushedManifest manifest, List<Tag> tags, Pusher by);

    /** As {@link RepositoryCommand.Release}. */
    void release(RepositoryName repository, BeginAnswer.Pinned pin);

    CompletionStage<DeleteAnswer> deleteTag(RepositoryName repository, Tag tag, Pusher by);

    /** As {@link RepositoryCommand.DeleteManifest}. */
    CompletionStage<DeleteAnswer> deleteManifest(RepositoryName repository, Digest digest, Pusher by);

    /** As {@link RepositoryCommand.Drop}, whenever the blob was used. */
    CompletionStage<DeleteAnswer> deleteBlob(RepositoryName repository, Digest digest);
}
