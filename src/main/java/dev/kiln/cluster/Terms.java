package dev.kiln.cluster;

import com.typesafe.config.Config;
import dev.kiln.config.KilnConfig;
import dev.kiln.oci.Wire;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * What must be the same on all nodes of a cluster that have it. A node compares its own with those of members before it
 * joins.
 *
 * @param values what a key is set to, in words, by its name; no secret
 */
public record Terms(Map<String, String> values) implements Wire {
    private static final String SHARDS = "akka.cluster.sharding.number-of-shards";
    // One side of a split must not decide that the other has gone while that still waits.
    private static final String STABLE_AFTER = "akka.cluster.split-brain-resolver.stable-after";
    private static final int FINGERPRINT = 8;

    public Terms {
        values = Map.copyOf(values);
    }

    /**
     * The terms of one node.
     *
     * @param akka the libraries' settings
     * @param storeId of the store that is at {@code kiln.store.dir}
     */
    public static Terms of(KilnConfig config, Config akka, String storeId) {
        Map<String, String> values = new TreeMap<>();
        values.put(SHARDS, Integer.toString(akka.getInt(SHARDS)));
        values.put(STABLE_AFTER, akka.getDuration(STABLE_AFTER).toMillis() + "ms");
        values.put("kiln.queue.ask", config.queue().ask().toMillis() + "ms");
        values.put("kiln.queue.lease", config.queue().lease().toMillis() + "ms");
        values.put("kiln.store.dir", "the store whose file id says " + storeId);
        if (config.roles().contains(KilnConfig.Role.REGISTRY)) {
            values.put("kiln.cache.max-life", config.cache().maxLife().toMillis() + "ms");
            KilnConfig.Push push = config.push();
            values.put("kiln.push.grace", push.grace().toMillis() + "ms");
            values.put("kiln.push.max-manifests", Integer.toString(push.maxManifests()));
            values.put("kiln.push.sparse", Boolean.toString(push.sparse()));
            values.put("kiln.push.upload-expiry", push.uploadExpiry().toMillis() + "ms");
            values.put("kiln.secret", config.secret().map(Terms::fingerprint).orElse("null"));
        }
        return new Terms(values);
    }

    /** One sentence for each key that both have and that is not the same. */
    List<String> differences(Terms members) {
        List<String> differences = new ArrayList<>();
        new TreeMap<>(values).forEach((key, here) -> {
            String there = members.values().getOrDefault(key, here);
            if (!there.equals(here)) {
                differences.add(key + " is " + here + ", and in the cluster " + there);
            }
        });
        return differences;
    }

    private static String fingerprint(String secret) {
        try {
            byte[] hash = MessageDigest.getInstance("SHA-256").digest(secret.getBytes(StandardCharsets.UTF_8));
            return "one whose SHA-256 begins with "
                    + HexFormat.of().formatHex(hash).substring(0, FINGERPRINT);
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e);
        }
    }
}
