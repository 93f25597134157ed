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
import java.util.Set;
import java.util.concurrent.ExecutorService;

/**
 * The default file system as a process sees it that is killed after a number of steps: each change of a file or folder is
 * one (what is written into an open file is not); from the one after the last on, nothing changes any more.
 */
public final class MortalFiles extends FileSystemProvider {
    private final FileSystemProvider real = FileSystems.getDefault().provider();
    private final FileSystem fileSystem = new MortalFileSystem();
    private final List<Channel> open = new ArrayList<>();
    private int left;

    /** The end of the process that the tests stand in for. */
    public static final class Killed extends Error {
        private static final long serialVersionUID = 1L;
    }

    public MortalFiles(int steps) {
        left = steps;
    }

    /** The same file, as the process sees it. */
    public Path see(Path path) {
        return new MortalPath(path);
    }

    /** Whether the process has done less than it was allowed to. */
    public boolean isAlive() {
        return left > 0;
    }

    private void step() {
        if (left == 0) {
            throw new Killed();
        }
        left--;
        if (left == 0) {
            for (Channel channel : open) {
                try {
                    channel.close();
                } catch (IOException e) {
                    throw new IllegalStateException(e);
                }
            }
        }
    }

    private <C extends Channel> C opened(C channel) throws IOException {
        open.add(channel);
        if (left == 0) {
            channel.close();
        }
        return channel;
    }

    private static Path real(Path path) {
        if (path instanceof MortalPath mortal) {
            return mortal.real;
        }
        throw new ProviderMismatchException();
    }

    @Override
    public String getScheme() {
        return "mortal";
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

    private void stepIfWriting(Set<? extends OpenOption> options) {
        if (options.contains(StandardOpenOption.WRITE)) {
            step();
        }
    }

    @Override
    public SeekableByteChannel newByteChannel(
            Path path, Set<? extends OpenOption> options, FileAttribute<?>... attributes) throws IOException {
        stepIfWriting(options);
        return opened(real.newByteChannel(real(path), options, attributes));
    }

    @Override
    public FileChannel newFileChannel(Path path, Set<? extends OpenOption> options, FileAttribute<?>... attributes)
            throws IOException {
        stepIfWriting(options);
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

    private final class MortalFileSystem extends FileSystem {
        private final FileSystem fileSystem = FileSystems.getDefault();

        @Override
        public FileSystemProvider provider() {
            return MortalFiles.this;
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

    private final class MortalPath implements Path {
        private final Path real;

        MortalPath(Path real) {
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
            return other instanceof MortalPath mortal && real.equals(mortal.real);
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
