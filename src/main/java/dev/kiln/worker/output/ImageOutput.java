package dev.kiln.worker.output;

import dev.kiln.blob.ContentStore;
import dev.kiln.blob.Links;
import dev.kiln.oci.BuildKey;
import dev.kiln.oci.Descriptor;
import dev.kiln.oci.Platform;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.SeekableByteChannel;
import java.nio.file.Path;
import java.util.List;

/**
 * Takes what a build left in its output directory into the content store. Everything there is hostile; no process of
 * the build may be alive any more. Blocking, in memory that does not depend on the image. Thread-safe.
 */
public final class ImageOutput {
    private static final String EXPECTED =
            "expected an OCI image layout, or one .tar that is an OCI image layout or a docker-archive";

    private final ContentStore store;
    private final long maxBytes;

    /** @param maxBytes of one image's blobs together, uncompressed where the archive's layers are kept so */
    public ImageOutput(ContentStore store, long maxBytes) {
        this.store = store;
        this.maxBytes = maxBytes;
    }

    /**
     * Publishes the image of the key's platform: first its blobs, every one of them checked, then its links in the
     * key's repository, the manifest's last.
     *
     * @return the manifest's descriptor
     * @throws OutputRejectedException when there is no such image; nothing can be reached then
     * @throws IOException when the disk or the store fails
     */
    public Descriptor take(Path outputDirectory, BuildKey key) throws IOException, OutputRejectedException {
        TakenImage image;
        Intake intake = new Intake(store.blobs(), maxBytes);
        try (DirectoryFiles directory = DirectoryFiles.open(outputDirectory)) {
            if (directory.has(OciLayout.MARKER)) {
                image = new OciLayout(directory, key.platform()).take(intake);
            } else {
                try (TarFiles archive = TarFiles.open(onlyArchive(directory))) {
                    image = fromArchive(archive, key.platform(), intake);
                }
            }
        }
        publishLinks(image, key);
        return image.manifest();
    }

    /**
     * As {@link #take}, for an image that is in the store already, since it was pushed: its blobs are published once more
     * as built ones, which nothing removes.
     *
     * @param pushed the manifest, which is in the store with all that it refers to
     */
    public Descriptor takeStored(Descriptor pushed, BuildKey key) throws IOException, OutputRejectedException {
        TakenImage image;
        try (StoredFiles files = new StoredFiles(store.blobs())) {
            image = new OciLayout(files, key.platform()).take(pushed, new Intake(store.blobs(), maxBytes));
        }
        publishLinks(image, key);
        return image.manifest();
    }

    /** Newer versions of {@code docker save} write both forms at once; the layout keeps the manifest as it was built. */
    private static TakenImage fromArchive(TarFiles archive, Platform platform, Intake intake)
            throws IOException, OutputRejectedException {
        if (archive.has(OciLayout.MARKER)) {
            return new OciLayout(archive, platform).take(intake);
        }
        if (archive.has(DockerArchive.MARKER)) {
            return new DockerArchive(archive, platform).take(intake);
        }
        throw new OutputRejectedException(
                "the build's archive holds no image: found " + list(archive.names()) + "; " + EXPECTED);
    }

    private static FileChannel onlyArchive(DirectoryFiles directory) throws IOException, OutputRejectedException {
        List<String> archives =
                directory.names().stream().filter(name -> name.endsWith(".tar")).toList();
        if (archives.size() != 1) {
            throw new OutputRejectedException(
                    "the build left no image: found " + list(directory.names()) + "; " + EXPECTED);
        }
        SeekableByteChannel channel = directory.channel(archives.get(0));
        if (channel instanceof FileChannel file) {
            return file;
        }
        channel.close();
        throw new IOException("could not read the build's archive: its file system gives no file channels");
    }

    private static String list(List<String> names) {
        return names.isEmpty() ? "nothing" : String.join(", ", names.subList(0, Math.min(names.size(), 10)));
    }

    private void publishLinks(TakenImage image, BuildKey key) throws IOException {
        for (Descriptor layer : image.layers()) {
            publish(key, layer, Links.Kind.BLOB);
        }
        publish(key, image.config(), Links.Kind.BLOB);
        publish(key, image.manifest(), Links.Kind.MANIFEST);
    }

    private void publish(BuildKey key, Descriptor content, Links.Kind kind) throws IOException {
        Links.Link link = new Links.Link(kind, content.mediaType(), content.size(), key.toString());
        store.links().publish(key.repository(), content.digest(), link);
    }
}
