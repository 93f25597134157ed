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
    private final Map<Digest, PushedManifest> manifests = new HashMap<>();
    /** By their text, which is ASCII: the order of its characters is that of its bytes. */
    private final NavigableMap<String, Digest> tags = new TreeMap<>();

    /** Which manifests refer to a digest. */
    private final Map<Digest, Set<Digest>> users = new HashMap<>();

    private final Map<Digest, TreeSet<Digest>> referrers = new HashMap<>();

    /** Manifests that were deleted and whose links were not, in that order. */
    private final Set<Digest> unlinked = new LinkedHashSet<>();

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
        Set<Digest> all = users.get(digest);
        return all == null ? Optional.empty() : all.stream().findFirst();
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

    /** Why this cannot be added: the repository would have more than {@code max} manifests or tags. */
    Optional<String> full(PushedManifest manifest, List<Tag> wanted, int max) {
        if (!manifests.containsKey(manifest.digest()) && manifests.size() >= max) {
            return Optional.of("this repository has " + manifests.size()
                    + " pushed manifests, and kiln.push.max-manifests allows no more: delete some");
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

    private void add(PushedManifest manifest) {
        manifests.put(manifest.digest(), manifest);
        manifest.references()
                .forEach(digest -> users.computeIfAbsent(digest, d -> new LinkedHashSet<>(2))
                        .add(manifest.digest()));
        manifest.subject()
                .ifPresent(subject ->
                        referrers.computeIfAbsent(subject, d -> new TreeSet<>()).add(manifest.digest()));
    }

    private void remove(Digest digest) {
        PushedManifest manifest = manifests.remove(digest);
        if (manifest == null) {
            return;
        }
        manifest.references().forEach(reference -> removeFrom(users, reference, digest));
        manifest.subject().ifPresent(subject -> removeFrom(referrers, subject, digest));
    }

    private static <S extends Set<Digest>> void removeFrom(Map<Digest, S> index, Digest key, Digest digest) {
        index.computeIfPresent(key, (k, all) -> all.remove(digest) && all.isEmpty() ? null : all);
    }
}
