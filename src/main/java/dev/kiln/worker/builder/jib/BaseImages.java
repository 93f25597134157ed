package dev.kiln.worker.builder.jib;

import com.fasterxml.jackson.databind.JsonNode;
import dev.kiln.blob.BlobStore;
import dev.kiln.blob.StagedBlob;
import dev.kiln.oci.BuildKey;
import dev.kiln.oci.Descriptor;
import dev.kiln.oci.Digest;
import dev.kiln.oci.ImageManifest;
import dev.kiln.oci.MediaTypes;
import dev.kiln.oci.Platform;
import java.io.IOException;
import java.io.InputStream;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Base images for builds: from the content store where that is entitled to them, else from their registry and then into
 * the store, by digests that stay the same for a revision. Blocking; used by many threads.
 */
final class BaseImages {
    private static final int MAX_LAYERS = 127 - JibFileReader.MAX_LAYERS;
    private static final Map<String, String> LAYER_TYPES = Map.of(
            MediaTypes.OCI_LAYER,
            MediaTypes.OCI_LAYER,
            MediaTypes.OCI_LAYER_GZIP,
            MediaTypes.OCI_LAYER_GZIP,
            MediaTypes.OCI_LAYER_ZSTD,
            MediaTypes.OCI_LAYER_ZSTD,
            MediaTypes.DOCKER_LAYER_GZIP,
            MediaTypes.OCI_LAYER_GZIP,
            "application/vnd.docker.image.rootfs.diff.tar",
            MediaTypes.OCI_LAYER,
            "application/vnd.docker.image.rootfs.diff.tar.zstd",
            MediaTypes.OCI_LAYER_ZSTD);

    private final BlobStore store;
    private final BaseImagePins pins;
    private final boolean allowPrivate;

    BaseImages(BlobStore store, BaseImagePins pins, boolean allowPrivate) {
        this.store = store;
        this.pins = pins;
        this.allowPrivate = allowPrivate;
    }

    /**
     * The base image for a build.
     *
     * @param name as {@code jib.yaml} has it
     * @param room bytes that its layers may have together
     */
    BaseImage fetch(BuildKey key, String name, long room, AttemptLog log, Cancellation cancellation)
            throws JibFailure, IOException, InterruptedException {
        BaseReference image = BaseReference.parse(name)
                .orElseThrow(() ->
                        JibFailure.source("jib.yaml names a base image that is not an image's name: '" + name + "'"));
        if (!allowPrivate && image.repositoryUri().getScheme().equals("http")) {
            throw JibFailure.source("could not fetch the base image " + image
                    + ": it leads to an address in a range that Kiln does not connect to for builds");
        }
        try (Session session = new Session(image, cancellation)) {
            BaseImage base = session.fetch(key, room);
            log.line("base image " + image + " for " + key.platform() + " is " + base.digest());
            return base;
        }
    }

    /** One fetch; connects only when the store does not have everything. */
    private final class Session implements AutoCloseable {
        private final BaseReference image;
        private final Cancellation cancellation;
        private Optional<BaseRegistry> registry = Optional.empty();

        Session(BaseReference image, Cancellation cancellation) {
            this.image = image;
            this.cancellation = cancellation;
        }

        BaseImage fetch(BuildKey key, long room) throws JibFailure, IOException, InterruptedException {
            Optional<Digest> known = image.digest();
            if (known.isEmpty()) {
                known = pins.find(key.repository(), key.revision(), image.toString());
            }
            Digest named = known.isPresent() ? known.get() : named();
            Digest chosen = choose(named, key.platform());
            if (known.isEmpty()) {
                Digest pinned = pins.record(key.repository(), key.revision(), image.toString(), named);
                if (!pinned.equals(named)) {
                    chosen = choose(pinned, key.platform());
                }
            }
            return complete(chosen, key.platform(), room);
        }

        /** What the tag means at its registry right now. */
        private Digest named() throws JibFailure, IOException, InterruptedException {
            byte[] bytes = registry().manifest(image.tag().value());
            Digest digest = Digest.sha256(bytes);
            keep(bytes, digest);
            return digest;
        }

        /** The platform's manifest: {@code digest} itself, or what it lists for the platform. */
        private Digest choose(Digest digest, Platform platform) throws JibFailure, IOException, InterruptedException {
            JsonNode json = object(manifest(digest));
            if (!json.path("manifests").isArray()) {
                return digest;
            }
            List<String> listed = new ArrayList<>();
            for (JsonNode entry : json.path("manifests")) {
                Optional<Platform> found = platform(entry.path("platform"));
                if (found.equals(Optional.of(platform))) {
                    return descriptor(entry).digest();
                }
                found.ifPresent(p -> listed.add(p.toString()));
            }
            throw JibFailure.source("the base image " + image + " is not there for " + platform + ", only for "
                    + String.join(", ", listed));
        }

