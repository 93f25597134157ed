package dev.kiln.repository;

import akka.actor.typed.ActorRef;
import dev.kiln.oci.Digest;
import dev.kiln.oci.Tag;
import dev.kiln.oci.Wire;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/** What a repository's entity is told and answers. All of it fits into one message between nodes. */
public sealed interface RepositoryCommand extends Wire {
    /** The most digests that one push may pin, and so the most that a manifest may refer to. */
    int MAX_DIGESTS = 1500;

    /** The most that one answer lists. */
    int MAX_PAGE = 500;

    /**
     * A push begins: none of these is removed until its {@link Put}, or for two minutes. Answered when none of them is
     * being removed.
     *
     * @param digests what the manifest refers to, and its own
     */
    record Begin(List<Digest> digests, ActorRef<BeginAnswer> replyTo) implements RepositoryCommand {
        public Begin {
            digests = List.copyOf(digests);
        }
    }

    sealed interface BeginAnswer extends Wire {
        /**
         * None of it goes.
         *
         * @param incarnation of the entity, which forgets its pins when it moves
         * @param manifests those of what is pinned that were pushed as manifests; a node of an older version says nothing
         *     of them
         */
        record Pinned(String incarnation, long pin, Set<Digest> manifests) implements BeginAnswer {
            public Pinned {
                manifests = manifests == null ? Set.of() : Set.copyOf(manifests);
            }
        }

        /** Too many pushes are under way. */
        record Busy() implements BeginAnswer {}
    }

    /** All that was pinned is in the content store, and so are the manifest and its link: record it, and these tags. */
    record Put(
            String incarnation,
            long pin,
            PushedManifest manifest,
            List<Tag> tags,
            Pusher by,
            ActorRef<PutAnswer> replyTo)
            implements RepositoryCommand {
        public Put {
            tags = List.copyOf(tags);
        }
    }

    sealed interface PutAnswer extends Wire {
        /** It is durable. */
        record Stored() implements PutAnswer {}

        /** The pin holds no more: look again whether all is there. */
        record Again() implements PutAnswer {}

        /** @param message one line: what there is too much of */
        record Full(String message) implements PutAnswer {}
    }

    /** The push ends without a {@link Put}. */
    record Release(String incarnation, long pin) implements RepositoryCommand {}

    record GetManifest(Digest digest, ActorRef<Found> replyTo) implements RepositoryCommand {}

    record GetTag(Tag tag, ActorRef<Found> replyTo) implements RepositoryCommand {}

    /** @param manifest empty when none is here */
    record Found(Optional<PushedManifest> manifest) implements Wire {}

    /** Whether a pushed manifest refers to a digest. */
    record GetUser(Digest digest, ActorRef<User> replyTo) implements RepositoryCommand {}

    /** @param manifest one that does; empty when none does */
    record User(Optional<Digest> manifest) implements Wire {}

    /** The tags after {@code after}, which may be any text, in byte order, at most {@link #MAX_PAGE}. */
    record ListTags(String after, ActorRef<Tags> replyTo) implements RepositoryCommand {}

    record Tags(List<Tag> tags) implements Wire {
        public Tags {
            tags = List.copyOf(tags);
        }
    }

    /** Who names {@code subject}, in the order of their digests, at most {@link #MAX_PAGE} without their references. */
    record ListReferrers(
            Digest subject, Optional<String> artifactType, Optional<Digest> after, ActorRef<Referrers> replyTo)
            implements RepositoryCommand {}

    /**
     * @param manifests without their references
     * @param more whether others follow the last one
     */
    record Referrers(List<PushedManifest> manifests, boolean more) implements Wire {
        public Referrers {
            manifests = List.copyOf(manifests);
        }
    }

    record DeleteTag(Tag tag, Pusher by, ActorRef<DeleteAnswer> replyTo) implements RepositoryCommand {}

    /** Refused while another manifest refers to it, or a push is about to. Its tags go with it; its referrers stay. */
    record DeleteManifest(Digest digest, Pusher by, ActorRef<DeleteAnswer> replyTo) implements RepositoryCommand {}

    /**
     * Removes the link of a blob, which is gone when this is answered. Refused while a manifest refers to it, or a push is
     * about to.
     *
     * @param untouchedSince refused as well when the link has been used since then; empty: whenever it was used
     */
    record Drop(Digest digest, Optional<Instant> untouchedSince, ActorRef<DeleteAnswer> replyTo)
            implements RepositoryCommand {}

    /** Which of these no manifest and no push under way needs. At most {@link #MAX_DIGESTS}. */
    record FindUnneeded(List<Digest> digests, ActorRef<Unneeded> replyTo) implements RepositoryCommand {
        public FindUnneeded {
            digests = List.copyOf(digests);
        }
    }

    record Unneeded(List<Digest> digests) implements Wire {
        public Unneeded {
            digests = List.copyOf(digests);
        }
    }

    sealed interface DeleteAnswer extends Wire {
        record Deleted() implements DeleteAnswer {}

        /** There is no such tag or manifest. */
        record Unknown() implements DeleteAnswer {}

        /** @param message one line: what still needs it */
        record Refused(String message) implements DeleteAnswer {}

        /** The content store failed; the link may be there or not. */
        record Failed() implements DeleteAnswer {}
    }

    /** What the entity tells itself. */
    non-sealed interface Own extends RepositoryCommand {}
}
