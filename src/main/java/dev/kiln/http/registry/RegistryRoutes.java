package dev.kiln.http.registry;

import akka.http.javadsl.model.ContentTypes;
import akka.http.javadsl.model.HttpEntities;
import akka.http.javadsl.model.HttpResponse;
import dev.kiln.blob.SettlingContent;
import dev.kiln.client.UsernameHint;
import dev.kiln.config.KilnConfig;
import dev.kiln.config.RepositoryConfig;
import dev.kiln.http.registry.RegistryPath.ApiVersion;
import dev.kiln.http.registry.RegistryPath.Blob;
import dev.kiln.http.registry.RegistryPath.Invalid;
import dev.kiln.http.registry.RegistryPath.ManifestByDigest;
import dev.kiln.http.registry.RegistryPath.ManifestByTag;
import dev.kiln.http.registry.RegistryPath.Referrers;
import dev.kiln.http.registry.RegistryPath.Tags;
import dev.kiln.http.registry.UsernameAccess.Admission;
import dev.kiln.http.wire.Call;
import dev.kiln.http.wire.ErrorResponses;
import dev.kiln.http.wire.Headers;
import dev.kiln.http.wire.Routes;
import dev.kiln.image.Images;
import dev.kiln.oci.MediaTypes;
import dev.kiln.oci.RepositoryName;
import dev.kiln.problem.Problem;
import dev.kiln.problem.ProblemCode;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.function.Supplier;

/**
 * Everything under /v2 (distribution specification; docs/http-api.md has the table). Dispatch is by hand and not by a
 * directive tree: a warm manifest is the product's hot path.
 */
public final class RegistryRoutes implements Routes {
    private static final HttpResponse API_VERSION = HttpResponse.create()
            .withHeaders(List.of(
                    Headers.of("Docker-Distribution-Api-Version", "registry/2.0"), Headers.NO_SNIFF, Headers.NO_STORE))
            .withEntity(HttpEntities.create(ContentTypes.APPLICATION_JSON, "{}".getBytes(StandardCharsets.US_ASCII)));

    /** No referrers: what is signed elsewhere is not known here. */
    private static final HttpResponse NO_REFERRERS = HttpResponse.create()
            .withHeaders(List.of(Headers.NO_SNIFF, Headers.NO_STORE))
            .withEntity(HttpEntities.create(
                    ManifestRoutes.contentType(MediaTypes.OCI_INDEX),
                    ("{\"schemaVersion\":2,\"mediaType\":\"" + MediaTypes.OCI_INDEX + "\",\"manifests\":[]}")
                            .getBytes(StandardCharsets.US_ASCII)));

    /** Where clients get a token when they are asked for one. */
    public static final String TOKEN = UsernameAccess.PATH;

    private final KilnConfig config;
    private final Optional<UsernameAccess> usernames;
    private final ManifestRoutes manifests;
    private final UrlPointers pointers;
    private final BlobRoutes blobs;
    private final TagRoutes tags;

    /**
     * Everything under /v2, and /token.
     *
     * @param usernames empty when nobody is asked for one
     * @param publicUrl where people find this server, without a trailing slash; asked for each answer that needs it
     */
    public RegistryRoutes(
            KilnConfig config,
            Images images,
            SettlingContent content,
            Optional<UsernameAccess> usernames,
            Supplier<String> publicUrl) {
        this.config = config;
        this.usernames = usernames;
        this.manifests = new ManifestRoutes(images, config.http(), publicUrl);
        this.pointers = new UrlPointers(images, config.experimental().urlPointers());
        this.blobs = new BlobRoutes(content);
        this.tags = new TagRoutes(images);
    }

    @Override
    public CompletionStage<HttpResponse> handle(Call call) {
        if (call.path().equals(TOKEN)) {
            // GET|POST /token
            return usernames
                    .orElseThrow(() -> new Problem(
                            ProblemCode.UNSUPPORTED, 404, "no tokens are needed here: ask for images without one"))
                    .token(call);
        }
        RegistryPath path = RegistryPath.parse(call.path());
        if (path instanceof Invalid invalid) {
            throw invalid.problem();
        }
        Optional<UsernameHint> username = Optional.empty();
        if (usernames.isPresent()) {
            Admission admission = usernames.get().admit(call, name(path));
            if (admission instanceof Admission.Challenged challenged) {
                return completed(challenged.answer());
            }
            username = ((Admission.Admitted) admission).username();
        }
        if (path instanceof RegistryPath.Uploads) {
            return completed(refused("", "images are built from their source here and cannot be pushed"));
        }
        if (!call.isRead()) {
            return completed(
                    refused("GET, HEAD", "this registry is read-only: images are built from their source, not pushed"));
        }
        if (path instanceof ManifestByTag manifest) {
            // GET|HEAD /v2/<name>/manifests/<tag>     end-3
            if (pointers.isAsked(call)) {
                return pointers.byTag(call, repository(manifest.name()), manifest.name(), manifest.tag());
            }
            return manifests.byTag(call, repository(manifest.name()), manifest, username);
        }
        if (path instanceof ManifestByDigest manifest) {
            // GET|HEAD /v2/<name>/manifests/<digest>  end-3
            repository(manifest.name());
            return manifests.byDigest(call, manifest.name(), manifest.digest());
        }
        if (path instanceof Blob blob) {
            // GET|HEAD /v2/<name>/blobs/<digest>      end-2
            repository(blob.name());
            return blobs.get(call, blob.name(), blob.digest());
        }
        if (path instanceof Tags list) {
            // GET|HEAD /v2/<name>/tags/list           end-8a, end-8b
            repository(list.name());
            return tags.list(call, list.name());
        }
        if (path instanceof Referrers referrers) {
            // GET|HEAD /v2/<name>/referrers/<digest>  end-12a
            repository(referrers.name());
            return completed(NO_REFERRERS);
        }
        if (path instanceof ApiVersion) {
            // GET|HEAD /v2/                           end-1
            return completed(API_VERSION);
        }
        throw new IllegalStateException("no route for " + path.getClass());
    }

    @Override
    public HttpResponse failed(Problem problem) {
        return ErrorResponses.of(problem);
    }

    private static Optional<RepositoryName> name(RegistryPath path) {
        return path instanceof RegistryPath.Named named ? Optional.of(named.name()) : Optional.empty();
    }

    private RepositoryConfig repository(RepositoryName name) {
        return config.repository(name)
                .orElseThrow(() -> new Problem(
                        ProblemCode.NAME_UNKNOWN, "no repository is configured for this name: check its spelling"));
    }

    private static HttpResponse refused(String allow, String message) {
        return ErrorResponses.of(ProblemCode.UNSUPPORTED, message, List.of(Headers.allow(allow)));
    }

    private static CompletionStage<HttpResponse> completed(HttpResponse response) {
        return CompletableFuture.completedFuture(response);
    }
}
