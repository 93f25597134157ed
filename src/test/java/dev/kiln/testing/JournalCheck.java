package dev.kiln.testing;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kiln.build.BuildEvent;
import dev.kiln.build.BuildState;
import dev.kiln.build.BuildStatus;
import dev.kiln.build.JournalRules;
import dev.kiln.build.QueueEvent;
import dev.kiln.build.QueueState;
import dev.kiln.image.IndexComposer;
import dev.kiln.image.IndexComposer.Child;
import dev.kiln.image.TagEvent;
import dev.kiln.image.TagKey;
import dev.kiln.image.TagState;
import dev.kiln.oci.BuildKey;
import dev.kiln.oci.Descriptor;
import dev.kiln.oci.Digest;
import dev.kiln.oci.ImageManifest;
import dev.kiln.oci.Platform;
import dev.kiln.oci.RepositoryName;
import dev.kiln.repository.PushedManifest;
import dev.kiln.repository.RepositoryEvent;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;

/** What holds of a server's journal and content store at any moment at which the server may die. */
public final class JournalCheck {
    private final JournalReader journal;
    private final Path store;
    private final Map<BuildKey, BuildState> builds = new TreeMap<>();

    private JournalCheck(JournalReader journal, Path store) {
        this.journal = journal;
        this.store = store;
    }

    /**
     * Checks what a server that has ended left under {@code dataDir}.
     *
     * @return the builds that somebody asked for and that have no end yet: the next start has to complete them
     */
    public static Set<BuildKey> check(Path dataDir) {
        return check(JournalReader.read(dataDir), dataDir);
    }

    public static Set<BuildKey> check(JournalReader journal, Path dataDir) {
        JournalCheck check = new JournalCheck(journal, dataDir.resolve("store"));
        check.builds();
        Set<BuildKey> unfinished = check.queue();
        journal.tags().forEach((id, events) -> check.tag(TagKey.of(id), events));
        journal.repositories().forEach((id, events) -> check.pushed(new RepositoryName(id), events));
        return unfinished;
    }

    private void builds() {
        journal.builds().forEach((id, events) -> {
            JournalRules.check(events);
            BuildKey key = BuildKey.of(id);
            BuildState state = BuildState.EMPTY;
            for (BuildEvent event : events) {
                state = state.apply(event);
            }
            builds.put(key, state);
            state.status(key).manifest().ifPresent(manifest -> image(key.repository(), manifest));
        });
    }

    private Set<BuildKey> queue() {
        QueueState state = QueueState.EMPTY;
        long fence = 0;
        Set<BuildKey> unfinished = new TreeSet<>();
        for (QueueEvent event : journal.queue()) {
            if (event instanceof QueueEvent.Granted granted) {
                assertThat(granted.fence()).as("fences grow").isGreaterThan(fence);
                fence = granted.fence();
            }
            state = state.apply(event);
        }
        assertThat(state.entries().stream().map(QueueState.Entry::key)).doesNotHaveDuplicates();
        for (QueueState.Entry entry : state.entries()) {
            BuildState build = builds.getOrDefault(entry.key(), BuildState.EMPTY);
            if (entry.request() > build.request() || !ended(build)) {
                unfinished.add(entry.key());
            }
        }
        Set<BuildKey> queued = new HashSet<>(unfinished);
        builds.forEach((key, build) -> assertThat(ended(build) || queued.contains(key))
                .as("what a build asked for, the queue knows: %s", key)
                .isTrue());
        return unfinished;
    }

    private static boolean ended(BuildState build) {
        return build.phase() == BuildStatus.Phase.BUILT || build.phase() == BuildStatus.Phase.FAILED;
    }

