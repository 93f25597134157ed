package dev.kiln.image;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kiln.build.Cause;
import dev.kiln.image.IndexComposer.Composition;
import dev.kiln.oci.Descriptor;
import dev.kiln.oci.Digest;
import dev.kiln.oci.MediaTypes;
import dev.kiln.oci.Platform;
import dev.kiln.oci.Revision;
import dev.kiln.source.SourceArchive;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.Test;

class TagStateTest {
    private static final Platform AMD = Platform.of("linux/amd64");
    private static final Platform ARM = Platform.of("linux/arm64");
    private static final Revision REVISION = new Revision("0123456789abcdef0123456789abcdef01234567");
    private static final Platform SSE = Platform.of("linux/amd64+sse4+avx2");
    private static final Platform SVE = Platform.of("linux/arm64+sve");
    private static final Optional<Platform> COMMON = Optional.empty();
    private static final Instant NOW = Instant.parse("2026-01-01T00:00:00Z");

    private final TagState opened = open(List.of(AMD, ARM));

    @Test
    void theBytesOfAnIndexNeverChange() {
        String partial = IndexComposer.compose(
                opened.compose(REVISION, COMMON, Map.of(AMD, manifest("amd"))).orElseThrow());
        assertThat(partial)
                .isEqualTo(
                        "{\"schemaVersion\":2,\"mediaType\":\"application/vnd.oci.image.index.v1+json\",\"manifests\":["
                                + "{\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\",\"digest\":\""
                                + manifest("amd").digest() + "\",\"size\":3,"
                                + "\"platform\":{\"architecture\":\"amd64\",\"os\":\"linux\"}}],"
                                + "\"annotations\":{\"dev.kiln.platforms.missing\":\"linux/arm64/v8\","
                                + "\"org.opencontainers.image.revision\":\"0123456789abcdef0123456789abcdef01234567\","
                                + "\"org.opencontainers.image.source\":\"https://git.example.com/team/app.git\"}}");

        String complete = IndexComposer.compose(
                opened.compose(REVISION, COMMON, Map.of(AMD, manifest("amd"), ARM, manifest("arm")))
                        .orElseThrow());
        assertThat(complete)
                .contains("{\"architecture\":\"arm64\",\"os\":\"linux\",\"variant\":\"v8\"}")
                .doesNotContain("missing");
    }

    @Test
    void onlyHttpsAndSshSourcesAreShown() {
        assertThat(TagEvent.publicSource("https://a/b")).contains("https://a/b");
        assertThat(TagEvent.publicSource("ssh://a/b")).contains("ssh://a/b");
        assertThat(TagEvent.publicSource("/srv/git/b")).isEmpty();
        assertThat(TagEvent.publicSource("http://a/b")).isEmpty();
    }

    @Test
    void nothingIsComposedOfNothingOrTwice() {
        assertThat(opened.compose(REVISION, COMMON, Map.of())).isEmpty();
        Composition first =
                opened.compose(REVISION, COMMON, Map.of(AMD, manifest("amd"))).orElseThrow();
        TagState after = composed(opened, first);
        assertThat(after.compose(REVISION, COMMON, Map.of())).isEmpty();
        assertThat(after.compose(REVISION, COMMON, Map.of(AMD, manifest("amd"))))
                .isEmpty();
        assertThat(after.compose(REVISION, COMMON, Map.of(AMD, manifest("another"))))
                .as("what was listed once is never replaced")
                .isEmpty();
    }

    @Test
    void whatIsNotOfTheSetIsNotListedUntilItJoins() {
        Platform late = Platform.of("linux/s390x");
        assertThat(opened.compose(REVISION, COMMON, Map.of(late, manifest("late"))))
                .isEmpty();
        TagState joined = opened.apply(new TagEvent.PlatformJoined(late, new Cause("", "", "", ""), NOW));
        assertThat(joined.compose(REVISION, COMMON, Map.of(late, manifest("late")))
                        .orElseThrow()
                        .missing())
                .containsExactly(AMD, ARM);
    }

    /** In whatever order platforms finish and whoever asks, indexes only grow and end in the same bytes. */
    @Test
    void growsToTheSameBytesInAnyOrder() {
        long seed = new Random().nextLong();
        Random random = new Random(seed);
        String expected = null;
        for (int run = 0; run < 200; run++) {
            List<Platform> order = new ArrayList<>(List.of(AMD, ARM));
            Collections.shuffle(order, random);
            TagState state = opened;
            Map<Platform, Descriptor> built = new HashMap<>();
            int listed = 0;
            for (Platform next : order) {
                built.put(next, manifest(next.architecture()));
                if (random.nextBoolean() || built.size() == order.size()) {
                    Composition composition =
                            state.compose(REVISION, COMMON, built).orElseThrow();
                    assertThat(composition.children()).as("seed " + seed).hasSizeGreaterThan(listed);
                    listed = composition.children().size();
                    state = composed(state, composition);
                }
            }
            String last =
                    IndexComposer.compose(state.newest(COMMON).orElseThrow().composition());
            expected = Optional.ofNullable(expected).orElse(last);
            assertThat(last).as("seed " + seed).isEqualTo(expected);
        }
    }

