package dev.kiln.http.registry;

import akka.http.javadsl.model.ContentTypes;
import akka.http.javadsl.model.HttpEntities;
import akka.http.javadsl.model.HttpResponse;
import dev.kiln.blob.SettlingContent;
import dev.kiln.build.Builds;
import dev.kiln.build.PushToken;
import dev.kiln.catalog.RepositoryNames;
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
import dev.kiln.http.registry.RegistryPath.Upload;
import dev.kiln.http.registry.RegistryPath.Uploads;
import dev.kiln.http.registry.UsernameAccess.Admission;
import dev.kiln.http.wire.Call;
import dev.kiln.http.wire.ErrorResponses;
import dev.kiln.http.wire.Forwarding;
import dev.kiln.http.wire.Headers;
import dev.kiln.http.wire.Routes;
import dev.kiln.image.Images;
import dev.kiln.oci.RepositoryName;
import dev.kiln.problem.Problem;
import dev.kiln.problem.ProblemCode;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.Executor;
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

    private static final String READ = "GET, HEAD";

    /** Where clients get a token when they are asked for one. */
    public static final String TOKEN = UsernameAccess.PATH;

    private final KilnConfig config;
    private final Optional<UsernameAccess> usernames;
    private final ManifestRoutes manifests;
    private final UrlPointers pointers;
    private final BlobRoutes blobs;
    private final TagRoutes tags;
    private final ReferrerRoutes referrers;
    private final UploadRoutes uploads;
    private final MountRoutes mounts;
    private final ManifestPushRoutes pushes;
    private final DeleteRoutes deletes;
    private final CatalogRoutes catalog;
    private final BuildPushRoutes buildPushes;

    /**
     * Everything under /v2, and /token.
     *
     * @param blocking runs look-ups in the store
     * @param pushing for repositories that clients push to
     * @param names of the repositories that have something
     * @param usernames empty when nobody is asked for one
     * @param publicUrl where people find this server, without a trailing slash; asked for each answer that needs it
     */
    public RegistryRoutes(
            KilnConfig config,
            Images images,
            Builds builds,
            SettlingContent content,
            Executor blocking,
            Pushing pushing,
            RepositoryNames names,
            Optional<UsernameAccess> usernames,
            Supplier<String> publicUrl) {
        this.config = config;
        this.usernames = usernames;
        Forwarding forwarding = new Forwarding(config.http().trustedProxies());
        this.manifests = new ManifestRoutes(images, pushing, config.http(), forwarding, publicUrl);
        this.pointers = new UrlPointers(images, config.experimental().urlPointers());
        this.blobs = new BlobRoutes(content, blocking, pushing);
        this.tags = new TagRoutes(images, pushing.repositories());
        this.referrers = new ReferrerRoutes(content, pushing);
        this.uploads = new UploadRoutes(pushing, Allowance.unlimited());
        this.mounts = new MountRoutes(config, pushing, uploads);
        this.pushes = new ManifestPushRoutes(pushing, forwarding);
        this.deletes = new DeleteRoutes(pushing);
        this.catalog = new CatalogRoutes(names);
        this.buildPushes = new BuildPushRoutes(config, builds, pushing, blobs, pushes);
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
        Optional<PushToken> token = RegistryPath.token(call.path());
        if (token.isPresent() && path instanceof RegistryPath.Named named) {
            repository(named.name());
            return buildPushes.handle(call, token.get(), named);
        }
        Optional<UsernameHint> username = Optional.empty();
        if (usernames.isPresent()) {
            Admission admission = usernames.get().admit(call, name(path));
            if (admission instanceof Admission.Challenged challenged) {
                return completed(challenged.answer());
            }
            username = ((Admission.Admitted) admission).username();
        }
        if (path instanceof ApiVersion) {
            // GET|HEAD /v2/                           end-1
            return call.isRead() ? completed(API_VERSION) : completed(refused(READ, "only GET is known here"));
        }
        if (path instanceof RegistryPath.Catalog) {
            // GET|HEAD /v2/_catalog                   (extension)
            return call.isRead() ? catalog.list(call) : completed(refused(READ, "only GET is known here"));
        }
        RegistryPath.Named named = (RegistryPath.Named) path;
        return call.isRead()
                ? read(call, named, repository(named.name()), username)
                : write(call, named, repository(named.name()));
    }

    private CompletionStage<HttpResponse> read(
            Call call, RegistryPath.Named path, RepositoryConfig config, Optional<UsernameHint> username) {
        if (path instanceof ManifestByTag manifest) {
            // GET|HEAD /v2/<name>/manifests/<tag>     end-3
            return config.source().isPresent() && pointers.isAsked(call)
                    ? pointers.byTag(call, config, manifest.name(), manifest.tag())
                    : manifests.byTag(call, config, manifest, username);
        }
        if (path instanceof ManifestByDigest manifest) {
            // GET|HEAD /v2/<name>/manifests/<digest>  end-3
            return manifests.byDigest(call, manifest.name(), manifest.digest(), config.push());
        }
        if (path instanceof Blob blob) {
            // GET|HEAD /v2/<name>/blobs/<digest>      end-2
            return blobs.get(call, blob.name(), blob.digest(), config.push());
        }
        if (path instanceof Tags list) {
            // GET|HEAD /v2/<name>/tags/list           end-8a, end-8b
            return tags.list(call, config, list.name());
        }
        if (path instanceof Referrers referrer) {
            // GET|HEAD /v2/<name>/referrers/<digest>  end-12a, end-12b
            return config.push()
                    ? referrers.list(call, referrer.name(), referrer.digest())
                    : completed(ReferrerRoutes.none());
        }
        if (path instanceof Upload upload && config.push()) {
            // GET|HEAD /v2/<name>/blobs/uploads/<id>  end-13
            return uploads.handle(call, upload);
        }
        return completed(refused(
                config.push() ? "POST" : "",
                config.push() ? "an upload begins with POST" : "clients cannot push to this repository"));
    }

    private CompletionStage<HttpResponse> write(Call call, RegistryPath.Named path, RepositoryConfig config) {
        if (!config.push()) {
            boolean upload = path instanceof Uploads || path instanceof Upload;
            return completed(refused(
                    upload ? "" : READ, "images are built from their source here: clients cannot push or delete"));
        }
        if (path instanceof Uploads && call.isPost()) {
            // POST /v2/<name>/blobs/uploads/          end-4a, end-4b, end-11
            return call.query().all("mount").isEmpty()
                    ? uploads.begin(call, path.name())
                    : mounts.mount(call, path.name());
        }
        if (path instanceof Upload upload) {
            // PATCH|PUT|DELETE /v2/<name>/blobs/uploads/<id>  end-5, end-6, end-14
            return uploads.handle(call, upload);
        }
        if (path instanceof ManifestByTag manifest && call.isPut()) {
            // PUT /v2/<name>/manifests/<tag>          end-7a
            return pushes.byTag(call, config, manifest.name(), manifest.tag());
        }
        if (path instanceof ManifestByDigest manifest && call.isPut()) {
            // PUT /v2/<name>/manifests/<digest>       end-7b
            return pushes.byDigest(call, config, manifest.name(), manifest.digest());
        }
        if (path instanceof ManifestByTag manifest && call.isDelete()) {
            // DELETE /v2/<name>/manifests/<tag>       end-9
            return deletes.tag(config, manifest.name(), manifest.tag(), pushes.pusher(call));
        }
        if (path instanceof ManifestByDigest manifest && call.isDelete()) {
            // DELETE /v2/<name>/manifests/<digest>    end-9
            return deletes.manifest(manifest.name(), manifest.digest(), pushes.pusher(call));
        }
        if (path instanceof Blob blob && call.isDelete()) {
            // DELETE /v2/<name>/blobs/<digest>        end-10
            return deletes.blob(blob.name(), blob.digest());
        }
        return completed(refused(allowed(path), "this method is not known here"));
    }

    private static String allowed(RegistryPath.Named path) {
        if (path instanceof Uploads) {
            return "POST";
        }
        if (path instanceof Blob) {
            return READ + ", DELETE";
        }
        return path instanceof Tags || path instanceof Referrers ? READ : READ + ", PUT, DELETE";
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
