package dev.kiln.testing;

import java.io.IOException;
import java.net.URI;
import java.nio.channels.AsynchronousFileChannel;
import java.nio.channels.Channel;
import java.nio.channels.FileChannel;
import java.nio.channels.SeekableByteChannel;
import java.nio.file.AccessMode;
import java.nio.file.CopyOption;
import java.nio.file.DirectoryStream;
import java.nio.file.FileStore;
import java.nio.file.FileSystem;
import java.nio.file.FileSystems;
import java.nio.file.LinkOption;
import java.nio.file.OpenOption;
import java.nio.file.Path;
import java.nio.file.PathMatcher;
import java.nio.file.ProviderMismatchException;
import java.nio.file.StandardOpenOption;
import java.nio.file.WatchEvent;
import java.nio.file.WatchKey;
import java.nio.file.WatchService;
import java.nio.file.attribute.BasicFileAttributeView;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.FileAttributeView;
import java.nio.file.attribute.FileTime;
import java.nio.file.attribute.UserPrincipalLookupService;
import java.nio.file.spi.FileSystemProvider;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ExecutorService;

/**
 * The default file system as a process sees it to which something happens after a number of steps: it is killed, so that
 * nothing changes any more, or another process does something in between. Each change of a file or folder is a step (what is
 * written into an open file is not), and so is each look at one, where others come in between.
 */
public final class SteppedFiles extends FileSystemProvider {
    private static final int UNLIMITED = -1;

    private final FileSystemProvider real = FileSystems.getDefault().provider();
    private final FileSystem fileSystem = new SteppedFileSystem();
    private final List<Channel> open = new ArrayList<>();
    private final Optional<Action> between;
    private final int steps;
    private int left = UNLIMITED;

    /** The end of the process that the tests stand in for. */
    public static final class Killed extends Error {
        private static final long serialVersionUID = 1L;
    }

    private SteppedFiles(int steps, Optional<Action> between) {
        this.steps = steps;
        this.between = between;
    }

    /** What another process does. */
    public interface Action {
        void run() throws IOException;
    }

    /** As a process sees it that is killed. */
    public static SteppedFiles killedAfter(int steps) {
        return new SteppedFiles(steps, Optional.empty());
    }

    /** As a process sees it while another one acts after some of its steps. */
    public static SteppedFiles interruptedAfter(int steps, Action action) {
        return new SteppedFiles(steps, Optional.of(action));
    }

    /** The same file, as the process sees it. */
    public Path see(Path path) {
        return new SteppedPath(path);
    }

    /** Whether the process has done less than what it was given. */
    public boolean isEarly() {
        return left > 0;
    }

    /** Counts from now on. */
    public void begin() {
        left = steps;
    }

    private void step() throws IOException {
        if (left == UNLIMITED) {
            return;
        }
        if (left == 0) {
            if (between.isEmpty()) {
                throw new Killed();
            }
            left = UNLIMITED;
            between.get().run();
            return;
        }
        left--;
        if (left == 0 && between.isEmpty()) {
            for (Channel channel : open) {
                channel.close();
            }
        }
    }

    private void look() throws IOException {
        if (between.isPresent()) {
            step();
        }
    }

    private <C extends Channel> C opened(C channel) throws IOException {
        open.add(channel);
        if (left == 0 && between.isEmpty()) {
            channel.close();
        }
        return channel;
    }

    private static Path real(Path path) {
        if (path instanceof SteppedPath stepped) {
            return stepped.real;
        }
        throw new ProviderMismatchException();
    }

    @Override
    public String getScheme() {
        return "stepped";
    }

    @Override
    public FileSystem newFileSystem(URI uri, Map<String, ?> env) {
        throw new UnsupportedOperationException();
    }

    @Override
    public FileSystem getFileSystem(URI uri) {
        return fileSystem;
    }

    @Override
    public Path getPath(URI uri) {
        return see(Path.of(uri));
    }

    private void opening(Set<? extends OpenOption> options) throws IOException {
        if (options.contains(StandardOpenOption.WRITE)) {
            step();
        } else {
            look();
        }
    }

    @Override
    public SeekableByteChannel newByteChannel(
            Path path, Set<? extends OpenOption> options, FileAttribute<?>... attributes) throws IOException {
        opening(options);
        return opened(real.newByteChannel(real(path), options, attributes));
    }

    @Override
    public FileChannel newFileChannel(Path path, Set<? extends OpenOption> options, FileAttribute<?>... attributes)
            throws IOException {
        opening(options);
        return opened(real.newFileChannel(real(path), options, attributes));
    }

    @Override
    public AsynchronousFileChannel newAsynchronousFileChannel(
            Path path, Set<? extends OpenOption> options, ExecutorService executor, FileAttribute<?>... attributes) {
        throw new UnsupportedOperationException();
    }

    @Override
    public DirectoryStream<Path> newDirectoryStream(Path folder, DirectoryStream.Filter<? super Path> filter)
            throws IOException {
        look();
        List<Path> files = new ArrayList<>();
        try (DirectoryStream<Path> all = real.newDirectoryStream(real(folder), file -> filter.accept(see(file)))) {
            all.forEach(file -> files.add(see(file)));
        }
        return new DirectoryStream<>() {
            @Override
            public Iterator<Path> iterator() {
                return files.iterator();
            }

            @Override
            public void close() {}
        };
    }

    @Override
    public void createDirectory(Path folder, FileAttribute<?>... attributes) throws IOException {
        step();
        real.createDirectory(real(folder), attributes);
    }

    @Override
    public void createLink(Path link, Path existing) throws IOException {
        step();
        real.createLink(real(link), real(existing));
    }

