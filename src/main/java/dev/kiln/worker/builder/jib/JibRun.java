package dev.kiln.worker.builder.jib;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.google.cloud.tools.jib.api.CacheDirectoryCreationException;
import com.google.cloud.tools.jib.api.Containerizer;
import com.google.cloud.tools.jib.api.InvalidImageReferenceException;
import com.google.cloud.tools.jib.api.Jib;
import com.google.cloud.tools.jib.api.JibContainerBuilder;
import com.google.cloud.tools.jib.api.LogEvent;
import com.google.cloud.tools.jib.api.RegistryException;
import com.google.cloud.tools.jib.api.TarImage;
import com.google.cloud.tools.jib.api.buildplan.FileEntriesLayer;
import com.google.cloud.tools.jib.api.buildplan.ImageFormat;
import dev.kiln.oci.Platform;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import org.apache.commons.compress.archivers.tar.TarArchiveEntry;
import org.apache.commons.compress.archivers.tar.TarArchiveOutputStream;

/**
 * One run of jib-core, from a file to a file: it is given nothing that it could open a socket for. Of the base image it
 * sees the configuration, which it merges, and in place of the layers a few bytes each: {@link ImageLayout} puts the
 * registry's own layers back, untouched, so that they keep their digests and are never unpacked.
 */
final class JibRun {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final Set<LogEvent.Level> PRINTED =
            EnumSet.of(LogEvent.Level.ERROR, LogEvent.Level.WARN, LogEvent.Level.LIFECYCLE, LogEvent.Level.INFO);

    private final Path tmp;
    private final AttemptLog log;
    private final Cancellation cancellation;

    /** @param tmp of the attempt, where everything is written */
    JibRun(Path tmp, AttemptLog log, Cancellation cancellation) {
        this.tmp = tmp;
        this.log = log;
        this.cancellation = cancellation;
    }

    /** Makes the image. @return a tar with an OCI layout in it, its base layers being stand-ins */
    Path run(JibFile file, List<FileEntriesLayer> layers, Optional<BaseImage> base, Platform platform, Instant created)
            throws JibFailure, IOException, InterruptedException {
        Path result = tmp.resolve("jib-image.tar");
        // A step waits for others on the same threads, so each needs its own: its number is bounded by the layers
        int threads =
                16 + 2 * layers.size() + 2 * base.map(b -> b.layers().size()).orElse(0);
        ExecutorService executor = Executors.newFixedThreadPool(threads, task -> {
            Thread thread = new Thread(task, Thread.currentThread().getName() + "-step");
            thread.setDaemon(true);
            return thread;
        });
        Cancellation.Registration registration = cancellation.onCancel(executor::shutdownNow);
        try {
            Containerizer containerizer = Containerizer.to(TarImage.at(result).named("kiln/image"))
                    .setOfflineMode(true)
                    .setExecutorService(executor)
                    .setBaseImageLayersCache(tmp.resolve("jib-base"))
                    .setApplicationLayersCache(tmp.resolve("jib-layers"))
                    // both are in the image's history, and jib would take its version from the jar it is in
                    .setToolName("kiln")
                    .setToolVersion("jib")
                    .addEventHandler(LogEvent.class, this::print);
            JibContainerBuilder builder =
                    base.isPresent() ? Jib.from(TarImage.at(standIn(base.get(), platform))) : Jib.fromScratch();
            describe(builder, file, platform, created)
                    .setFileEntriesLayers(layers)
                    .containerize(containerizer);
            return result;
        } catch (ExecutionException e) {
            throw failure(e.getCause() == null ? e : e.getCause());
        } catch (InvalidImageReferenceException | RegistryException | CacheDirectoryCreationException e) {
            throw failure(e);
        } catch (RuntimeException e) {
            cancellation.check();
            throw failure(e);
        } finally {
            registration.close();
            executor.shutdownNow();
            awaitEnd(executor);
        }
    }

    private static JibContainerBuilder describe(
            JibContainerBuilder builder, JibFile file, Platform platform, Instant created) {
        builder.setFormat(ImageFormat.OCI)
                .setCreationTime(created)
                .setPlatforms(Set.of(
                        new com.google.cloud.tools.jib.api.buildplan.Platform(platform.architecture(), platform.os())))
                .setEnvironment(file.environment())
                .setLabels(file.labels())
                .setVolumes(file.volumes())
                .setExposedPorts(file.exposedPorts());
        file.user().ifPresent(builder::setUser);
        file.workingDirectory().ifPresent(builder::setWorkingDirectory);
        file.entrypoint().ifPresent(builder::setEntrypoint);
        file.arguments().ifPresent(builder::setProgramArguments);
        return builder;
    }

    private void print(LogEvent event) {
        if (PRINTED.contains(event.getLevel()) && !event.getMessage().isBlank()) {
            log.line(event.getMessage());
        }
    }

    /** A docker-archive of the base image's configuration, and of stand-ins for its layers. */
    private Path standIn(BaseImage base, Platform platform) throws IOException {
        ObjectNode config = base.config().deepCopy();
        config.put("os", platform.os()).put("architecture", platform.architecture());
        List<String> names = new ArrayList<>();
        Path file = tmp.resolve("jib-base.tar");
        try (TarArchiveOutputStream tar = new TarArchiveOutputStream(Files.newOutputStream(file))) {
            for (int i = 0; i < base.layers().size(); i++) {
                names.add("layer-" + i);
                put(tar, "layer-" + i, ("layer " + i).getBytes(StandardCharsets.UTF_8));
            }
            put(tar, "config.json", JSON.writeValueAsBytes(config));
            put(
                    tar,
                    "manifest.json",
                    JSON.writeValueAsBytes(
                            List.of(Map.of("Config", "config.json", "RepoTags", List.of(), "Layers", names))));
        }
        return file;
    }

    private static void put(TarArchiveOutputStream tar, String name, byte[] bytes) throws IOException {
        TarArchiveEntry entry = new TarArchiveEntry(name);
        entry.setSize(bytes.length);
        tar.putArchiveEntry(entry);
        tar.write(bytes);
        tar.closeArchiveEntry();
    }

    /** What jib-core cannot read is the base image's configuration, all else it was given is ours. */
    private JibFailure failure(Throwable cause) throws IOException, InterruptedException {
        cancellation.check();
        if (cause instanceof IOException disk && !(cause instanceof JsonProcessingException)) {
            throw disk;
        }
        log.line("jib-core: " + cause);
        if (cause instanceof Error error) {
            throw error;
        }
        return JibFailure.source(
                "jib-core cannot make the image: " + cause.getClass().getSimpleName() + ", see the build's log", cause);
    }

    /** Steps read and write through channels, which an interrupt closes: this takes no longer than their last write. */
    private static void awaitEnd(ExecutorService executor) {
        boolean interrupted = false;
        boolean ended = false;
        while (!ended) {
            try {
                ended = executor.awaitTermination(1, TimeUnit.HOURS);
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }
}
