package dev.kiln.cluster;

import java.util.ArrayList;
import java.util.BitSet;
import java.util.Comparator;
import java.util.List;
import java.util.function.BiPredicate;

/** Who stays of nodes not all of which reach each other. Pure. */
final class Survivors {
    private Survivors() {}

    /**
     * Most of those that all reach each other: of a clean split the larger side, of two equal ones that with the first node;
     * of a node that is cut off, by whatever ways the others still hear of it, all others; and of two that miss only each
     * other, all but the later one. Of five nodes it finds three wherever there are three; in a greater muddle it may find fewer
     * than there are. Takes time with the cube of their number.
     *
     * @param nodes in an order on which all of them agree
     * @param guests who stay when they reach all others that do, and are no reason for anybody to go
     * @param apart symmetric
     * @return in the same order, guests last; whether they are enough is for the caller to say
     */
    static <T> List<T> of(List<T> nodes, List<T> guests, BiPredicate<T, T> apart) {
        List<BitSet> missed =
                nodes.stream().map(node -> missed(node, nodes, apart)).toList();
        BitSet best = new BitSet();
        for (int node = 0; node < nodes.size(); node++) {
            BitSet with = with(node, missed);
            if (isBetter(with, best)) {
                best = with;
            }
        }
        List<T> staying = new ArrayList<>(best.stream().mapToObj(nodes::get).toList());
        for (T guest : guests) {
            if (missed(guest, staying, apart).isEmpty()) {
                staying.add(guest);
            }
        }
        return List.copyOf(staying);
    }

    private static <T> BitSet missed(T node, List<T> others, BiPredicate<T, T> apart) {
        BitSet missed = new BitSet();
        for (int other = 0; other < others.size(); other++) {
            missed.set(other, apart.test(node, others.get(other)));
        }
        return missed;
    }

    /** Of those that this node reaches, whoever misses most of the rest goes, one after the other, until nobody misses any. */
    private static BitSet with(int node, List<BitSet> missed) {
        BitSet left = new BitSet();
        left.set(0, missed.size());
        left.andNot(missed.get(node));
        while (left.stream().anyMatch(one -> missed.get(one).intersects(left))) {
            left.stream()
                    .boxed()
                    .max(Comparator.<Integer>comparingInt(one -> common(missed.get(one), left))
                            .thenComparing(Comparator.naturalOrder()))
                    .ifPresent(left::clear);
        }
        for (int one = 0; one < missed.size(); one++) {
            left.set(one, !missed.get(one).intersects(left));
        }
        return left;
    }

    private static int common(BitSet some, BitSet others) {
        BitSet both = (BitSet) some.clone();
        both.and(others);
        return both.cardinality();
    }

    /** More, or as many and with the first by which they differ. */
    private static boolean isBetter(BitSet some, BitSet others) {
        BitSet different = (BitSet) some.clone();
        different.xor(others);
        int more = some.cardinality() - others.cardinality();
        return more > 0 || (more == 0 && !different.isEmpty() && some.get(different.nextSetBit(0)));
    }
}