    @Override
    public void delete(Path path) throws IOException {
        step();
        real.delete(real(path));
    }

    @Override
    public void copy(Path source, Path target, CopyOption... options) {
        throw new UnsupportedOperationException();
    }

    @Override
    public void move(Path source, Path target, CopyOption... options) throws IOException {
        step();
        real.move(real(source), real(target), options);
    }

    @Override
    public boolean isSameFile(Path one, Path other) throws IOException {
        return real.isSameFile(real(one), real(other));
    }

    @Override
    public boolean isHidden(Path path) throws IOException {
        return real.isHidden(real(path));
    }

    @Override
    public FileStore getFileStore(Path path) throws IOException {
        return real.getFileStore(real(path));
    }

    @Override
    public void checkAccess(Path path, AccessMode... modes) throws IOException {
        look();
        real.checkAccess(real(path), modes);
    }

    @Override
    public <V extends FileAttributeView> V getFileAttributeView(Path path, Class<V> type, LinkOption... options) {
        V view = real.getFileAttributeView(real(path), type, options);
        if (type != BasicFileAttributeView.class) {
            return view;
        }
        return type.cast(new BasicFileAttributeView() {
            private final BasicFileAttributeView basic = (BasicFileAttributeView) view;

            @Override
            public String name() {
                return basic.name();
            }

            @Override
            public BasicFileAttributes readAttributes() throws IOException {
                return basic.readAttributes();
            }

            @Override
            public void setTimes(FileTime modified, FileTime accessed, FileTime created) throws IOException {
                step();
                basic.setTimes(modified, accessed, created);
            }
        });
    }

    @Override
    public <A extends BasicFileAttributes> A readAttributes(Path path, Class<A> type, LinkOption... options)
            throws IOException {
        look();
        return real.readAttributes(real(path), type, options);
    }

    @Override
    public Map<String, Object> readAttributes(Path path, String attributes, LinkOption... options) throws IOException {
        return real.readAttributes(real(path), attributes, options);
    }

    @Override
    public void setAttribute(Path path, String attribute, Object value, LinkOption... options) throws IOException {
        step();
        real.setAttribute(real(path), attribute, value, options);
    }

    private final class SteppedFileSystem extends FileSystem {
        private final FileSystem fileSystem = FileSystems.getDefault();

        @Override
        public FileSystemProvider provider() {
            return SteppedFiles.this;
        }

        @Override
        public void close() {}

        @Override
        public boolean isOpen() {
            return true;
        }

        @Override
        public boolean isReadOnly() {
            return false;
        }

        @Override
        public String getSeparator() {
            return fileSystem.getSeparator();
        }

        @Override
        public Iterable<Path> getRootDirectories() {
            throw new UnsupportedOperationException();
        }

        @Override
        public Iterable<FileStore> getFileStores() {
            return fileSystem.getFileStores();
        }

        @Override
        public Set<String> supportedFileAttributeViews() {
            return fileSystem.supportedFileAttributeViews();
        }

        @Override
        public Path getPath(String first, String... more) {
            return see(fileSystem.getPath(first, more));
        }

        @Override
        public PathMatcher getPathMatcher(String pattern) {
            PathMatcher matcher = fileSystem.getPathMatcher(pattern);
            return path -> matcher.matches(real(path));
        }

        @Override
        public UserPrincipalLookupService getUserPrincipalLookupService() {
            return fileSystem.getUserPrincipalLookupService();
        }

        @Override
        public WatchService newWatchService() {
            throw new UnsupportedOperationException();
        }
    }

    private final class SteppedPath implements Path {
        private final Path real;

        SteppedPath(Path real) {
            this.real = real;
        }

        @Override
        public FileSystem getFileSystem() {
            return fileSystem;
        }

        @Override
        public boolean isAbsolute() {
            return real.isAbsolute();
        }

        @Override
        public Path getRoot() {
            return see(real.getRoot());
        }

        @Override
        public Path getFileName() {
            return see(real.getFileName());
        }

        @Override
        public Path getParent() {
            return real.getParent() == null ? null : see(real.getParent());
        }

        @Override
        public int getNameCount() {
            return real.getNameCount();
        }

        @Override
        public Path getName(int index) {
            return see(real.getName(index));
        }

        @Override
        public Path subpath(int begin, int end) {
            return see(real.subpath(begin, end));
        }

        @Override
        public boolean startsWith(Path other) {
            return real.startsWith(real(other));
        }

        @Override
        public boolean endsWith(Path other) {
            return real.endsWith(real(other));
        }

        @Override
        public Path normalize() {
            return see(real.normalize());
        }

        @Override
        public Path resolve(Path other) {
            return see(real.resolve(real(other)));
        }

        @Override
        public Path relativize(Path other) {
            return see(real.relativize(real(other)));
        }

        @Override
        public URI toUri() {
            return real.toUri();
        }

        @Override
        public Path toAbsolutePath() {
            return see(real.toAbsolutePath());
        }

        @Override
        public Path toRealPath(LinkOption... options) throws IOException {
            return see(real.toRealPath(options));
        }

        @Override
        public WatchKey register(WatchService watcher, WatchEvent.Kind<?>[] events, WatchEvent.Modifier... modifiers) {
            throw new UnsupportedOperationException();
        }

        @Override
        public int compareTo(Path other) {
            return real.compareTo(real(other));
        }

        @Override
        public boolean equals(Object other) {
            return other instanceof SteppedPath stepped && real.equals(stepped.real);
        }

        @Override
        public int hashCode() {
            return real.hashCode();
        }

        @Override
        public String toString() {
            return real.toString();
        }
    }
}
