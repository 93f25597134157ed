package dev.kiln.http.registry;

import akka.http.javadsl.model.HttpResponse;
import dev.kiln.config.KilnConfig;
import dev.kiln.http.wire.Call;
import dev.kiln.oci.Descriptor;
import dev.kiln.oci.Digest;
import dev.kiln.oci.MediaTypes;
import dev.kiln.oci.RepositoryName;
import java.io.IOException;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;

/**
 * Blobs of one repository that become another's too, without their bytes being sent (distribution specification, "Mounting
 * a blob from another repository").
 */
final class MountRoutes {
    private final KilnConfig config;
    private final Pushing pushing;
    private final UploadRoutes uploads;

    MountRoutes(KilnConfig config, Pushing pushing, UploadRoutes uploads) {
        this.config = config;
        this.pushing = pushing;
        this.uploads = uploads;
    }

    /** {@code POST /v2/<name>/blobs/uploads/?mount=<digest>[&from=<other>]}: what cannot be mounted is uploaded. */
    CompletionStage<HttpResponse> mount(Call call, RepositoryName name) {
        Digest digest = UploadRoutes.digest(call.query().one("mount").orElse(""));
        Optional<String> from = call.query().one("from");
        return CompletableFuture.supplyAsync(() -> mount(name, digest, from), pushing.blocking())
                .thenCompose(mounted -> mounted.isPresent()
                        ? CompletableFuture.completedFuture(UploadRoutes.created(call, name, mounted.get()))
                        : uploads.begin(call, name));
    }

    private Optional<Descriptor> mount(RepositoryName name, Digest digest, Optional<String> from) {
        try {
            Optional<Long> size =
                    from.isEmpty() ? pushing.content().mountFromAny(name, digest) : ofOther(from.get(), name, digest);
            return size.map(bytes -> new Descriptor(MediaTypes.OCI_LAYER, digest, bytes));
        } catch (IOException e) {
            throw UploadFailures.problem(e);
        }
    }

    private Optional<Long> ofOther(String from, RepositoryName name, Digest digest) throws IOException {
        Optional<RepositoryName> other = RepositoryName.parse(from)
                .filter(known -> config.repository(known).isPresent());
        return other.isEmpty() ? Optional.empty() : pushing.content().mount(other.get(), name, digest);
    }
}
