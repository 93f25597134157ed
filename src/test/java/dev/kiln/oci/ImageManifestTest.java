package dev.kiln.oci;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.ThreadMXBean;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import org.junit.jupiter.api.Test;

class ImageManifestTest {
    private static Map<String, String> annotations(String manifest) throws IOException {
        return ImageManifest.annotations(new ByteArrayInputStream(manifest.getBytes(StandardCharsets.UTF_8)));
    }

    @Test
    void annotationsAreThoseOfTheManifestItself() throws IOException {
        assertThat(annotations("""
                {"layers":[{"annotations":{"of":"a layer"}}],"annotations":{"a":"1","b":""},"x":{"annotations":{"of":"x"}}}""")).isEqualTo(Map.of("a", "1", "b", ""));
        assertThat(annotations("{\"manifests\":[],\"annotations\":null}")).isEmpty();
        assertThat(annotations("{}")).isEmpty();
    }

    /** Whoever may push may have it read by many at once. */
    @Test
    void whatElseIsInAManifestTakesLittleMemory() throws IOException {
        String members = "[],".repeat(ImageManifest.MAX_SIZE / 3 - 30);
        String manifest = "{\"x\":[" + members + "[]],\"annotations\":{\"a\":\"1\"}}";
        byte[] bytes = manifest.getBytes(StandardCharsets.US_ASCII);
        ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        long before = threads.getCurrentThreadAllocatedBytes();

        assertThat(ImageManifest.annotations(new ByteArrayInputStream(bytes))).isEqualTo(Map.of("a", "1"));

        assertThat(threads.getCurrentThreadAllocatedBytes() - before).isLessThan(8L * bytes.length);
    }
}
