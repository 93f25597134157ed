package dev.kiln.worker.output;

import java.io.IOException;
import java.io.InputStream;
import java.nio.channels.Channels;
import java.nio.channels.SeekableByteChannel;
import java.nio.file.AccessDeniedException;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.SecureDirectoryStream;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributeView;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * A directory that belongs to the build's user. No symbolic link is followed, at any component, the directory itself
 * included; and nothing but a regular file is opened, since opening a FIFO waits for ever.
 */
final class DirectoryFiles implements ImageFiles {
    private static final int MAX_NAMES = 1000;

    private final SecureDirectoryStream<Path> root;
    private final List<String> names;

    private DirectoryFiles(SecureDirectoryStream<Path> root, List<String> names) {
        this.root = root;
        this.names = names;
    }

    /** @param directory whose parent's parent only the server can change */
    static DirectoryFiles open(Path directory) throws IOException, OutputRejectedException {
        String name = directory.getFileName().toString();
        try (DirectoryStream<Path> stream = Files.newDirectoryStream(directory.getParent())) {
            SecureDirectoryStream<Path> parent = secure(stream);
            if (!attributes(parent, name).map(BasicFileAttributes::isDirectory).orElse(false)) {
                throw new OutputRejectedException(
                        "the build removed its output directory; it has to leave the image there");
            }
            SecureDirectoryStream<Path> root = descend(parent, name);
            try {
                return new DirectoryFiles(root, list(root));
            } catch (DirectoryIteratorException e) {
                root.close();
                throw e.getCause();
            }
        }
    }

    @Override
    public boolean has(String name) throws IOException, OutputRejectedException {
        return within(name, (directory, file) -> attributes(directory, file).isPresent(), () -> false);
    }

    @Override
    public long size(String name) throws IOException, OutputRejectedException {
        return within(name, (directory, file) -> regular(directory, file, name).size(), () -> {
            throw missing(name);
        });
    }

    @Override
    public InputStream open(String name) throws IOException, OutputRejectedException {
        return Channels.newInputStream(channel(name));
    }

    SeekableByteChannel channel(String name) throws IOException, OutputRejectedException {
        return within(
                name,
                (directory, file) -> {
                    regular(directory, file, name);
                    return directory.newByteChannel(
                            Path.of(file), Set.of(StandardOpenOption.READ, LinkOption.NOFOLLOW_LINKS));
                },
                () -> {
                    throw missing(name);
                });
    }

    @Override
    public List<String> names() {
        return names;
    }

    @Override
    public void close() throws IOException {
        root.close();
    }

    /** Walks to the directory that holds {@code name}'s last component. */
    private <T> T within(String name, Visit<T> visit, Otherwise<T> otherwise)
            throws IOException, OutputRejectedException {
        String[] components = name.split("/", -1);
        List<SecureDirectoryStream<Path>> opened = new ArrayList<>();
        try {
            SecureDirectoryStream<Path> directory = root;
            for (int i = 0; i < components.length - 1; i++) {
                Optional<BasicFileAttributes> next = attributes(directory, components[i]);
                if (next.isEmpty()) {
                    return otherwise.get();
                }
                if (!next.get().isDirectory()) {
                    throw new OutputRejectedException("in the build's output, " + components[i] + " is "
                            + kind(next.get()) + "; it has to be a directory");
                }
                directory = descend(directory, components[i]);
                opened.add(directory);
            }
            return visit.at(directory, components[components.length - 1]);
        } catch (NoSuchFileException e) {
            return otherwise.get();
        } catch (InvalidPathException e) {
            throw new OutputRejectedException("in the build's output, " + name + " has a name that is not ASCII", e);
        } catch (AccessDeniedException e) {
            throw new OutputRejectedException(
                    "in the build's output, " + name + " cannot be read: its mode forbids it", e);
        } finally {
            for (SecureDirectoryStream<Path> directory : opened) {
                directory.close();
            }
        }
    }

    private static BasicFileAttributes regular(SecureDirectoryStream<Path> directory, String file, String name)
            throws IOException, OutputRejectedException {
        BasicFileAttributes attributes = attributes(directory, file).orElseThrow(() -> missing(name));
        if (!attributes.isRegularFile()) {
            throw new OutputRejectedException(
                    "in the build's output, " + name + " is " + kind(attributes) + "; it has to be a file");
        }
        return attributes;
    }

    private static Optional<BasicFileAttributes> attributes(SecureDirectoryStream<Path> directory, String name)
            throws IOException {
        try {
            return Optional.of(directory
                    .getFileAttributeView(Path.of(name), BasicFileAttributeView.class, LinkOption.NOFOLLOW_LINKS)
                    .readAttributes());
        } catch (NoSuchFileException e) {
            return Optional.empty();
        }
    }

    private static String kind(BasicFileAttributes attributes) {
        if (attributes.isSymbolicLink()) {
            return "a symbolic link";
        }
        if (attributes.isDirectory()) {
            return "a directory";
        }
        return attributes.isRegularFile() ? "a file" : "a FIFO, socket or device";
    }

    private static OutputRejectedException missing(String name) {
        return new OutputRejectedException("the build's output lacks " + name);
    }

    private static SecureDirectoryStream<Path> descend(SecureDirectoryStream<Path> directory, String name)
            throws IOException {
        return directory.newDirectoryStream(Path.of(name), LinkOption.NOFOLLOW_LINKS);
    }

    private static SecureDirectoryStream<Path> secure(DirectoryStream<Path> stream) throws IOException {
        if (stream instanceof SecureDirectoryStream<Path> secure) {
            return secure;
        }
        throw new IOException("could not read the build's output: the operating system lacks openat; use Linux");
    }

    private static List<String> list(DirectoryStream<Path> directory) {
        List<String> found = new ArrayList<>();
        for (Path path : directory) {
            found.add(path.getFileName().toString());
            if (found.size() == MAX_NAMES) {
                break;
            }
        }
        Collections.sort(found);
        return List.copyOf(found);
    }

    private interface Visit<T> {
        T at(SecureDirectoryStream<Path> directory, String file) throws IOException, OutputRejectedException;
    }

    private interface Otherwise<T> {
        T get() throws OutputRejectedException;
    }
}
