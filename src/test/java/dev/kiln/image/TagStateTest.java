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
    private static final Instant NOW = Instant.parse("2026-01-01T00:00:00Z");

    private final TagState opened = TagState.EMPTY.apply(new TagEvent.RevisionOpened(
            "https://git.example.com/team/app.git",
            new SourceArchive(Digest.sha256(new byte[0]), 0, 0),
            List.of(AMD, ARM),
            new Cause("", "", "", "main"),
            NOW));

    @Test
    void theBytesOfAnIndexNeverChange() {
        String partial = IndexComposer.compose(
                opened.compose(REVISION, Map.of(AMD, manifest("amd"))).orElseThrow());
        assertThat(partial)
                .isEqualTo(
                        "{\"schemaVersion\":2,\"mediaType\":\"application/vnd.oci.image.index.v1+json\",\"manifests\":["
                                + "{\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\",\"digest\":\""
                                + manifest("amd").digest() + "\",\"size\":3,"
                                + "\"platform\":{\"architecture\":\"amd64\",\"os\":\"linux\"}}],"
                                + "\"annotations\":{\"dev.kiln.platforms.missing\":\"linux/arm64/v8\","
                                + "\"org.opencontainers.image.revision\":\"0123456789abcdef0123456789abcdef01234567\","
                                + "\"org.opencontainers.image.source\":\"https://git.example.com/team/app.git\"}}");

        String complete =
                IndexComposer.compose(opened.compose(REVISION, Map.of(AMD, manifest("amd"), ARM, manifest("arm")))
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
        assertThat(opened.compose(REVISION, Map.of())).isEmpty();
        Composition first =
                opened.compose(REVISION, Map.of(AMD, manifest("amd"))).orElseThrow();
        TagState after = composed(opened, first);
        assertThat(after.compose(REVISION, Map.of())).isEmpty();
        assertThat(after.compose(REVISION, Map.of(AMD, manifest("amd")))).isEmpty();
        assertThat(after.compose(REVISION, Map.of(AMD, manifest("another"))))
                .as("what was listed once is never replaced")
                .isEmpty();
    }

    @Test
    void whatIsNotOfTheSetIsNotListedUntilItJoins() {
        Platform late = Platform.of("linux/s390x");
        assertThat(opened.compose(REVISION, Map.of(late, manifest("late")))).isEmpty();
        TagState joined = opened.apply(new TagEvent.PlatformJoined(late, new Cause("", "", "", ""), NOW));
        assertThat(joined.compose(REVISION, Map.of(late, manifest("late")))
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
                    Composition composition = state.compose(REVISION, built).orElseThrow();
                    assertThat(composition.children()).as("seed " + seed).hasSizeGreaterThan(listed);
                    listed = composition.children().size();
                    state = composed(state, composition);
                }
            }
            String last = IndexComposer.compose(state.newest().orElseThrow().composition());
            expected = Optional.ofNullable(expected).orElse(last);
            assertThat(last).as("seed " + seed).isEqualTo(expected);
        }
    }

    private static TagState composed(TagState state, Composition composition) {
        byte[] bytes = IndexComposer.compose(composition).getBytes(StandardCharsets.UTF_8);
        return state.apply(new TagEvent.IndexComposed(
                new Descriptor(MediaTypes.OCI_INDEX, Digest.sha256(bytes), bytes.length), composition, NOW));
    }

    private static Descriptor manifest(String content) {
        return new Descriptor(
                MediaTypes.OCI_MANIFEST, Digest.sha256(content.getBytes(StandardCharsets.UTF_8)), content.length());
    }
}
