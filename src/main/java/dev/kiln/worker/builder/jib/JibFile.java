package dev.kiln.worker.builder.jib;

import com.google.cloud.tools.jib.api.buildplan.AbsoluteUnixPath;
import com.google.cloud.tools.jib.api.buildplan.FilePermissions;
import com.google.cloud.tools.jib.api.buildplan.Port;
import dev.kiln.oci.Platform;
import java.time.Instant;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * What a {@code jib.yaml} says: the subset of the Jib CLI's build file that {@code docs/configuration.md} describes,
 * already validated. Collections keep the file's order, which the image's bytes depend on.
 *
 * @param baseImage the image to build on; empty: from scratch
 * @param platforms the only platforms it may be built for; empty: any
 * @param entrypoint empty optional: the base image's
 * @param arguments of the entrypoint ({@code cmd}); empty optional: the base image's, unless there is an entrypoint
 */
record JibFile(
        Optional<String> baseImage,
        List<Platform> platforms,
        Optional<Instant> creationTime,
        Map<String, String> environment,
        Map<String, String> labels,
        Set<AbsoluteUnixPath> volumes,
        Set<Port> exposedPorts,
        Optional<String> user,
        Optional<AbsoluteUnixPath> workingDirectory,
        Optional<List<String>> entrypoint,
        Optional<List<String>> arguments,
        List<Layer> layers) {

    JibFile {
        platforms = List.copyOf(platforms);
        environment = Collections.unmodifiableMap(new LinkedHashMap<>(environment));
        labels = Collections.unmodifiableMap(new LinkedHashMap<>(labels));
        volumes = Collections.unmodifiableSet(new LinkedHashSet<>(volumes));
        exposedPorts = Collections.unmodifiableSet(new LinkedHashSet<>(exposedPorts));
        layers = List.copyOf(layers);
    }

    /** One layer of the image: what is copied into it. */
    record Layer(String name, List<Copy> copies) {
        Layer {
            copies = List.copyOf(copies);
        }
    }

    /**
     * A file or a tree that is copied.
     *
     * @param source relative to the checkout, without {@code ..}; {@code .} for all of it
     * @param destination absolute; one that ends in {@code /} is a directory that a file is put in
     * @param includes empty: everything
     * @param line in {@code jib.yaml}, for messages
     */
    record Copy(
            String source,
            String destination,
            List<Glob> includes,
            List<Glob> excludes,
            Properties properties,
            int line) {
        Copy {
            includes = List.copyOf(includes);
            excludes = List.copyOf(excludes);
        }
    }

    /**
     * How copied files look in the image, whatever they look like in the checkout.
     *
     * @param user name or number; empty is root
     */
    record Properties(
            FilePermissions filePermissions,
            FilePermissions directoryPermissions,
            String user,
            String group,
            Instant timestamp) {
        /** Jib's own defaults: with a fixed time, a layer whose files did not change keeps its digest over revisions. */
        static final Properties DEFAULT = new Properties(
                FilePermissions.DEFAULT_FILE_PERMISSIONS,
                FilePermissions.DEFAULT_FOLDER_PERMISSIONS,
                "",
                "",
                Instant.ofEpochSecond(1));
    }
}
