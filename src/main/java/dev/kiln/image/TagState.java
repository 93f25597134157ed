package dev.kiln.image;

import dev.kiln.image.IndexComposer.Child;
import dev.kiln.image.IndexComposer.Composition;
import dev.kiln.oci.Descriptor;
import dev.kiln.oci.Platform;
import dev.kiln.oci.Revision;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * One tag: of a ref what it means, of a revision its platform set and its newest index. Without Akka. Earlier indexes are
 * in the journal and the content store; nobody decides by them.
 */
public record TagState(
        Optional<TagEvent.RefMeant> meaning,
        Optional<TagEvent.RevisionOpened> opened,
        List<Platform> platforms,
        Optional<TagEvent.IndexComposed> newest) {

    public static final TagState EMPTY = new TagState(Optional.empty(), Optional.empty(), List.of(), Optional.empty());

    public TagState {
        platforms = List.copyOf(platforms);
    }

    /**
     * The index that lists what the newest one does and {@code built}; empty when that changes nothing. Never lists fewer
     * than the newest, and what it lists once it never replaces: an index never shrinks, and a platform has one result.
     */
    Optional<Composition> compose(Revision revision, Map<Platform, Descriptor> built) {
        List<Child> known = newest.map(n -> n.composition().children()).orElse(List.of());
        List<Child> children = new ArrayList<>();
        List<Platform> missing = new ArrayList<>();
        for (Platform platform : platforms) {
            Optional<Descriptor> manifest = known.stream()
                    .filter(c -> c.platform().equals(platform))
                    .map(Child::manifest)
                    .findFirst()
                    .or(() -> Optional.ofNullable(built.get(platform)));
            manifest.ifPresentOrElse(m -> children.add(new Child(platform, m)), () -> missing.add(platform));
        }
        Composition composition = new Composition(
                IndexComposer.VERSION,
                revision,
                opened.flatMap(o -> TagEvent.publicSource(o.source())),
                children,
                missing);
        boolean same = children.isEmpty()
                || newest.map(n -> n.composition().equals(composition)).orElse(false);
        return same ? Optional.empty() : Optional.of(composition);
    }

    public TagState apply(TagEvent event) {
        if (event instanceof TagEvent.RefMeant e) {
            return new TagState(Optional.of(e), opened, platforms, newest);
        }
        if (event instanceof TagEvent.RevisionOpened e) {
            return new TagState(meaning, Optional.of(e), e.platforms(), newest);
        }
        if (event instanceof TagEvent.PlatformJoined e) {
            List<Platform> more = new ArrayList<>(platforms);
            more.add(e.platform());
            return new TagState(meaning, opened, more, newest);
        }
        if (event instanceof TagEvent.IndexComposed e) {
            return new TagState(meaning, opened, platforms, Optional.of(e));
        }
        throw new IllegalStateException("every event is one of the above");
    }
}
