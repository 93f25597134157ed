package dev.kiln.worker.builder.jib;

import com.google.cloud.tools.jib.api.buildplan.AbsoluteUnixPath;
import com.google.cloud.tools.jib.api.buildplan.FileEntriesLayer;
import com.google.cloud.tools.jib.api.buildplan.FileEntry;
import dev.kiln.worker.builder.jib.JibFile.Copy;
import dev.kiln.worker.builder.jib.JibFile.Layer;
import dev.kiln.worker.builder.jib.JibFile.Properties;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.stream.Stream;

/**
 * Turns the copies of a {@code jib.yaml} into the entries of layers. The server reads these files with its own rights,
 * perhaps as root, so every step of every path is looked at without following a link, and only regular files and
 * directories pass. Nothing else runs in the checkout meanwhile, so what was looked at is what jib-core reads.
 */
final class LayerFiles {
    private static final int MAX_ENTRIES = 200_000;

    /** Of an entry in a tar: its header, and jib's extended header for the times. */
    private static final long ENTRY_OVERHEAD = 2560;

    private final Path checkout;
    private final Cancellation cancellation;
    private int entries;
    private long bytes;

    private LayerFiles(Path checkout, Cancellation cancellation) {
        this.checkout = checkout;
        this.cancellation = cancellation;
    }

    /**
     * The layers' entries, in an order that depends on names alone.
     *
     * @param bytes at most this large are all layers together, uncompressed
     */
    record Collected(List<FileEntriesLayer> layers, long bytes) {
        Collected {
            layers = List.copyOf(layers);
        }
    }

    /** @throws JibFailure of the source's class when a file is missing, or is a link or special */
    static Collected collect(Path checkout, List<Layer> layers, Cancellation cancellation)
            throws JibFailure, IOException, InterruptedException {
        LayerFiles files = new LayerFiles(checkout, cancellation);
        List<FileEntriesLayer> collected = new ArrayList<>();
        for (Layer layer : layers) {
            collected.add(files.layer(layer));
        }
        return new Collected(collected, files.bytes);
    }

    /** The bytes of {@code jib.yaml}, or of whatever regular file there is by that name, at most {@code limit}. */
    static byte[] read(Path checkout, String name, int limit) throws JibFailure, IOException {
        Path file = checkout.resolve(name);
        BasicFileAttributes attributes;
        try {
            attributes = attributes(file);
        } catch (NoSuchFileException e) {
            throw JibFailure.source("the source has no " + name, e);
        }
        if (!attributes.isRegularFile()) {
            throw JibFailure.source(name + " is not a regular file");
        }
        if (attributes.size() > limit) {
            throw JibFailure.source(name + " is larger than " + limit + " bytes");
        }
        try (var in = Files.newInputStream(file, LinkOption.NOFOLLOW_LINKS)) {
            return in.readNBytes(limit);
        }
    }

    /** The bytes of everything below a directory. */
    static long sizeOf(Path directory) throws IOException {
        try (Stream<Path> all = Files.walk(directory)) {
            long sum = 0;
            for (Path path : (Iterable<Path>) all::iterator) {
                BasicFileAttributes attributes = attributes(path);
                sum += attributes.isRegularFile() ? attributes.size() : 0;
            }
            return sum;
        }
    }

    private FileEntriesLayer layer(Layer layer) throws JibFailure, IOException, InterruptedException {
        Map<String, FileEntry> byDestination = new HashMap<>();
        List<FileEntry> ordered = new ArrayList<>();
        for (Copy copy : layer.copies()) {
            for (FileEntry entry : entries(copy).values()) {
                FileEntry earlier =
                        byDestination.putIfAbsent(entry.getExtractionPath().toString(), entry);
                if (earlier == null) {
                    ordered.add(entry);
                } else if (!(isDirectory(earlier) && isDirectory(entry))) {
                    throw failure(
                            copy,
                            "the layer '" + layer.name() + "' would have " + entry.getExtractionPath() + " twice");
                }
            }
        }
        return FileEntriesLayer.builder()
                .setName(layer.name())
                .setEntries(ordered)
                .build();
    }

    private static boolean isDirectory(FileEntry entry) {
        return Files.isDirectory(entry.getSourceFile(), LinkOption.NOFOLLOW_LINKS);
    }

