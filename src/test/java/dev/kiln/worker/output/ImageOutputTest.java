package dev.kiln.worker.output;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import akka.util.ByteString;
import dev.kiln.blob.Links;
import dev.kiln.blob.PushTerms;
import dev.kiln.blob.PushedContent;
import dev.kiln.blob.SharedFolder;
import dev.kiln.blob.UploadChunk;
import dev.kiln.oci.BuildKey;
import dev.kiln.oci.Descriptor;
import dev.kiln.oci.Digest;
import dev.kiln.oci.ImageManifest;
import dev.kiln.oci.MediaTypes;
import dev.kiln.oci.Platform;
import dev.kiln.oci.RepositoryName;
import dev.kiln.oci.Revision;
import dev.kiln.testing.RandomImages;
import dev.kiln.testing.RandomImages.Blob;
import dev.kiln.testing.RandomImages.Image;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.time.Duration;
import java.time.InstantSource;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What is taken, from which form, and what is refused because of what the image says. */
final class ImageOutputTest {
    private static final Set<Links.Kind> BOTH = Set.of(Links.Kind.values());
    private static final RepositoryName APP = new RepositoryName("team/app");
    private static final Platform AMD64 = Platform.of("linux/amd64");
    private static final Platform ARM64 = Platform.of("linux/arm64");

    private final RandomImages random = new RandomImages(7);

    @TempDir
    Path temp;

    private Path output;
    private SharedFolder folder;

    @BeforeEach
    void open() throws IOException {
        output = Files.createDirectories(temp.resolve("attempt/output"));
        folder = SharedFolder.open(temp.resolve("store"), InstantSource.system());
    }