    private void tag(TagKey key, List<TagEvent> events) {
        TagState state = TagState.EMPTY;
        Map<Optional<Platform>, List<Child>> listed = new HashMap<>();
        for (TagEvent event : events) {
            state = state.apply(event);
            if (event instanceof TagEvent.IndexComposed composed) {
                List<Child> children = composed.composition().children();
                List<Child> before = listed.getOrDefault(composed.composition().flavour(), List.of());
                assertThat(children).as("an index never shrinks").containsAll(before);
                assertThat(children).hasSizeGreaterThan(before.size());
                listed.put(composed.composition().flavour(), children);
                index(key, composed);
            }
        }
    }

    private void index(TagKey key, TagEvent.IndexComposed composed) {
        String text = IndexComposer.compose(composed.composition());
        byte[] bytes = published(key.repository(), composed.index());
        assertThat(new String(bytes, StandardCharsets.UTF_8)).isEqualTo(text);
        List<BuildKey> childrens = new ArrayList<>();
        for (Child child : composed.composition().children()) {
            BuildKey build = new BuildKey(key.repository(), key.revision().orElseThrow(), child.platform());
            assertThat(Optional.ofNullable(builds.get(build))
                            .flatMap(b -> b.status(build).manifest()))
                    .as("an index lists what the build's own journal says: %s", build)
                    .contains(child.manifest());
            childrens.add(build);
        }
        assertThat(childrens).isNotEmpty().doesNotHaveDuplicates();
    }

    private void image(RepositoryName repository, Descriptor descriptor) {
        ImageManifest manifest = ImageManifest.parse(published(repository, descriptor));
        published(repository, manifest.config());
        manifest.layers().forEach(layer -> published(repository, layer));
    }

    /** What was pushed and not deleted is there, and so is all that it refers to. */
    private void pushed(RepositoryName repository, List<RepositoryEvent> events) {
        Map<Digest, PushedManifest> manifests = new HashMap<>();
        for (RepositoryEvent event : events) {
            if (event instanceof RepositoryEvent.ManifestPushed pushed) {
                manifests.put(pushed.manifest().digest(), pushed.manifest());
            } else if (event instanceof RepositoryEvent.ManifestDeleted deleted) {
                assertThat(manifests.remove(deleted.digest()))
                        .as("deleted: %s", deleted)
                        .isNotNull();
                assertThat(manifests).hasSize(deleted.left());
            }
        }
        manifests.values().forEach(manifest -> {
            assertThat(bytes(repository, manifest.digest()))
                    .hasSize((int) manifest.descriptor().size());
            manifest.references().forEach(digest -> bytes(repository, digest));
        });
    }

    /** The bytes of a blob that was built or pushed here. */
    private byte[] bytes(RepositoryName repository, Digest digest) {
        Path tail = tail(digest);
        Path links = store.resolve("repositories").resolve(repository.value());
        assertThat(List.of("_manifests", "_blobs", "_pushed/manifests", "_pushed/blobs"))
                .as("a link of %s", digest)
                .anyMatch(folder -> Files.exists(links.resolve(folder).resolve(tail)));
        try {
            Path pushed = store.resolve("pushed").resolve(tail);
            byte[] bytes = Files.readAllBytes(
                    Files.exists(pushed) ? pushed : store.resolve("blobs").resolve(tail));
            assertThat(digest.isOf(bytes)).isTrue();
            return bytes;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static Path tail(Digest digest) {
        return Path.of(digest.algorithm(), digest.hex().substring(0, 2), digest.hex());
    }

    /** The bytes of a blob that is whole and linked to its repository. */
    private byte[] published(RepositoryName repository, Descriptor descriptor) {
        Digest digest = descriptor.digest();
        Path tail = tail(digest);
        Path links = store.resolve("repositories").resolve(repository.value());
        assertThat(Files.exists(links.resolve("_manifests").resolve(tail))
                        || Files.exists(links.resolve("_blobs").resolve(tail)))
                .as("the link of %s", digest)
                .isTrue();
        try {
            byte[] bytes = Files.readAllBytes(store.resolve("blobs").resolve(tail));
            assertThat(Digest.sha256(bytes)).isEqualTo(digest);
            assertThat((long) bytes.length).isEqualTo(descriptor.size());
            return bytes;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
