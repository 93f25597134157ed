package dev.kiln.client;

import dev.kiln.oci.Revision;
import java.time.Duration;
import java.time.Instant;
import java.util.Optional;

/**
 * Signs hops with the key that all nodes share, so that waiting needs neither memory nor sticky sessions. A counter is
 * bound to what was asked for ({@code scope}: repository, reference and winning hint); anywhere else it is worth nothing.
 * Thread-safe.
 */
public final class HopSigner {
    private static final int MAX_TOKEN = 256;
    private static final Duration GRACE = Duration.ofMinutes(1);

    private final Signatures signatures;

    /** @param secret at least 16 bytes */
    public HopSigner(byte[] secret) {
        this.signatures = new Signatures(secret);
    }

    /** The text of {@code hop}: letters, digits, {@code - _ .} only. */
    public String sign(Hop hop, String scope) {
        String content = hop.number() + "." + hop.startedAt().getEpochSecond() + "."
                + hop.revision().map(Revision::value).orElse("");
        return signatures.sign(content, scope);
    }

    /** The hop that {@code token} says, or empty when it was not signed here for this, or is too old. */
    public Optional<Hop> verify(String token, String scope, Duration patience, Instant now) {
        if (token.length() > MAX_TOKEN) {
            return Optional.empty();
        }
        return signatures
                .verify(token, scope)
                .map(HopSigner::read)
                .filter(hop -> !hop.startedAt().plus(patience).plus(GRACE).isBefore(now));
    }

    /** @param content signed, so that it is what {@link #sign} wrote */
    private static Hop read(String content) {
        String[] parts = content.split("\\.", -1);
        return new Hop(
                Integer.parseInt(parts[0]), Instant.ofEpochSecond(Long.parseLong(parts[1])), Revision.parse(parts[2]));
    }
}
