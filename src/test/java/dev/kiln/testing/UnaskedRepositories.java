package dev.kiln.testing;

import dev.kiln.oci.Digest;
import dev.kiln.oci.RepositoryName;
import dev.kiln.oci.Tag;
import dev.kiln.repository.PushedManifest;
import dev.kiln.repository.Pusher;
import dev.kiln.repository.Repositories;
import dev.kiln.repository.RepositoryCommand.BeginAnswer;
import dev.kiln.repository.RepositoryCommand.DeleteAnswer;
import dev.kiln.repository.RepositoryCommand.PutAnswer;
import dev.kiln.repository.RepositoryCommand.Referrers;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletionStage;

/** Owners of repositories that must not be asked; a test says what they answer to what it has asked. */
public abstract class UnaskedRepositories implements Repositories {
    private static AssertionError unasked() {
        return new AssertionError("this must not be asked here");
    }

    @Override
    public CompletionStage<Optional<PushedManifest>> manifest(RepositoryName repository, Digest digest) {
        throw unasked();
    }

    @Override
    public CompletionStage<Optional<PushedManifest>> manifest(RepositoryName repository, Tag tag) {
        throw unasked();
    }

    @Override
    public CompletionStage<Optional<Digest>> user(RepositoryName repository, Digest digest) {
        throw unasked();
    }

    @Override
    public CompletionStage<List<Tag>> tags(RepositoryName repository, String after) {
        throw unasked();
    }

    @Override
    public CompletionStage<Referrers> referrers(
            RepositoryName repository, Digest subject, Optional<String> artifactType, Optional<Digest> after) {
        throw unasked();
    }

    @Override
    public CompletionStage<BeginAnswer> begin(RepositoryName repository, List<Digest> digests) {
        throw unasked();
    }

    @Override
    public CompletionStage<PutAnswer> put(
            RepositoryName repository, BeginAnswer.Pinned pin, PushedManifest manifest, List<Tag> tags, Pusher by) {
        throw unasked();
    }

    @Override
    public void release(RepositoryName repository, BeginAnswer.Pinned pin) {
        throw unasked();
    }

    @Override
    public CompletionStage<DeleteAnswer> deleteTag(RepositoryName repository, Tag tag, Pusher by) {
        throw unasked();
    }

    @Override
    public CompletionStage<DeleteAnswer> deleteManifest(RepositoryName repository, Digest digest, Pusher by) {
        throw unasked();
    }

    @Override
    public CompletionStage<DeleteAnswer> deleteBlob(RepositoryName repository, Digest digest) {
        throw unasked();
    }
}
