package dev.kiln.client;

import dev.kiln.oci.Platform;
import java.nio.charset.StandardCharsets;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.Base64;
import java.util.List;
import java.util.Optional;

/**
 * Bearer tokens that carry what a username said, and nothing else: they let nobody do anything. Every node with the same
 * secret reads them. Thread-safe.
 */
public final class HintTokens {
    /** How long a token counts: longer than any pull waits, and short enough for a hint to be forgotten. */
    public static final Duration LIFE = Duration.ofHours(1);

    private static final int MAX = 1024;

    /** No scope of a hop is this: those have a colon. */
    private static final String SCOPE = "hint-token";

    private final Signatures signatures;
    private final Clock clock;

    /** @param secret at least 16 bytes */
    public HintTokens(byte[] secret, Clock clock) {
        this.signatures = new Signatures(secret);
        this.clock = clock;
    }

    /** What a valid token says; the hint is empty when it was given to somebody who said nothing. */
    public record Token(Optional<UsernameHint> hint) {}

    /** Letters, digits, {@code - _ .} only, at most 1024 of them. */
    public String issue(Token token) {
        String said = token.hint()
                .map(hint -> hint.platform() + " " + String.join(" ", hint.features()))
                .orElse("");
        long until = clock.instant().plus(LIFE).getEpochSecond();
        String content = until + "."
                + Base64.getUrlEncoder().withoutPadding().encodeToString(said.getBytes(StandardCharsets.US_ASCII));
        return signatures.sign(content, SCOPE);
    }

    /** Empty when it was not signed here, or its time is over. */
    public Optional<Token> verify(String token) {
        if (token.length() > MAX) {
            return Optional.empty();
        }
        return signatures.verify(token, SCOPE).flatMap(this::read);
    }

    /** @param content signed, so that it is what {@link #issue} wrote */
    private Optional<Token> read(String content) {
        int dot = content.indexOf('.');
        Instant until = Instant.ofEpochSecond(Long.parseLong(content.substring(0, dot)));
        if (!clock.instant().isBefore(until)) {
            return Optional.empty();
        }
        byte[] said = Base64.getUrlDecoder().decode(content.substring(dot + 1));
        if (said.length == 0) {
            return Optional.of(new Token(Optional.empty()));
        }
        List<String> words = List.of(new String(said, StandardCharsets.US_ASCII).split(" "));
        UsernameHint hint = new UsernameHint(Platform.of(words.get(0)), words.subList(1, words.size()));
        return Optional.of(new Token(Optional.of(hint)));
    }
}