    @AfterEach
    void close() throws IOException {
        folder.close();
    }

    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3, 4, 5})
    void aLayoutIsTakenByteForByte(long seed) throws Exception {
        Image image = new RandomImages(seed).image(AMD64);
        RandomImages.write(output, RandomImages.layout(image));

        Descriptor manifest = take(AMD64);

        assertThat(manifest).isEqualTo(image.manifest().descriptor());
        assertServed(image, AMD64);
    }

    @Test
    void aLayoutInATarIsTakenByteForByte() throws Exception {
        Image image = random.image(AMD64);
        RandomImages.writeTar(output.resolve("image.tar"), RandomImages.layout(image));
        Files.writeString(output.resolve("image.digest"), "left by the builder, of no concern");

        assertThat(take(AMD64)).isEqualTo(image.manifest().descriptor());
        assertServed(image, AMD64);
    }

    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3})
    void anImageThatWasPushedIsKeptAsABuiltOne(long seed) throws Exception {
        Image image = new RandomImages(seed).image(AMD64);
        PushedContent pushed = pushed(image);

        assertThat(new ImageOutput(folder.content(), 1 << 20)
                        .takeStored(image.manifest().descriptor(), key(AMD64)))
                .isEqualTo(image.manifest().descriptor());

        assertServed(image, AMD64);
        // What becomes of the push is nothing to what was built.
        for (Blob blob : image.blobs()) {
            pushed.remove(APP, blob.digest(), BOTH, Optional.empty(), () -> {});
        }
        try (Stream<Path> files = Files.walk(temp.resolve("store/pushed"))) {
            for (Path file : files.filter(Files::isRegularFile).toList()) {
                Files.delete(file);
            }
        }
        assertServed(image, AMD64);
    }

    @Test
    void aPushedImageThatIsForAnotherPlatformOrTooLargeIsRefused() throws Exception {
        Image image = random.image(ARM64);
        pushed(image);
        assertThatThrownBy(() -> new ImageOutput(folder.content(), 1 << 20)
                        .takeStored(image.manifest().descriptor(), key(AMD64)))
                .isInstanceOf(OutputRejectedException.class)
                .hasMessageContaining("the image is for linux/arm64/v8, but linux/amd64 was asked for");
        assertThatThrownBy(() -> new ImageOutput(folder.content(), 10)
                        .takeStored(image.manifest().descriptor(), key(ARM64)))
                .isInstanceOf(OutputRejectedException.class)
                .hasMessageContaining("max-output");
        for (Blob blob : image.blobs()) {
            assertThat(folder.content().links().find(APP, blob.digest()))
                    .get()
                    .extracting(Links.Link::origin)
                    .isEqualTo("push");
        }
    }

    /** It was there when the push was answered: that is the store's fault, and tried again. */
    @Test
    void aPushedBlobThatIsGoneIsNoFaultOfTheImage() throws Exception {
        Image image = random.image(AMD64);
        pushed(image);
        try (Stream<Path> files = Files.walk(temp.resolve("store/pushed"))) {
            String layer = image.layers().get(0).digest().hex();
            Files.delete(files.filter(file -> file.endsWith(layer)).findFirst().orElseThrow());
        }
        assertThatThrownBy(() -> new ImageOutput(folder.content(), 1 << 20)
                        .takeStored(image.manifest().descriptor(), key(AMD64)))
                .isInstanceOf(NoSuchFileException.class);
    }

    private PushedContent pushed(Image image) throws IOException {
        PushedContent content = folder.pushed(new PushTerms(Duration.ofHours(1), Duration.ofHours(1), List.of()));
        for (Blob blob : image.blobs()) {
            try (UploadChunk chunk =
                    content.uploads().append(APP, content.uploads().open(APP), 0)) {
                chunk.out().write(blob.bytes().toArray());
                chunk.finish(blob.digest());
            }
        }
        return content;
    }

    @Test
    void theAskedPlatformIsChosen() throws Exception {
        Image amd64 = random.image(AMD64);
        Image arm64 = random.image("linux", "arm64", "");
        RandomImages.write(output, RandomImages.layout(amd64, arm64));

        assertThat(take(ARM64)).isEqualTo(arm64.manifest().descriptor());
        assertThat(take(AMD64)).isEqualTo(amd64.manifest().descriptor());
        assertThat(folder.content().links().find(APP, arm64.config().digest()))
                .get()
                .extracting(Links.Link::origin)
                .isEqualTo(key(ARM64).toString());
    }

    @Test
    void indexesWithinTheIndexAreFollowed() throws Exception {
        Image amd64 = random.image(AMD64);
        Image arm64 = random.image(ARM64);
        Blob inner = RandomImages.index(amd64.entry(), arm64.entry());
        Blob middle = RandomImages.index(inner.json(""), amd64.entry());
        Map<String, ByteString> files = RandomImages.layout(RandomImages.index(middle.json("")), amd64, arm64);
        files.put(inner.file(), inner.bytes());
        files.put(middle.file(), middle.bytes());
        RandomImages.write(output, files);

        assertThat(take(ARM64)).isEqualTo(arm64.manifest().descriptor());
    }

    @Test
    void deeperIndexesAreRefused() throws Exception {
        Image amd64 = random.image(AMD64);
        Map<String, ByteString> files = RandomImages.layout(amd64);
        Blob index = RandomImages.index(amd64.entry());
        for (int depth = 0; depth < 3; depth++) {
            files.put(index.file(), index.bytes());
            index = RandomImages.index(index.json(""));
        }
        files.put("index.json", index.bytes());
        RandomImages.write(output, files);

        assertRejected(AMD64, "deeper");
    }

    @Test
    void attestationsAreNoImages() throws Exception {
        Image amd64 = random.image(AMD64);
        Image attestation = random.image("unknown", "unknown", "");
        Image annotated = random.image(AMD64);
        Blob index = RandomImages.index(
                amd64.entry(),
                attestation.entry(),
                annotated.manifest().json(",\"annotations\":{\"vnd.docker.reference.type\":\"attestation-manifest\"}"));
        RandomImages.write(output, RandomImages.layout(index, amd64, attestation, annotated));

        assertThat(take(AMD64)).isEqualTo(amd64.manifest().descriptor());
    }

    @Test
    void withoutPlatformsInTheIndexTheConfigurationsDecide() throws Exception {
        Image amd64 = random.image(AMD64);
        Image arm64 = random.image(ARM64);
        Blob one = RandomImages.index(amd64.manifest().json(""));
        Blob two =
                RandomImages.index(amd64.manifest().json(""), arm64.manifest().json(""));

        RandomImages.write(output, RandomImages.layout(one, amd64));
        assertThat(take(AMD64)).isEqualTo(amd64.manifest().descriptor());
        RandomImages.write(output, RandomImages.layout(two, amd64, arm64));
        assertThat(take(ARM64)).isEqualTo(arm64.manifest().descriptor());
    }

    @Test
    void twoImagesForOnePlatformAreAmbiguous() throws Exception {
        RandomImages.write(output, RandomImages.layout(random.image(AMD64), random.image(AMD64)));

        assertRejected(AMD64, "ambiguous", "linux/amd64");
    }

    @Test
    void oneImageUnderTwoTagsIsNotAmbiguous() throws Exception {
        Image image = random.image(AMD64);
        RandomImages.write(output, RandomImages.layout(RandomImages.index(image.entry(), image.entry()), image));

        assertThat(take(AMD64)).isEqualTo(image.manifest().descriptor());
    }

    @Test
    void anIndexWithoutTheAskedPlatformSaysWhichThereAre() throws Exception {
        RandomImages.write(output, RandomImages.layout(random.image(AMD64), random.image(ARM64)));

        assertRejected(Platform.of("linux/s390x"), "linux/amd64, linux/arm64/v8", "linux/s390x was asked for");
    }

    @ParameterizedTest
    @CsvSource({
        "linux, amd64, '', linux/amd64",
        "linux, arm64, '', linux/arm64/v8",
        "linux, arm64, v8, linux/arm64",
        "linux, arm, '', linux/arm/v6",
        "linux, arm, 7, linux/arm/v7",
        "linux, x86_64, '', linux/amd64",
        "linux, amd64, '', linux/amd64/v3",
        "Linux, AMD64, '', linux/amd64",
        "linux, amd64, '', linux/amd64+sse4",
        "linux, arm64, v8, linux/arm64:6.1+sve",
        "windows, amd64, '', windows/amd64:10.0.17763"
    })
    void theConfigurationFitsWhatWasAsked(String os, String architecture, String variant, String asked)
            throws Exception {
        Image image = random.image(os, architecture, variant);
        RandomImages.write(output, RandomImages.layout(image));
        assertThat(take(Platform.of(asked))).isEqualTo(image.manifest().descriptor());

        RandomImages.writeTar(clean().resolve("image.tar"), RandomImages.dockerArchive(image));
        assertThat(take(Platform.of(asked)).mediaType()).isEqualTo(MediaTypes.OCI_MANIFEST);
    }

    @ParameterizedTest
    @CsvSource({
        "linux, amd64, '', linux/arm64, 'the image is for linux/amd64, but linux/arm64/v8 was asked for'",
        "linux, arm, v7, linux/arm/v6, 'the image is for linux/arm/v7, but linux/arm/v6 was asked for'",
        "linux, arm64, '', linux/amd64+sse4, 'the image is for linux/arm64/v8, but linux/amd64+sse4 was asked for'",
        "windows, amd64, '', linux/amd64, 'the image is for windows/amd64, but linux/amd64 was asked for'",
        "'', '', '', linux/amd64, 'names no os and architecture'"
    })
    void anotherPlatformThanWasAskedForIsRefused(
            String os, String architecture, String variant, String asked, String message) throws Exception {
        Image image = random.image(os, architecture, variant);
        RandomImages.write(output, RandomImages.layout(image));
        assertRejected(Platform.of(asked), message);

        RandomImages.writeTar(clean().resolve("image.tar"), RandomImages.dockerArchive(image));
        assertRejected(Platform.of(asked), message);
    }

    @Test
    void theIndexCannotHideWhatTheConfigurationSays() throws Exception {
        Image amd64 = random.image(AMD64);
        Image arm64 = random.image(ARM64);
        Blob index = RandomImages.index(
                amd64.manifest().json(",\"platform\":" + arm64.platformJson()),
                arm64.manifest().json(",\"platform\":" + amd64.platformJson()));
        RandomImages.write(output, RandomImages.layout(index, amd64, arm64));

        assertRejected(ARM64, "the image is for linux/amd64, but linux/arm64/v8 was asked for");
    }

    @Test
    void aMissingBlobIsNamed() throws Exception {
        Image image = random.image(AMD64);
        for (Blob blob : image.blobs()) {
            Map<String, ByteString> files = RandomImages.layout(image);
            files.remove(blob.file());
            RandomImages.write(clean(), files);

            assertRejected(AMD64, blob.digest().value(), "missing");
        }
    }

    @Test
    void aBlobThatTheStoreHasStillHasToBeInTheOutput() throws Exception {
        Image image = random.image(AMD64);
        Map<String, ByteString> files = RandomImages.layout(image);
        RandomImages.write(output, files);
        take(AMD64);
        files.remove(image.layers().get(0).file());
        RandomImages.write(clean(), files);

        assertThatThrownBy(() -> take(AMD64))
                .isInstanceOf(OutputRejectedException.class)
                .hasMessageContaining("missing");
    }

    @Test
    void aBlobWithOtherContentIsNamed() throws Exception {
        Image image = random.image(AMD64);
        for (Blob blob : image.blobs()) {
            Map<String, ByteString> files = RandomImages.layout(image);
            byte[] spoiled = blob.bytes().toArray();
            spoiled[spoiled.length - 1] ^= 1;
            files.put(blob.file(), ByteString.fromArray(spoiled));
            RandomImages.write(clean(), files);

            assertRejected(AMD64, blob.digest().value(), "damaged");
        }
    }

    @Test
    void aBlobOfAnotherSizeIsNamed() throws Exception {
        Image image = random.image(AMD64);
        for (Blob blob : image.blobs()) {
            Map<String, ByteString> files = RandomImages.layout(image);
            files.put(blob.file(), blob.bytes().concat(ByteString.fromString("more")));
            RandomImages.write(clean(), files);

            assertRejected(
                    AMD64,
                    blob.digest().value(),
                    "its descriptor says " + blob.bytes().size());
        }
    }

    @ParameterizedTest
    @CsvSource({
        "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip, ''",
        "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip, ''",
        "application/vnd.oci.image.layer.v1.tar+gzip, ',\"urls\":[\"http://192.0.2.1/\"]'"
    })
    void foreignLayersAreRefused(String mediaType, String more) throws Exception {
        Image base = random.image(AMD64);
        Blob layer = new Blob(mediaType, base.layers().get(0).bytes());
        Blob manifest = RandomImages.manifest(base.config().json(""), layer.json(more));
        Image image = new Image(base.platformJson(), base.tars(), List.of(layer), base.config(), manifest);
        RandomImages.write(output, RandomImages.layout(image));

        assertRejected(AMD64, "not distributable");
    }

    @Test
    void aDockerManifestInALayoutIsTakenAsItIs() throws Exception {
        Image base = random.image(AMD64);
        Blob manifest = new Blob(
                MediaTypes.DOCKER_MANIFEST,
                ByteString.fromString(base.manifest()
                        .bytes()
                        .utf8String()
                        .replace(MediaTypes.OCI_MANIFEST, MediaTypes.DOCKER_MANIFEST)));
        Image image = new Image(base.platformJson(), base.tars(), base.layers(), base.config(), manifest);
        RandomImages.write(output, RandomImages.layout(image));

        assertThat(take(AMD64)).isEqualTo(manifest.descriptor());
        assertServed(image, AMD64);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "{\"schemaVersion\":1}|schema version 2",
                "{\"schemaVersion\":2,\"manifests\":[]}|schema version 2",
                "{\"schemaVersion\":2,\"mediaType\":\"application/vnd.oci.image.index.v1+json\"}|another mediaType",
                "{\"schemaVersion\":2}|descriptor",
                "[]|not a JSON object",
                "{|not valid JSON",
                "``|JSON"
            })
    void aManifestThatIsNoneIsRefused(String json, String message) throws Exception {
        Blob manifest = new Blob(MediaTypes.OCI_MANIFEST, RandomImages.utf8(json));
        Map<String, ByteString> files = RandomImages.layout(RandomImages.index(manifest.json("")));
        files.put(manifest.file(), manifest.bytes());
        RandomImages.write(output, files);

        assertRejected(AMD64, message);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "{\"manifests\":[]}",
                "{\"manifests\":7}",
                "{}",
                "[",
                "",
                "{\"manifests\":[{}]}",
                "{\"manifests\":[{\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\",\"digest\":\"md5:1\",\"size\":1}]}",
                "{\"manifests\":[],\"layers\":[]}"
            })
    void anIndexThatIsNoneIsRefused(String json) throws Exception {
        Map<String, ByteString> files = RandomImages.layout(random.image(AMD64));
        files.put("index.json", RandomImages.utf8(json));
        RandomImages.write(output, files);

        assertRejected(AMD64, json.equals("{\"manifests\":[]}") ? "no image" : "index");
    }

    @Test
    void hugeAndDeepDocumentsAreRefused() throws Exception {
        Map<String, ByteString> files = RandomImages.layout(random.image(AMD64));
        files.put(
                "index.json",
                RandomImages.utf8("{\"manifests\":[],\"x\":\"" + "x".repeat(ImageManifest.MAX_SIZE) + "\"}"));
        RandomImages.write(output, files);
        assertRejected(AMD64, "4 MiB");

        files.put("index.json", RandomImages.utf8("{\"x\":" + "[".repeat(100_000) + "]".repeat(100_000) + "}"));
        RandomImages.write(clean(), files);
        assertRejected(AMD64, "not valid JSON");
    }

    @Test
    void anIndexWithTooManyEntriesIsRefused() throws Exception {
        Image image = random.image(AMD64);
        String[] entries = IntStream.range(0, 300).mapToObj(i -> image.entry()).toArray(String[]::new);
        RandomImages.write(output, RandomImages.layout(RandomImages.index(entries), image));

        assertRejected(AMD64, "more than 256 entries");
    }

    @Test
    void aDockerArchiveBecomesAnOciImageOfUncompressedLayers() throws Exception {
        Image image = random.image(AMD64);
        RandomImages.writeTar(output.resolve("image.tar"), RandomImages.dockerArchive(image));

        Descriptor taken = take(AMD64);

        ImageManifest manifest = ImageManifest.parse(stored(taken.digest()));
        assertThat(manifest.config()).isEqualTo(image.config().descriptor());
        assertThat(stored(manifest.config().digest()))
                .isEqualTo(image.config().bytes().toArray());
        assertThat(manifest.layers())
                .isEqualTo(image.tars().stream()
                        .map(tar -> new Blob(MediaTypes.OCI_LAYER, tar).descriptor())
                        .toList());
        assertThat(folder.content().links().find(APP, taken.digest()))
                .contains(new Links.Link(
                        Links.Kind.MANIFEST,
                        MediaTypes.OCI_MANIFEST,
                        taken.size(),
                        key(AMD64).toString()));
    }

    @Test
    void theManifestOfADockerArchiveIsTheSameForEver() throws Exception {
        Blob config = new Blob(
                MediaTypes.OCI_CONFIG,
                RandomImages.utf8(
                        "{\"os\":\"linux\",\"architecture\":\"amd64\",\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[]}}"));
        Image image = new Image("", List.of(), List.of(), config, RandomImages.manifest(config, List.of()));
        RandomImages.writeTar(output.resolve("image.tar"), RandomImages.dockerArchive(image));

        assertThat(new String(stored(take(AMD64).digest()), StandardCharsets.UTF_8))
                .isEqualTo("{\"schemaVersion\":2,\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\","
                        + "\"config\":{\"mediaType\":\"application/vnd.oci.image.config.v1+json\","
                        + "\"digest\":\"" + config.digest() + "\",\"size\":78},\"layers\":[]}");
    }

    @Test
    void compressedLayersOfADockerArchiveGiveTheSameImage() throws Exception {
        Image image = random.image(AMD64);
        Map<String, ByteString> files = RandomImages.dockerArchive(image);
        RandomImages.writeTar(output.resolve("image.tar"), files);
        Descriptor plain = take(AMD64);

        files.replaceAll((name, bytes) -> name.endsWith(".tar") ? RandomImages.gzip(bytes) : bytes);
        RandomImages.writeTar(clean().resolve("image.tar"), files);
        assertThat(take(AMD64)).isEqualTo(plain);

        files.replaceAll((name, bytes) -> name.endsWith(".tar") ? members(image, name) : bytes);
        RandomImages.writeTar(clean().resolve("image.tar"), files);
        assertThat(take(AMD64)).isEqualTo(plain);
    }

    /** The layer as gzip of several members, as eStargz writes it. */
    private static ByteString members(Image image, String name) {
        ByteString tar = image.tars().stream()
                .filter(layer -> name.startsWith(Digest.sha256(layer.toArray()).hex()))
                .findFirst()
                .orElseThrow();
        ByteString members = ByteString.emptyByteString();
        for (int from = 0; from < tar.size(); from += 512) {
            members = members.concat(RandomImages.gzip(tar.slice(from, from + 512)));
        }
        return members;
    }

    @Test
    void aDockerArchiveOfSeveralImagesIsSearchedForThePlatform() throws Exception {
        Image amd64 = random.image(AMD64);
        Image arm64 = random.image("linux", "arm64", "");
        RandomImages.writeTar(output.resolve("image.tar"), RandomImages.dockerArchive(amd64, arm64));

        ImageManifest manifest = ImageManifest.parse(stored(take(ARM64).digest()));
        assertThat(manifest.config()).isEqualTo(arm64.config().descriptor());
        assertThatThrownBy(() -> take(Platform.of("linux/386")))
                .isInstanceOf(OutputRejectedException.class)
                .hasMessageContaining("linux/amd64, linux/arm64/v8")
                .hasMessageContaining("linux/386 was asked for");
        RandomImages.writeTar(
                clean().resolve("image.tar"), RandomImages.dockerArchive(random.image(AMD64), random.image(AMD64)));
        assertThatThrownBy(() -> take(AMD64))
                .isInstanceOf(OutputRejectedException.class)
                .hasMessageContaining("ambiguous");
    }

    @Test
    void anArchiveOfBothFormsIsTakenAsALayout() throws Exception {
        Image image = random.image(AMD64);
        Map<String, ByteString> files = new LinkedHashMap<>(RandomImages.dockerArchive(image));
        files.putAll(RandomImages.layout(image));
        RandomImages.writeTar(output.resolve("image.tar"), files);

        assertThat(take(AMD64)).isEqualTo(image.manifest().descriptor());
    }

    @Test
    void layersThatAreNotTheConfigurationsAreRefused() throws Exception {
        Image image = random.image(AMD64);
        String first = Digest.sha256(image.tars().get(0).toArray()).hex();
        Map<String, ByteString> files = RandomImages.dockerArchive(image);
        files.put(first + ".tar", random.bytes(1000));
        RandomImages.writeTar(output.resolve("image.tar"), files);
        assertRejected(AMD64, first, "damaged");

        files.put(first + ".tar", RandomImages.gzip(image.tars().get(0)).dropRight(10));
        RandomImages.writeTar(clean().resolve("image.tar"), files);
        assertRejected(AMD64, first, "not valid gzip");

        files.remove(first + ".tar");
        RandomImages.writeTar(clean().resolve("image.tar"), files);
        assertRejected(AMD64, first, "lacks");

        Map<String, ByteString> fewer = RandomImages.dockerArchive(image);
        fewer.put(
                "manifest.json",
                RandomImages.utf8("[{\"Config\":\"" + image.config().digest().hex() + ".json\",\"Layers\":[]}]"));
        RandomImages.writeTar(clean().resolve("image.tar"), fewer);
        assertRejected(
                AMD64,
                "the archive has 0 layers, its configuration " + image.tars().size());
    }

    @ParameterizedTest
    @ValueSource(strings = {"{}", "[]", "[{}]", "[7]", "[{\"Config\":\"x.json\"}]", "[", ""})
    void aBrokenManifestJsonIsRefused(String json) throws Exception {
        Map<String, ByteString> files = RandomImages.dockerArchive(random.image(AMD64));
        files.put("manifest.json", RandomImages.utf8(json));
        RandomImages.writeTar(output.resolve("image.tar"), files);

        assertRejected(AMD64, "manifest.json");
    }

    @Test
    void anImageAboveTheLimitIsRefused() throws Exception {
        Image image = random.image(AMD64);
        long total =
                image.blobs().stream().mapToLong(blob -> blob.bytes().size()).sum();
        RandomImages.write(output, RandomImages.layout(image));

        assertThatThrownBy(() -> new ImageOutput(folder.content(), total - 1).take(output, key(AMD64)))
                .isInstanceOf(OutputRejectedException.class)
                .hasMessageContaining("build.max-output");
        assertThat(new ImageOutput(folder.content(), total).take(output, key(AMD64)))
                .isEqualTo(image.manifest().descriptor());
    }

    @Test
    void aGzipBombStopsAtTheLimit() throws Exception {
        ByteString bomb = RandomImages.gzip(ByteString.fromArray(new byte[50_000_000]));
        Image base = random.image(AMD64);
        Map<String, ByteString> files = RandomImages.dockerArchive(base);
        files.replaceAll((name, bytes) -> name.endsWith(".tar") ? bomb : bytes);
        RandomImages.writeTar(output.resolve("image.tar"), files);

        assertThatThrownBy(() -> new ImageOutput(folder.content(), 1_000_000).take(output, key(AMD64)))
                .isInstanceOf(OutputRejectedException.class)
                .hasMessageContaining("larger than the 1000000 bytes");
    }

    private void assertServed(Image image, Platform platform) throws IOException {
        for (Blob blob : image.blobs()) {
            assertThat(stored(blob.digest())).isEqualTo(blob.bytes().toArray());
            Links.Kind kind = blob.equals(image.manifest()) ? Links.Kind.MANIFEST : Links.Kind.BLOB;
            assertThat(folder.content().links().find(APP, blob.digest()))
                    .contains(new Links.Link(
                            kind,
                            blob.mediaType(),
                            blob.bytes().size(),
                            key(platform).toString()));
        }
    }

    /** Refused with a message that holds these parts, on one line, and without anything to be reached. */
    private void assertRejected(Platform platform, String... parts) throws IOException {
        assertThatThrownBy(() -> take(platform))
                .isInstanceOf(OutputRejectedException.class)
                .hasMessageContainingAll(parts)
                .hasMessageMatching("[ -~]{1,500}")
                .hasMessageNotContaining(temp.toString());
        assertThat(temp.resolve("store/repositories")).doesNotExist();
        try (Stream<Path> staged = Files.walk(temp.resolve("store/staging"))) {
            assertThat(staged.filter(Files::isRegularFile)
                            .map(Path::getFileName)
                            .map(Path::toString))
                    .containsExactly("owner");
        }
    }

    private Descriptor take(Platform platform) throws IOException, OutputRejectedException {
        return new ImageOutput(folder.content(), 100_000_000).take(output, key(platform));
    }

    private byte[] stored(Digest digest) throws IOException {
        try (InputStream in = folder.content().blobs().open(digest)) {
            return in.readAllBytes();
        }
    }

    private static BuildKey key(Platform platform) {
        return new BuildKey(APP, new Revision("a".repeat(40)), platform);
    }

    private Path clean() throws IOException {
        try (Stream<Path> files = Files.walk(output)) {
            for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
                Files.delete(file);
            }
        }
        return Files.createDirectory(output);
    }
}
