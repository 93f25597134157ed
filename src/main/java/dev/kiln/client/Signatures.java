package dev.kiln.client;

import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.util.Arrays;
import java.util.Base64;
import java.util.Optional;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

/**
 * Signs short texts with the key that all nodes share. A signature is bound to what it is for (its scope); for anything
 * else it is worth nothing. Thread-safe.
 */
final class Signatures {
    private static final int MAC_BYTES = 16;

    private final SecretKeySpec key;

    /** @param secret at least 16 bytes */
    Signatures(byte[] secret) {
        this.key = new SecretKeySpec(secret, "HmacSHA256");
    }

    /** The content, a dot, and the signature in letters, digits, {@code - _}. */
    String sign(String content, String scope) {
        return content + "." + Base64.getUrlEncoder().withoutPadding().encodeToString(mac(content, scope));
    }

    /** The content of what was signed here for this scope; empty for anything else. */
    Optional<String> verify(String signed, String scope) {
        int end = signed.lastIndexOf('.');
        if (end < 0) {
            return Optional.empty();
        }
        String content = signed.substring(0, end);
        try {
            byte[] mac = Base64.getUrlDecoder().decode(signed.substring(end + 1));
            return MessageDigest.isEqual(mac, mac(content, scope)) ? Optional.of(content) : Optional.empty();
        } catch (IllegalArgumentException e) {
            return Optional.empty();
        }
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
