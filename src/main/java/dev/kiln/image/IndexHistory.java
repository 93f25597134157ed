package dev.kiln.image;

import dev.kiln.build.Cause;
import dev.kiln.oci.Descriptor;
import dev.kiln.oci.Platform;
import dev.kiln.oci.Revision;
import java.time.Instant;
import java.util.List;
import java.util.Optional;

/**
 * The indexes of one series of a revision, oldest first. Each lists what the one before it does and more.
 *
 * @param platforms what an index of the series lists when it is complete
 */
public record IndexHistory(Revision revision, List<Platform> platforms, List<Index> indexes) {
    public IndexHistory {
        platforms = List.copyOf(platforms);
        indexes = List.copyOf(indexes);
    }

    /**
     * One index, retrievable by its digest for ever.
     *
     * @param cause the pull that it was composed for, if that was recorded
     */
    public record Index(Descriptor descriptor, List<Platform> platforms, Instant composedAt, Optional<Cause> cause) {
        public Index {
            platforms = List.copyOf(platforms);
        }
    }

    public Optional<Index> newest() {
        return indexes.isEmpty() ? Optional.empty() : Optional.of(indexes.get(indexes.size() - 1));
    }

    /** What the newest index does not list yet. Once it is nothing it stays nothing, unless another platform joins. */
    public List<Platform> missing() {
        List<Platform> listed = newest().map(Index::platforms).orElse(List.of());
        return platforms.stream().filter(platform -> !listed.contains(platform)).toList();
    }

    static IndexHistory of(Series series, List<Platform> platforms, List<TagEvent.IndexComposed> indexes) {
        return new IndexHistory(
                series.revision().revision().orElseThrow(),
                Series.platforms(platforms, series.flavour()),
                indexes.stream()
                        .filter(index -> index.composition().flavour().equals(series.flavour()))
                        .map(index -> new Index(
                                index.index(),
                                index.composition().children().stream()
                                        .map(IndexComposer.Child::platform)
                                        .toList(),
                                index.at(),
                                index.cause()))
                        .toList());
    }
}
