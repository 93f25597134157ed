package dev.kiln.repository;

import dev.kiln.oci.Digest;
import java.time.Duration;
import java.time.Instant;
import java.util.HashMap;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;

/**
 * What pushes that are under way refer to: it must not be removed between the moment in which it is looked for and the
 * one in which the manifest is recorded. Bounded, in memory, and forgotten when the entity moves: whoever holds a pin of an
 * earlier life begins anew.
 */
final class Pins {
    static final Duration LIFE = Duration.ofMinutes(2);

    private static final int MAX_PINS = 1000;
    private static final int MAX_DIGESTS = 100_000;

    private record Pin(Object push, List<Digest> digests, Instant until) {}

    /** In the order in which they end. */
    private final Map<Long, Pin> pins = new LinkedHashMap<>();

    /** The last pin of each push. */
    private final Map<Object, Long> numbers = new HashMap<>();

    private final Map<Digest, Integer> pinned = new HashMap<>();
    private int digests;
    private long last;

    /**
     * A pin's number; empty when there are too many.
     *
     * @param push whose pin it is: as long as it has one of these digests, it gets no second
     */
    OptionalLong pin(Object push, List<Digest> wanted, Instant now) {
        expire(now);
        Long before = numbers.get(push);
        if (before != null && pins.get(before).digests().equals(wanted)) {
            return OptionalLong.of(before);
        }
        if (pins.size() >= MAX_PINS || digests + wanted.size() > MAX_DIGESTS) {
            return OptionalLong.empty();
        }
        pins.put(++last, new Pin(push, List.copyOf(wanted), now.plus(LIFE)));
        numbers.put(push, last);
        digests += wanted.size();
        wanted.forEach(digest -> pinned.merge(digest, 1, Integer::sum));
        return OptionalLong.of(last);
    }

    /** Gives a pin up. @return whether it still held everything that it was given for */
    boolean release(long number, Instant now) {
        expire(now);
        Pin pin = pins.remove(number);
        if (pin == null) {
            return false;
        }
        unpin(number, pin);
        return true;
    }

    boolean holds(Digest digest, Instant now) {
        expire(now);
        return pinned.containsKey(digest);
    }

    private void expire(Instant now) {
        Iterator<Map.Entry<Long, Pin>> oldest = pins.entrySet().iterator();
        while (oldest.hasNext()) {
            Map.Entry<Long, Pin> pin = oldest.next();
            if (now.isBefore(pin.getValue().until())) {
                return;
            }
            oldest.remove();
            unpin(pin.getKey(), pin.getValue());
        }
    }

    private void unpin(long number, Pin pin) {
        numbers.remove(pin.push(), number);
        digests -= pin.digests().size();
        pin.digests().forEach(digest -> pinned.compute(digest, (d, count) -> count == 1 ? null : count - 1));
    }
}
