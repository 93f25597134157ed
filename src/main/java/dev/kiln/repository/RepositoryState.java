package dev.kiln.repository;

import dev.kiln.oci.Digest;
import dev.kiln.oci.Tag;
import dev.kiln.repository.RepositoryEvent.LinkRemoved;
import dev.kiln.repository.RepositoryEvent.ManifestDeleted;
import dev.kiln.repository.RepositoryEvent.ManifestPushed;
import dev.kiln.repository.RepositoryEvent.TagDeleted;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.NavigableMap;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Collectors;

/**
 * What was pushed to one repository. Without Akka. It changes in place, since a copy for each of the events of a long life
 * would make a recovery take minutes: it belongs to one actor, and what it answers are copies.
 */
public final class RepositoryState {
    /** What the manifests that a repository takes refer to on average, at most: it is in memory too. */
    static final int REFERENCES = 20;

    private final Map<Digest, PushedManifest> manifests = new HashMap<>();
    /** By their text, which is ASCII: the order of its characters is that of its bytes. */
    private final NavigableMap<String, Digest> tags = new TreeMap<>();

    private final Map<Digest, Use> users = new HashMap<>();

    /** How many there are of each manifest, together. */
    private int references;

    private final Map<Digest, TreeSet<Digest>> referrers = new HashMap<>();

    /** Manifests that were deleted and whose links were not, in that order. */
    private final Set<Digest> unlinked = new LinkedHashSet<>();

    /**
     * Which manifests refer to a digest.
     *
     * @param digest the one object for it: layers that many images share are most of what is referred to
     */
    private record Use(Digest digest, Set<Digest> by) {
        Use(Digest digest) {
            this(digest, new LinkedHashSet<>(2));
        }
    }

    /**
     * A page of referrers.
     *
     * @param more whether others follow
     */
    record Referrers(List<PushedManifest> manifests, boolean more) {
        Referrers {
            manifests = List.copyOf(manifests);
        }
    }

    static RepositoryState of(RepositorySnapshot stored) {
        RepositoryState state = new RepositoryState();
        stored.manifests().forEach(state::add);
        state.tags.putAll(stored.tags());
        state.unlinked.addAll(stored.unlinked());
        return state;
    }

    RepositorySnapshot snapshot() {
        return new RepositorySnapshot(List.copyOf(manifests.values()), tags, List.copyOf(unlinked));
    }

    Optional<PushedManifest> manifest(Digest digest) {
        return Optional.ofNullable(manifests.get(digest));
    }

    Optional<PushedManifest> manifest(Tag tag) {
        return Optional.ofNullable(tags.get(tag.value())).flatMap(this::manifest);
    }

    /** Those of these that are manifests here. */
    Set<Digest> manifestsOf(List<Digest> digests) {
        return digests.stream().filter(manifests::containsKey).collect(Collectors.toSet());
    }

    /** A manifest that refers to this digest. */
    Optional<Digest> user(Digest digest) {
        return Optional.ofNullable(users.get(digest))
                .flatMap(use -> use.by().stream().findFirst());
    }

    /** At most {@code limit} tags after {@code after}, which may be any text, in byte order. */
    List<Tag> tags(String after, int limit) {
        return tags.tailMap(after, false).keySet().stream()
                .limit(limit)
                .map(Tag::new)
                .toList();
    }

    /** Those who name {@code subject}, in the order of their digests. */
    Referrers referrers(Digest subject, Optional<String> artifactType, Optional<Digest> after, int limit) {
        TreeSet<Digest> all = referrers.getOrDefault(subject, new TreeSet<>());
        List<PushedManifest> page = new ArrayList<>();
        for (Digest digest : after.map(last -> all.tailSet(last, false)).orElse(all)) {
            PushedManifest manifest = manifests.get(digest);
            if (artifactType.isEmpty() || artifactType.equals(manifest.artifactType())) {
                if (page.size() == limit) {
                    return new Referrers(page, true);
                }
                page.add(manifest);
            }
        }
        return new Referrers(page, false);
    }

