package dev.kiln.build;

import dev.kiln.oci.BuildKey;
import dev.kiln.oci.Digest;
import dev.kiln.oci.Platform;
import dev.kiln.oci.RepositoryName;
import dev.kiln.oci.Revision;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.SecureRandom;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.Optional;

/**
 * Who has it may push the image of one attempt of a build. 128 random bits, and in front of everybody's eyes revision and
 * platform, by which any node finds the build's owner without a table. It is the owner's attempt that says whether a token
 * counts; this is only its form: lower-case base32 (RFC 4648, without padding), so that it can stand in a repository's name
 * as clients know them.
 */
public final class PushToken {
    private static final SecureRandom RANDOM = new SecureRandom();
    private static final String ALPHABET = "abcdefghijklmnopqrstuvwxyz234567";
    private static final int SECRET = 16;
    private static final int MAX_BYTES = 1 + 32 + SECRET + 100;
    private static final int MAX_TEXT = (MAX_BYTES * 8 + 4) / 5;

    private final String text;
    private final Revision revision;
    private final Platform platform;

    private PushToken(String text, Revision revision, Platform platform) {
        this.text = text;
        this.revision = revision;
        this.platform = platform;
    }

    /** A new one, for one attempt. */
    public static PushToken create(Revision revision, Platform platform) {
        byte[] commit = HexFormat.of().parseHex(revision.value());
        byte[] secret = new byte[SECRET];
        RANDOM.nextBytes(secret);
        byte[] name = platform.toString().getBytes(StandardCharsets.US_ASCII);
        ByteBuffer bytes = ByteBuffer.allocate(1 + commit.length + SECRET + name.length);
        bytes.put((byte) commit.length).put(commit).put(secret).put(name);
        return new PushToken(encode(bytes.array()), revision, platform);
    }

    /** The part of the text that the random bits are in: what is left without it is no secret. */
    public String secret() {
        int first = (1 + revision.value().length() / 2) * 8;
        return text.substring(first / 5, (first + SECRET * 8 + 4) / 5);
    }

    /** Empty when {@code text} has not the form of one. */
    public static Optional<PushToken> parse(String text) {
        byte[] bytes = text.length() > MAX_TEXT ? new byte[0] : decode(text);
        int commit = bytes.length == 0 ? 0 : bytes[0];
        int name = 1 + commit + SECRET;
        if ((commit != 20 && commit != 32) || bytes.length <= name) {
            return Optional.empty();
        }
        Revision revision = new Revision(HexFormat.of().formatHex(bytes, 1, 1 + commit));
        String platform = new String(bytes, name, bytes.length - name, StandardCharsets.US_ASCII);
        // A second form of the same token would be another text with another digest: there is one.
        return Platform.parse(platform)
                .filter(known -> known.toString().equals(platform))
                .filter(known -> encode(bytes).equals(text))
                .map(known -> new PushToken(text, revision, known));
    }

    /** The build it is for, when it stands in front of this repository's name. */
    public BuildKey build(RepositoryName repository) {
        return new BuildKey(repository, revision, platform);
    }

    /** What nodes tell each other instead of the token. */
    public Digest digest() {
        return Digest.sha256(text.getBytes(StandardCharsets.US_ASCII));
    }

    /** What is given to whoever is to push, and to nobody else. */
    public String text() {
        return text;
    }

    private static String encode(byte[] bytes) {
        StringBuilder text = new StringBuilder();
        int buffer = 0;
        int bits = 0;
        for (byte b : bytes) {
            buffer = (buffer << 8) | (b & 0xff);
            for (bits += 8; bits >= 5; bits -= 5) {
                text.append(ALPHABET.charAt((buffer >> (bits - 5)) & 31));
            }
            buffer &= (1 << bits) - 1;
        }
        if (bits > 0) {
            text.append(ALPHABET.charAt((buffer << (5 - bits)) & 31));
        }
        return text.toString();
    }

    /** Nothing when a character is not of the alphabet; what is left over at the end is not looked at. */
    private static byte[] decode(String text) {
        byte[] bytes = new byte[text.length() * 5 / 8];
        int buffer = 0;
        int bits = 0;
        int at = 0;
        for (int i = 0; i < text.length(); i++) {
            int value = ALPHABET.indexOf(text.charAt(i));
            if (value < 0) {
                return new byte[0];
            }
            buffer = (buffer << 5) | value;
            bits += 5;
            if (bits >= 8) {
                bits -= 8;
                bytes[at++] = (byte) (buffer >> bits);
                buffer &= (1 << bits) - 1;
            }
        }
        return Arrays.copyOf(bytes, at);
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof PushToken token && token.text.equals(text);
    }

    @Override
    public int hashCode() {
        return text.hashCode();
    }

    /** Without what is secret. */
    @Override
    public String toString() {
        return "PushToken[" + revision + ", " + platform + "]";
    }
}