    /** By destination, so that the order is that of names and never of the disk. */
    private Map<String, FileEntry> entries(Copy copy) throws JibFailure, IOException, InterruptedException {
        Path source = locate(copy);
        Map<String, FileEntry> found = new TreeMap<>();
        if (attributes(source).isDirectory()) {
            directory(copy, source, "", found);
            if (copy.includes().isEmpty()) {
                add(copy, source, "", found);
            }
        } else {
            if (!copy.includes().isEmpty() || !copy.excludes().isEmpty()) {
                throw failure(copy, "'src' is a file, and includes and excludes are for directories");
            }
            String name =
                    copy.destination().endsWith("/") ? source.getFileName().toString() : "";
            if (name.isEmpty()
                    && AbsoluteUnixPath.get(copy.destination()).toString().equals("/")) {
                throw failure(copy, "'dest' is not a file's path");
            }
            add(copy, source, name, found);
        }
        return found;
    }

    private Path locate(Copy copy) throws JibFailure, IOException {
        Path path = checkout;
        for (Path segment : Path.of(copy.source()).normalize()) {
            if (segment.toString().isEmpty()) {
                continue;
            }
            if (!attributes(path).isDirectory()) {
                throw missing(copy);
            }
            path = path.resolve(segment);
            try {
                regular(copy, path, attributes(path));
            } catch (NoSuchFileException e) {
                throw missing(copy);
            }
        }
        return path;
    }

    private JibFailure missing(Copy copy) {
        return failure(copy, "the source has no '" + copy.source() + "'");
    }

    /** Adds what is below {@code directory}; whether there was anything that the copy includes. */
    private boolean directory(Copy copy, Path directory, String prefix, Map<String, FileEntry> found)
            throws JibFailure, IOException, InterruptedException {
        boolean any = false;
        try (Stream<Path> children = Files.list(directory)) {
            for (Path child : (Iterable<Path>) children::iterator) {
                cancellation.check();
                String relative = prefix + child.getFileName();
                if (matches(copy.excludes(), relative)) {
                    continue;
                }
                BasicFileAttributes attributes = attributes(child);
                regular(copy, child, attributes);
                boolean included = copy.includes().isEmpty() || matches(copy.includes(), relative);
                if (attributes.isDirectory()) {
                    included = directory(copy, child, relative + "/", found)
                            || copy.includes().isEmpty();
                }
                if (included) {
                    add(copy, child, relative, found);
                }
                any |= included;
            }
        }
        return any;
    }

    private static boolean matches(List<Glob> globs, String path) {
        return globs.stream().anyMatch(glob -> glob.matches(path));
    }

    /** A link would lead out of the checkout, and jib-core can only copy what is behind it. */
    private void regular(Copy copy, Path path, BasicFileAttributes attributes) throws JibFailure {
        if (!attributes.isRegularFile() && !attributes.isDirectory()) {
            throw failure(
                    copy,
                    "'" + checkout.relativize(path) + "' is a "
                            + (attributes.isSymbolicLink() ? "symbolic link" : "special file")
                            + ", and only regular files and directories can be copied; exclude it");
        }
    }

    private void add(Copy copy, Path source, String relative, Map<String, FileEntry> found)
            throws JibFailure, IOException {
        AbsoluteUnixPath base = AbsoluteUnixPath.get(copy.destination());
        AbsoluteUnixPath destination = relative.isEmpty() ? base : base.resolve(relative);
        if (destination.toString().equals("/")) {
            return;
        }
        if (destination.toString().indexOf('\ufffd') >= 0) {
            throw failure(copy, "a file's name is not UTF-8, or this server's locale is not");
        }
        if (++entries > MAX_ENTRIES) {
            throw failure(copy, "there are more than " + MAX_ENTRIES + " files");
        }
        BasicFileAttributes attributes = attributes(source);
        bytes += ENTRY_OVERHEAD
                + 2L * destination.toString().length()
                + (attributes.isRegularFile() ? attributes.size() + 511 : 0);
        Properties properties = copy.properties();
        found.put(
                destination.toString(),
                new FileEntry(
                        source,
                        destination,
                        attributes.isDirectory() ? properties.directoryPermissions() : properties.filePermissions(),
                        properties.timestamp(),
                        Optional.of(properties.user() + ":" + properties.group())
                                .filter(owner -> !owner.equals(":"))
                                .orElse("")));
    }

    private static BasicFileAttributes attributes(Path path) throws IOException {
        return Files.readAttributes(path, BasicFileAttributes.class, LinkOption.NOFOLLOW_LINKS);
    }

    private static JibFailure failure(Copy copy, String message) {
        return YamlMap.failure(copy.line(), message);
    }
}
