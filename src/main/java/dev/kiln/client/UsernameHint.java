package dev.kiln.client;

import dev.kiln.oci.Platform;
import java.util.List;

/**
 * The platform that a username names.
 *
 * @param features of the machine beyond it, sorted, none twice
 */
public record UsernameHint(Platform platform, List<String> features) {
    public UsernameHint {
        features = features.stream().sorted().distinct().toList();
    }
}
