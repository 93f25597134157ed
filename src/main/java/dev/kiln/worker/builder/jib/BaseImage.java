package dev.kiln.worker.builder.jib;

import com.fasterxml.jackson.databind.JsonNode;
import dev.kiln.oci.Descriptor;
import dev.kiln.oci.Digest;
import java.util.List;

/**
 * A base image for one platform, all of whose layers are in the content store.
 *
 * @param digest of its manifest
 * @param config its configuration, an object; never changed
 * @param layers with OCI media types, whatever the registry called them
 */
record BaseImage(Digest digest, JsonNode config, List<Descriptor> layers) {
    BaseImage {
        layers = List.copyOf(layers);
    }
}
