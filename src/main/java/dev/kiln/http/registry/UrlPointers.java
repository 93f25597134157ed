package dev.kiln.http.registry;

import akka.http.javadsl.model.HttpEntities;
import akka.http.javadsl.model.HttpHeader;
import akka.http.javadsl.model.HttpResponse;
import dev.kiln.config.RepositoryConfig;
import dev.kiln.http.wire.Accept;
import dev.kiln.http.wire.Call;
import dev.kiln.http.wire.Headers;
import dev.kiln.image.Images;
import dev.kiln.oci.MediaTypes;
import dev.kiln.oci.RepositoryName;
import dev.kiln.oci.Tag;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.concurrent.CompletionStage;

/**
 * The experiment of {@code experimental.url-pointers}: a tag for clients that name its media type. Nothing says which bytes
 * they got, since the next answer may be another: neither digest nor {@code ETag}, and nobody may keep it.
 */
final class UrlPointers {
    private static final List<HttpHeader> HEADERS =
            List.of(Headers.NO_STORE, Headers.of("Vary", "Accept"), Headers.NO_SNIFF);

    private final Images images;
    private final boolean enabled;

    UrlPointers(Images images, boolean enabled) {
        this.images = images;
        this.enabled = enabled;
    }

    /** Whether the experiment is on and this client takes part in it. */
    boolean isAsked(Call call) {
        return enabled && Accept.names(call.headers("accept"), MediaTypes.URL_POINTERS);
    }

    CompletionStage<HttpResponse> byTag(Call call, RepositoryConfig config, RepositoryName name, Tag tag) {
        call.allow(config.hop().plus(ManifestRoutes.GRACE));
        return images.pointers(name, tag)
                .thenApply(index -> HttpResponse.create()
                        .withHeaders(HEADERS)
                        .withEntity(HttpEntities.create(
                                ManifestRoutes.contentType(MediaTypes.URL_POINTERS),
                                index.getBytes(StandardCharsets.UTF_8))));
    }
}