        private BaseImage complete(Digest digest, Platform platform, long room)
                throws JibFailure, IOException, InterruptedException {
            ImageManifest manifest;
            try {
                manifest = ImageManifest.parse(manifest(digest));
            } catch (IllegalArgumentException e) {
                throw unusable(e.getMessage());
            }
            if (manifest.layers().size() > MAX_LAYERS) {
                throw unusable("it has more than " + MAX_LAYERS + " layers");
            }
            if (manifest.config().size() > ImageManifest.MAX_SIZE) {
                throw unusable("its configuration is larger than 4 MiB");
            }
            ensure(manifest.config());
            JsonNode config = object(read(manifest.config().digest()));
            checkPlatform(config, platform);
            if (config.path("rootfs").path("diff_ids").size()
                    != manifest.layers().size()) {
                throw unusable("its configuration lists another number of layers than its manifest");
            }
            List<Descriptor> layers = new ArrayList<>();
            long left = room;
            for (Descriptor layer : manifest.layers()) {
                left -= layer.size();
                if (left < 0) {
                    throw JibFailure.source("the base image " + image + " is too large for the build's max-output");
                }
                layers.add(new Descriptor(layerType(layer), layer.digest(), layer.size()));
            }
            for (Descriptor layer : layers) {
                ensure(layer);
            }
            return new BaseImage(digest, config, layers);
        }

        private String layerType(Descriptor layer) throws JibFailure {
            String type = LAYER_TYPES.get(layer.mediaType());
            if (type == null) {
                throw unusable("a layer's media type is " + layer.mediaType());
            }
            return type;
        }

        /** Configurations often leave out the variant; the index has spoken then, or nobody. */
        private void checkPlatform(JsonNode config, Platform platform) throws JibFailure {
            Optional<Platform> found = platform(config);
            boolean same = found.isPresent()
                    && found.get().os().equals(platform.os())
                    && found.get().architecture().equals(platform.architecture())
                    && (config.path("variant").asText("").isEmpty()
                            || found.get().equals(platform));
            if (!same) {
                throw JibFailure.source("the base image " + image + " is for "
                        + found.map(Platform::toString).orElse("no known platform") + ", not for " + platform);
            }
        }

        private byte[] manifest(Digest digest) throws JibFailure, IOException, InterruptedException {
            if (pins.served(image.repositoryText(), digest)) {
                if (store.size(digest).orElse(Long.MAX_VALUE) <= ImageManifest.MAX_SIZE) {
                    return read(digest);
                }
            }
            byte[] bytes = registry().manifest(digest.toString());
            keep(bytes, digest);
            return bytes;
        }

        private void keep(byte[] bytes, Digest digest) throws JibFailure, IOException {
            try (StagedBlob staged = store.stage()) {
                staged.out().write(bytes);
                staged.commit(digest);
            } catch (StagedBlob.DigestMismatchException e) {
                throw corrupt(digest, e);
            }
            pins.recordServed(image.repositoryText(), digest);
        }

        private void ensure(Descriptor blob) throws JibFailure, IOException, InterruptedException {
            if (pins.served(image.repositoryText(), blob.digest())
                    && store.size(blob.digest()).orElse(-1) == blob.size()) {
                return;
            }
            try (StagedBlob staged = store.stage()) {
                registry().blob(blob, staged.out());
                if (staged.size() != blob.size()) {
                    throw JibFailure.infrastructure(
                            "could not fetch the base image " + image + ": its registry sent only a part of "
                                    + blob.digest(),
                            null);
                }
                staged.commit(blob.digest());
            } catch (StagedBlob.DigestMismatchException e) {
                throw corrupt(blob.digest(), e);
            }
            pins.recordServed(image.repositoryText(), blob.digest());
        }

        private byte[] read(Digest digest) throws IOException {
            try (InputStream in = store.open(digest)) {
                return in.readNBytes(ImageManifest.MAX_SIZE + 1);
            }
        }

        private JsonNode object(byte[] bytes) throws JibFailure {
            try {
                return ImageManifest.parseObject(bytes);
            } catch (IllegalArgumentException e) {
                throw unusable("a manifest or configuration is not usable: " + e.getMessage());
            }
        }

        private Descriptor descriptor(JsonNode json) throws JibFailure {
            try {
                return ImageManifest.descriptor(json);
            } catch (IllegalArgumentException e) {
                throw unusable(e.getMessage());
            }
        }

        private static Optional<Platform> platform(JsonNode json) {
            String variant = json.path("variant").asText("");
            return Platform.parse(json.path("os").asText("") + "/"
                    + json.path("architecture").asText("") + (variant.isEmpty() ? "" : "/" + variant));
        }

        private JibFailure unusable(String why) {
            return JibFailure.source("the base image " + image + " cannot be used: " + why);
        }

        private JibFailure corrupt(Digest digest, IOException e) {
            return JibFailure.infrastructure(
                    "could not fetch the base image " + image + ": its registry sent other bytes than those of "
                            + digest,
                    e);
        }

        private BaseRegistry registry() throws JibFailure {
            if (registry.isEmpty()) {
                registry = Optional.of(new BaseRegistry(image, allowPrivate, cancellation));
            }
            return registry.get();
        }

        @Override
        public void close() throws IOException {
            if (registry.isPresent()) {
                registry.get().close();
            }
        }
    }
}
