package dev.kiln.cluster;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kiln.config.ConfigLoader;
import dev.kiln.config.LoadedConfig;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.Properties;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What a node must have in common with those that it joins. */
class TermsTest {
    @TempDir
    Path directory;

    private Terms terms(String config) throws Exception {
        Path file = Files.writeString(directory.resolve("kiln.conf"), config);
        LoadedConfig loaded = ConfigLoader.load(Optional.of(file), new Properties());
        return Terms.of(loaded.kiln(), loaded.akka(), "id");
    }

    @ParameterizedTest
    @CsvSource({
        "kiln.push.grace = 3h, kiln.push.grace is 86400000ms, and in the cluster 10800000ms",
        "kiln.push.upload-expiry = 2h, kiln.push.upload-expiry is 3600000ms, and in the cluster 7200000ms",
        "kiln.push.max-manifests = 7, kiln.push.max-manifests is 20000, and in the cluster 7",
        "kiln.push.sparse = true, kiln.push.sparse is false, and in the cluster true"
    })
    void whatBecomesOfAPushIsTheSameOnAllNodes(String theirs, String difference, String there) throws Exception {
        assertThat(terms("").differences(terms(theirs))).containsExactly(difference + ", " + there);
    }

    @ParameterizedTest
    @CsvSource({
        "kiln.queue.ask = 5s, 'kiln.queue.ask is 3000ms, and in the cluster 5000ms'",
        "akka.cluster.split-brain-resolver.stable-after = 30s,"
                + "'akka.cluster.split-brain-resolver.stable-after is 20000ms, and in the cluster 30000ms'"
    })
    void whoIsTakenForGoneAndWhenIsTheSameOnAllNodes(String theirs, String difference) throws Exception {
        assertThat(terms("").differences(terms(theirs))).containsExactly(difference);
    }

    /** It is the work of one of them, whichever that is. */
    @Test
    void howOftenTheStoreIsSweptMayChangeFromNodeToNode() throws Exception {
        assertThat(terms("").differences(terms("kiln.push.sweep = 2h"))).isEmpty();
    }
}
