package dev.kiln.worker.output;

import com.fasterxml.jackson.databind.JsonNode;
import dev.kiln.oci.Platform;
import java.util.Locale;
import java.util.Optional;

/** What an image's configuration, or an index's entry, says of its platform. */
record ImagePlatform(String os, String architecture, String variant, String osVersion) {
    /** @param json with the properties {@code os}, {@code architecture} and perhaps {@code variant} and {@code os.version} */
    static ImagePlatform of(JsonNode json) {
        return new ImagePlatform(
                word(json, "os"), word(json, "architecture"), word(json, "variant"), word(json, "os.version"));
    }

    private static String word(JsonNode json, String property) {
        return json.path(property).asText("").toLowerCase(Locale.ROOT);
    }

    /** In normal form; empty when it names none, as the entries of attestations do ("unknown/unknown"). */
    Optional<Platform> platform() {
        return normalised(variant);
    }

    /**
     * Whether it is what was asked for, as far as an image can say: of features it says nothing, and an os.version counts
     * only where one was asked for.
     */
    boolean is(Platform asked) {
        return is(asked, variant);
    }

    /** Builders often leave the variant out of a configuration: then it is that of the platform they were asked for. */
    boolean fits(Platform asked) {
        return is(asked, variant.isEmpty() ? asked.variant() : variant);
    }

    private boolean is(Platform asked, String withVariant) {
        Platform machine = new Platform(asked.os(), asked.architecture(), asked.variant());
        return normalised(withVariant).equals(Optional.of(machine))
                && (osVersion.isEmpty()
                        || asked.osVersion().isEmpty()
                        || (osVersion + ".").startsWith(asked.osVersion() + "."));
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
        return platform().map(Platform::toString).orElse(os + "/" + architecture)
                + (osVersion.isEmpty() ? "" : ":" + osVersion);
    }
}