    @Test
    void theIndexOfAFlavourSaysWhatItsImageNeeds() {
        TagState state = flavoured();
        Composition composition = state.compose(REVISION, Optional.of(SSE), Map.of(SSE, manifest("sse")))
                .orElseThrow();
        assertThat(IndexComposer.compose(composition))
                .isEqualTo(
                        "{\"schemaVersion\":2,\"mediaType\":\"application/vnd.oci.image.index.v1+json\",\"manifests\":["
                                + "{\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\",\"digest\":\""
                                + manifest("sse").digest() + "\",\"size\":3,"
                                + "\"platform\":{\"architecture\":\"amd64\",\"os\":\"linux\"},"
                                + "\"annotations\":{\"dev.kiln.platform.features\":\"avx2,sse4\"}}],"
                                + "\"annotations\":{\"dev.kiln.platforms.missing\":\"linux/arm64/v8\","
                                + "\"org.opencontainers.image.revision\":\"0123456789abcdef0123456789abcdef01234567\","
                                + "\"org.opencontainers.image.source\":\"https://git.example.com/team/app.git\"}}");
    }

    @Test
    void anIndexForWindowsSaysVersionsAndFeaturesAsOciDoes() {
        Platform windows = Platform.of("windows/amd64:10.0.17763");
        Platform flavour = Platform.of("windows/amd64:10.0.17763+win32k");
        TagState state = open(List.of(windows, flavour));
        String common = IndexComposer.compose(state.compose(REVISION, COMMON, Map.of(windows, manifest("win")))
                .orElseThrow());
        assertThat(common)
                .contains("\"platform\":{\"architecture\":\"amd64\",\"os\":\"windows\",\"os.version\":\"10.0.17763\"}}")
                .doesNotContain("missing");
        assertThat(IndexComposer.compose(state.compose(REVISION, Optional.of(flavour), Map.of(flavour, manifest("k")))
                        .orElseThrow()))
                .contains("\"os.version\":\"10.0.17763\",\"os.features\":[\"win32k\"]}}")
                .doesNotContain(IndexComposer.FEATURES);
    }

    @Test
    void aFlavourStandsInThePlaceOfItsPlainPlatform() {
        TagState state = flavoured();
        assertThat(Series.platforms(state.platforms(), COMMON)).containsExactly(AMD, ARM);
        assertThat(Series.platforms(state.platforms(), Optional.of(SSE))).containsExactly(SSE, ARM);
        assertThat(Series.platforms(List.of(ARM, SSE), Optional.of(SSE))).containsExactly(ARM, SSE);
        Optional<Platform> unknown = Optional.of(Platform.of("linux/amd64+mmx"));
        assertThat(state.compose(REVISION, unknown, Map.of(AMD, manifest("amd"))))
                .as("nothing, until it has joined")
                .isEmpty();
    }

    /**
     * In whatever order platforms finish and series are asked for: each series only grows, lists no flavour but its own
     * and never the plain platform beside it, and ends in the same bytes as without the others.
     */
    @Test
    void seriesKnowNothingOfEachOther() {
        long seed = new Random().nextLong();
        Random random = new Random(seed);
        List<Optional<Platform>> series = List.of(COMMON, Optional.of(SSE), Optional.of(SVE));
        Map<Optional<Platform>, String> expected = new HashMap<>();
        for (int run = 0; run < 300; run++) {
            List<Platform> order = new ArrayList<>(List.of(AMD, ARM, SSE, SVE));
            Collections.shuffle(order, random);
            TagState state = flavoured();
            Map<Platform, Descriptor> built = new HashMap<>();
            for (Platform next : order) {
                built.put(next, manifest(next.toString()));
                for (int i = 0; i < 3; i++) {
                    state = step(state, series.get(random.nextInt(series.size())), built, "seed " + seed);
                }
            }
            for (Optional<Platform> each : series) {
                state = step(state, each, built, "seed " + seed);
                String last =
                        IndexComposer.compose(state.newest(each).orElseThrow().composition());
                assertThat(expected.computeIfAbsent(each, unused -> last))
                        .as("seed " + seed)
                        .isEqualTo(last);
            }
            assertThat(expected.values()).as("digests of their own").doesNotHaveDuplicates();
        }
    }

    private static TagState step(
            TagState state, Optional<Platform> series, Map<Platform, Descriptor> built, String seed) {
        Optional<Composition> composition = state.compose(REVISION, series, built);
        if (composition.isEmpty()) {
            return state;
        }
        List<Platform> listed = composition.get().children().stream()
                .map(IndexComposer.Child::platform)
                .toList();
        int before =
                state.newest(series).map(n -> n.composition().children().size()).orElse(0);
        assertThat(listed).as(seed).hasSizeGreaterThan(before);
        for (Platform platform : listed) {
            assertThat(!platform.isFlavour() || series.equals(Optional.of(platform)))
                    .as(seed + ": " + platform + " in the series of " + series)
                    .isTrue();
            assertThat(series.map(Platform::plain)).as(seed).isNotEqualTo(Optional.of(platform));
        }
        return composed(state, composition.get());
    }

    private static TagState flavoured() {
        return open(List.of(AMD, ARM, SSE, SVE));
    }

    private static TagState open(List<Platform> platforms) {
        return TagState.EMPTY.apply(new TagEvent.RevisionOpened(
                "https://git.example.com/team/app.git",
                new SourceArchive(Digest.sha256(new byte[0]), 0, 0),
                platforms,
                new Cause("", "", "", "main"),
                NOW));
    }

    private static TagState composed(TagState state, Composition composition) {
        byte[] bytes = IndexComposer.compose(composition).getBytes(StandardCharsets.UTF_8);
        return state.apply(new TagEvent.IndexComposed(
                new Descriptor(MediaTypes.OCI_INDEX, Digest.sha256(bytes), bytes.length),
                composition,
                Optional.empty(),
                NOW));
    }

    private static Descriptor manifest(String content) {
        return new Descriptor(
                MediaTypes.OCI_MANIFEST, Digest.sha256(content.getBytes(StandardCharsets.UTF_8)), content.length());
    }
}
