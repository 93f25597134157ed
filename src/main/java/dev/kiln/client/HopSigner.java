package dev.kiln.client;

import dev.kiln.oci.Revision;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.time.Duration;
import java.time.Instant;
import java.util.Arrays;
import java.util.Base64;
import java.util.Optional;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

/**
 * Signs hops with the key that all nodes share, so that waiting needs neither memory nor sticky sessions. A counter is
 * bound to what was asked for ({@code scope}: repository, reference and winning hint); anywhere else it is worth nothing.
 * Thread-safe.
 */
public final class HopSigner {
    private static final int MAX_TOKEN = 256;
    private static final int MAC_BYTES = 16;
    private static final Duration GRACE = Duration.ofMinutes(1);

    private final SecretKeySpec key;

    /** @param secret at least 16 bytes */
    public HopSigner(byte[] secret) {
        this.key = new SecretKeySpec(secret, "HmacSHA256");
    }

    /** The text of {@code hop}: letters, digits, {@code - _ .} only. */
    public String sign(Hop hop, String scope) {
        String content = hop.number() + "." + hop.startedAt().getEpochSecond() + "."
                + hop.revision().map(Revision::value).orElse("");
        return content + "." + Base64.getUrlEncoder().withoutPadding().encodeToString(mac(content, scope));
    }

    /** The hop that {@code token} says, or empty when it was not signed here for this, or is too old. */
    public Optional<Hop> verify(String token, String scope, Duration patience, Instant now) {
        int end = token.lastIndexOf('.');
        if (token.length() > MAX_TOKEN || end < 0) {
            return Optional.empty();
        }
        String content = token.substring(0, end);
        try {
            byte[] mac = Base64.getUrlDecoder().decode(token.substring(end + 1));
            if (!MessageDigest.isEqual(mac, mac(content, scope))) {
                return Optional.empty();
            }
        } catch (IllegalArgumentException e) {
            return Optional.empty();
        }
        String[] parts = content.split("\\.", -1);
        Hop hop = new Hop(
                Integer.parseInt(parts[0]), Instant.ofEpochSecond(Long.parseLong(parts[1])), Revision.parse(parts[2]));
        return hop.startedAt().plus(patience).plus(GRACE).isBefore(now) ? Optional.empty() : Optional.of(hop);
    }

    private byte[] mac(String content, String scope) {
        try {
            Mac mac = Mac.getInstance("HmacSHA256");
            mac.init(key);
            return Arrays.copyOf(mac.doFinal((content + "\n" + scope).getBytes(StandardCharsets.UTF_8)), MAC_BYTES);
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException("every Java platform has HmacSHA256", e);
        }
    }
}
