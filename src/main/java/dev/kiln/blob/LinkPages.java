package dev.kiln.blob;

import dev.kiln.oci.Digest;
import dev.kiln.oci.RepositoryName;
import java.io.IOException;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;

/** The digests that a repository has links of, read from the disk a page at a time. Used by one thread at a time. */
public final class LinkPages {
    private final RepositoryName repository;
    private final PushedLinks links;
    private final Deque<Shard> shards;
    private final Deque<Digest> read = new ArrayDeque<>();

    LinkPages(RepositoryName repository, PushedLinks links) throws IOException {
        this.repository = repository;
        this.links = links;
        shards = new ArrayDeque<>(links.shards(repository));
    }

    /** The next ones, at most {@code most}; none when all have been read. Blocking. */
    public List<Digest> next(int most) throws IOException {
        while (read.size() < most && !shards.isEmpty()) {
            read.addAll(links.linked(repository, shards.pop()));
        }
        List<Digest> page = new ArrayList<>();
        while (page.size() < most && !read.isEmpty()) {
            page.add(read.pop());
        }
        return page;
    }
}
