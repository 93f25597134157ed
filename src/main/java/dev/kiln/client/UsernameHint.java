package dev.kiln.client;

import dev.kiln.oci.Platform;
import java.util.List;

/**
 * The platform that a username names.
 *
 * @param features of the machine that a document describes, sorted, none twice: what runs on it is chosen by them. What is
 *     asked for by name is part of the platform.
 */
public record UsernameHint(Platform platform, List<String> features) {
    public UsernameHint {
        features = features.stream().sorted().distinct().toList();
    }
}
