package dev.kiln.worker.output;

import com.fasterxml.jackson.databind.JsonNode;
import dev.kiln.oci.Platform;
import java.util.Locale;
import java.util.Optional;

/** What an image's configuration, or an index's entry, says of its platform. */
record ImagePlatform(String os, String architecture, String variant) {
    /** @param json with the properties {@code os}, {@code architecture} and perhaps {@code variant} */
    static ImagePlatform of(JsonNode json) {
        return new ImagePlatform(word(json, "os"), word(json, "architecture"), word(json, "variant"));
    }

    private static String word(JsonNode json, String property) {
        return json.path(property).asText("").toLowerCase(Locale.ROOT);
    }

    /** In normal form; empty when it names none, as the entries of attestations do ("unknown/unknown"). */
    Optional<Platform> platform() {
        return normalised(variant);
    }

    /** Builders often leave the variant out of a configuration: then it is that of the platform they were asked for. */
    boolean fits(Platform asked) {
        return normalised(variant.isEmpty() ? asked.variant() : variant).equals(Optional.of(asked));
    }

    boolean isUnknown() {
        return os.equals("unknown") && architecture.equals("unknown");
    }

    /** @throws OutputRejectedException when an image's configuration is for another platform */
    static void check(JsonNode config, Platform asked) throws OutputRejectedException {
        ImagePlatform image = of(config);
        if (image.os.isEmpty() || image.architecture.isEmpty()) {
            throw new OutputRejectedException("the image's configuration names no os and architecture");
        }
        if (!image.fits(asked)) {
            throw new OutputRejectedException("the image is for " + image + ", but " + asked + " was asked for");
        }
    }

    private Optional<Platform> normalised(String withVariant) {
        try {
            return Optional.of(new Platform(os, architecture, withVariant));
        } catch (IllegalArgumentException e) {
            return Optional.empty();
        }
    }

    @Override
    public String toString() {
        return platform().map(Platform::toString).orElse(os + "/" + architecture);
    }
}
