package dev.kiln.worker.builder;

import dev.kiln.build.PushToken;
import dev.kiln.oci.RepositoryName;
import java.net.URI;

/**
 * Where the image of one attempt is pushed to.
 *
 * @param server the address that clients use, without a trailing slash
 */
record PushTarget(URI server, RepositoryName repository, PushToken token) {
    /** What the distribution specification's paths follow, such as {@code /blobs/uploads/}. */
    String url() {
        return server + "/v2" + path();
    }

    /** As clients name a repository: to be followed by {@code @} and the digest of the manifest. */
    String image() {
        return server.getRawAuthority() + path();
    }

    private String path() {
        return "/b/" + token.text() + "/" + repository;
    }
}
