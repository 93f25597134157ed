package dev.kiln.worker.builder.jib;

import dev.kiln.oci.Digest;
import dev.kiln.oci.RepositoryName;
import dev.kiln.oci.Tag;
import java.net.URI;
import java.util.Locale;
import java.util.Optional;
import java.util.regex.Pattern;

/**
 * The name of a base image with Docker's defaults filled in: {@code debian} is {@code docker.io/library/debian:latest}.
 *
 * @param registry host and perhaps port, lower case
 * @param tag ignored where there is a digest
 */
record BaseReference(String registry, RepositoryName repository, Tag tag, Optional<Digest> digest) {
    private static final Pattern REGISTRY = Pattern.compile(
            "(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*+|\\[[0-9a-f:.]{2,45}\\])"
                    + "(?::[0-9]{1,5})?");
    private static final Pattern LOOPBACK =
            Pattern.compile("(?:localhost|127(?:\\.[0-9]{1,3}){3}|\\[::1\\])(?::[0-9]{1,5})?");
    private static final String DOCKER_HUB = "docker.io";

    /** Empty when {@code text} is not an image's name. */
    static Optional<BaseReference> parse(String text) {
        if (text.length() > 512) {
            return Optional.empty();
        }
        int at = text.indexOf('@');
        Optional<Digest> digest = at < 0 ? Optional.empty() : Digest.parse(text.substring(at + 1));
        String named = at < 0 ? text : text.substring(0, at);
        int colon = named.indexOf(':', named.lastIndexOf('/') + 1);
        Optional<Tag> tag = Tag.parse(colon < 0 ? "latest" : named.substring(colon + 1));
        String path = colon < 0 ? named : named.substring(0, colon);
        String registry = DOCKER_HUB;
        int slash = path.indexOf('/');
        if (slash >= 0 && isRegistry(path.substring(0, slash))) {
            registry = path.substring(0, slash).toLowerCase(Locale.ROOT);
            path = path.substring(slash + 1);
        }
        if (registry.equals("index.docker.io")) {
            registry = DOCKER_HUB;
        }
        if (registry.equals(DOCKER_HUB) && path.indexOf('/') < 0) {
            path = "library/" + path;
        }
        Optional<RepositoryName> repository = RepositoryName.parse(path);
        if (!REGISTRY.matcher(registry).matches()
                || repository.isEmpty()
                || tag.isEmpty()
                || (at >= 0 && digest.isEmpty())) {
            return Optional.empty();
        }
        return Optional.of(new BaseReference(registry, repository.get(), tag.get(), digest));
    }

    /** Docker's rule: a first segment is a host only when it cannot be a user of Docker Hub. */
    private static boolean isRegistry(String segment) {
        return segment.equals("localhost") || segment.indexOf('.') >= 0 || segment.indexOf(':') >= 0;
    }

    /** Where its repository is served. Plain http is only ever spoken to this machine itself. */
    URI repositoryUri() {
        String host = registry.equals(DOCKER_HUB) ? "registry-1.docker.io" : registry;
        return URI.create((isLoopback(host) ? "http" : "https") + "://" + host + "/v2/" + repository + "/");
    }

    /** Whether a URI's authority says by itself that it is this machine, so that no name server has a word in it. */
    static boolean isLoopback(String authority) {
        return LOOPBACK.matcher(authority.toLowerCase(Locale.ROOT)).matches();
    }

    /** Registry and repository, which is what a digest's origin is known by. */
    String repositoryText() {
        return registry + "/" + repository;
    }

    @Override
    public String toString() {
        return repositoryText() + digest.map(d -> "@" + d).orElse(":" + tag);
    }
}
