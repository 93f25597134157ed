package dev.kiln.oci;

import com.fasterxml.jackson.annotation.JsonCreator;
import com.fasterxml.jackson.annotation.JsonValue;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.Optional;

/**
 * The digest of some bytes, {@code sha256:<64 hex>} or {@code sha512:<128 hex>}: the two registered algorithms of the
 * image specification (descriptor.md, "Registered algorithms"). Always valid; lower case.
 */
public record Digest(@JsonValue String value) implements Comparable<Digest> {
    private static final int PREFIX = "sha256:".length();

    /** @throws IllegalArgumentException when {@code value} is not a digest Kiln can verify */
    @JsonCreator(mode = JsonCreator.Mode.DELEGATING)
    public Digest {
        if (!isValid(value)) {
            throw new IllegalArgumentException("not a sha256 or sha512 digest");
        }
    }

    /** The digest that {@code text} is, or empty when it is none that Kiln can verify. */
    public static Optional<Digest> parse(String text) {
        return isValid(text) ? Optional.of(new Digest(text)) : Optional.empty();
    }

    private static boolean isValid(String text) {
        boolean sha256 = text.length() == PREFIX + 64 && text.startsWith("sha256:");
        boolean sha512 = text.length() == PREFIX + 128 && text.startsWith("sha512:");
        return (sha256 || sha512) && isLowerHex(text, PREFIX);
    }

    /** Whether nothing but lower-case hex digits follows. By hand: it is asked for every request. */
    static boolean isLowerHex(String text, int begin) {
        for (int i = begin; i < text.length(); i++) {
            char c = text.charAt(i);
            if ((c < '0' || c > '9') && (c < 'a' || c > 'f')) {
                return false;
            }
        }
        return true;
    }

    public static Digest sha256(byte[] bytes) {
        return of("sha256", newMessageDigest("sha256").digest(bytes));
    }

    /** @param hash the finished hash, as {@link MessageDigest#digest()} gives it */
    public static Digest of(String algorithm, byte[] hash) {
        return new Digest(algorithm + ":" + HexFormat.of().formatHex(hash));
    }

    /** {@code sha256} or {@code sha512}. */
    public String algorithm() {
        return value.substring(0, value.indexOf(':'));
    }

    public String hex() {
        return value.substring(value.indexOf(':') + 1);
    }

    /** Whether this is the digest of these bytes. */
    public boolean isOf(byte[] bytes) {
        return of(algorithm(), newMessageDigest().digest(bytes)).equals(this);
    }

    /** A fresh hash function of this digest's algorithm. */
    public MessageDigest newMessageDigest() {
        return newMessageDigest(algorithm());
    }

    /** @param algorithm {@code sha256} or {@code sha512} */
    public static MessageDigest newMessageDigest(String algorithm) {
        try {
            return MessageDigest.getInstance(algorithm.equals("sha512") ? "SHA-512" : "SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java platform has SHA-256 and SHA-512", e);
        }
    }

    @Override
    public int compareTo(Digest other) {
        return value.compareTo(other.value);
    }

    @Override
    public String toString() {
        return value;
    }
}