    Set<Digest> unlinked() {
        return Set.copyOf(unlinked);
    }

    Optional<Digest> nextUnlinked() {
        return unlinked.stream().findFirst();
    }

    boolean isUnlinked(Digest digest) {
        return unlinked.contains(digest);
    }

    int size() {
        return manifests.size();
    }

    /** Whether all of this has been pushed already. */
    boolean holds(PushedManifest manifest, List<Tag> wanted) {
        return manifest(manifest.digest()).equals(Optional.of(manifest))
                && wanted.stream().allMatch(tag -> manifest.digest().equals(tags.get(tag.value())));
    }

    /** Why this cannot be added: the repository would have more than {@code max} manifests or tags, or what goes with them. */
    Optional<String> full(PushedManifest manifest, List<Tag> wanted, int max) {
        if (!manifests.containsKey(manifest.digest()) && manifests.size() >= max) {
            return Optional.of("this repository has " + manifests.size()
                    + " pushed manifests, and kiln.push.max-manifests allows no more: delete some");
        }
        int known = manifest(manifest.digest()).map(m -> m.references().size()).orElse(0);
        int added = manifest.references().size() - known;
        if (added > 0 && references + (long) added > (long) REFERENCES * max) {
            return Optional.of("the pushed manifests of this repository refer to " + references
                    + " things, and kiln.push.max-manifests allows no more than " + REFERENCES
                    + " times itself: delete some");
        }
        long more =
                wanted.stream().filter(tag -> !tags.containsKey(tag.value())).count();
        return tags.size() + more <= max
                ? Optional.empty()
                : Optional.of("this repository has " + tags.size()
                        + " pushed tags, and kiln.push.max-manifests allows no more: delete some");
    }

    /** @return this */
    public RepositoryState apply(RepositoryEvent event) {
        if (event instanceof ManifestPushed e) {
            remove(e.manifest().digest());
            add(e.manifest());
            unlinked.remove(e.manifest().digest());
            e.tags().forEach(tag -> tags.put(tag.value(), e.manifest().digest()));
        } else if (event instanceof ManifestDeleted e) {
            remove(e.digest());
            tags.values().removeIf(e.digest()::equals);
            unlinked.add(e.digest());
        } else if (event instanceof TagDeleted e) {
            tags.remove(e.tag().value());
        } else if (event instanceof LinkRemoved e) {
            unlinked.remove(e.digest());
        }
        return this;
    }

    private void add(PushedManifest pushed) {
        List<Digest> shared = new ArrayList<>();
        for (Digest reference : pushed.references()) {
            Use use = users.computeIfAbsent(reference, Use::new);
            use.by().add(pushed.digest());
            shared.add(use.digest());
        }
        PushedManifest manifest =
                new PushedManifest(pushed.descriptor(), shared, pushed.subject(), pushed.artifactType());
        manifests.put(manifest.digest(), manifest);
        references += shared.size();
        manifest.subject()
                .ifPresent(subject ->
                        referrers.computeIfAbsent(subject, d -> new TreeSet<>()).add(manifest.digest()));
    }

    private void remove(Digest digest) {
        PushedManifest manifest = manifests.remove(digest);
        if (manifest == null) {
            return;
        }
        references -= manifest.references().size();
        for (Digest reference : manifest.references()) {
            users.computeIfPresent(reference, (key, use) -> isLast(use.by(), digest) ? null : use);
        }
        manifest.subject()
                .ifPresent(
                        subject -> referrers.computeIfPresent(subject, (key, all) -> isLast(all, digest) ? null : all));
    }

    /** Whether nothing is left without it. */
    private static boolean isLast(Set<Digest> all, Digest digest) {
        all.remove(digest);
        return all.isEmpty();
    }
}
