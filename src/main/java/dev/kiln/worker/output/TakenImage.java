package dev.kiln.worker.output;

import dev.kiln.oci.Descriptor;
import java.util.List;

/** An image whose blobs, the manifest included, are in the store. */
record TakenImage(Descriptor manifest, Descriptor config, List<Descriptor> layers) {
    TakenImage {
        layers = List.copyOf(layers);
    }
}
