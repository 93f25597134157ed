package dev.kiln.image;

import dev.kiln.image.IndexComposer.Child;
import dev.kiln.image.IndexComposer.Composition;
import dev.kiln.oci.Descriptor;
import dev.kiln.oci.Platform;
import dev.kiln.oci.Revision;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * One tag: of a ref what it means, of a revision its platform set and its indexes. Without Akka.
 *
 * <p>A revision has a common series of indexes, for everybody, and one for each flavour that was asked for, which lists
 * that flavour in place of its plain platform. Each series only grows.
 *
 * @param platforms of the revision, flavours included
 * @param indexes of all series, in the order in which they were composed: at most one for each platform and series, since
 *     each lists more than the one before it, or as much of more platforms
 */
public record TagState(
        Optional<TagEvent.RefMeant> meaning,
        Optional<TagEvent.RevisionOpened> opened,
        List<Platform> platforms,
        List<TagEvent.IndexComposed> indexes) {

    public static final TagState EMPTY = new TagState(Optional.empty(), Optional.empty(), List.of(), List.of());

    public TagState {
        platforms = List.copyOf(platforms);
        indexes = List.copyOf(indexes);
    }

    /** The newest index of a series. */
    Optional<TagEvent.IndexComposed> newest(Optional<Platform> flavour) {
        return indexes.stream()
                .filter(index -> index.composition().flavour().equals(flavour))
                .reduce((older, newer) -> newer);
    }

    /**
     * The index of a series that lists what the newest one does and all that is {@code built}; empty when that changes
     * nothing. Never lists fewer than the newest, and what any index lists once no other replaces: an index never shrinks,
     * and a platform has one result.
     */
    Optional<Composition> compose(Revision revision, Optional<Platform> flavour, Map<Platform, Descriptor> built) {
        if (flavour.isPresent() && !platforms.contains(flavour.get())) {
            return Optional.empty();
        }
        Map<Platform, Descriptor> known = new HashMap<>(built);
        indexes.forEach(index ->
                index.composition().children().forEach(child -> known.put(child.platform(), child.manifest())));
        List<Child> children = new ArrayList<>();
        List<Platform> missing = new ArrayList<>();
        for (Platform platform : Series.platforms(platforms, flavour)) {
            Optional.ofNullable(known.get(platform))
                    .ifPresentOrElse(m -> children.add(new Child(platform, m)), () -> missing.add(platform));
        }
        Composition composition = new Composition(
                IndexComposer.VERSION,
                revision,
                opened.flatMap(o -> TagEvent.publicSource(o.source())),
                flavour,
                children,
                missing);
        boolean same = children.isEmpty()
                || newest(flavour).map(n -> n.composition().equals(composition)).orElse(false);
        return same ? Optional.empty() : Optional.of(composition);
    }

    public TagState apply(TagEvent event) {
        if (event instanceof TagEvent.RefMeant e) {
            return new TagState(Optional.of(e), opened, platforms, indexes);
        }
        if (event instanceof TagEvent.RevisionOpened e) {
            return new TagState(meaning, Optional.of(e), e.platforms(), indexes);
        }
        if (event instanceof TagEvent.PlatformJoined e) {
            List<Platform> more = new ArrayList<>(platforms);
            more.add(e.platform());
            return new TagState(meaning, opened, more, indexes);
        }
        if (event instanceof TagEvent.IndexComposed e) {
            List<TagEvent.IndexComposed> more = new ArrayList<>(indexes);
            more.add(e);
            return new TagState(meaning, opened, platforms, more);
        }
        throw new IllegalStateException("every event is one of the above");
    }
}
