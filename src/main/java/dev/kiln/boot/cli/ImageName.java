package dev.kiln.boot.cli;

import dev.kiln.oci.RepositoryName;
import dev.kiln.oci.Tag;
import java.util.Optional;

/** {@code repository:tag}, as one writes it behind {@code docker pull}. */
record ImageName(RepositoryName repository, Tag tag) {
    /**
     * Reads it, with or without the registry in front.
     *
     * @param host the server's own
     */
    static Optional<ImageName> parse(String text, String host) {
        String name = withoutRegistry(text, host);
        int colon = name.lastIndexOf(':');
        if (colon < 0) {
            return Optional.empty();
        }
        return RepositoryName.parse(name.substring(0, colon))
                .flatMap(repository -> Tag.parse(name.substring(colon + 1)).map(tag -> new ImageName(repository, tag)));
    }

    /** A first segment with a port, or that is the server, is no part of a repository's name. */
    static String withoutRegistry(String text, String host) {
        int slash = text.indexOf('/');
        String first = slash < 0 ? "" : text.substring(0, slash);
        return first.contains(":") || first.equals("localhost") || first.equals(host)
                ? text.substring(slash + 1)
                : text;
    }

    @Override
    public String toString() {
        return repository + ":" + tag;
    }
}
