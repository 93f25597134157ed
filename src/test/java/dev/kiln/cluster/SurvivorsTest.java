package dev.kiln.cluster;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.function.BiPredicate;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Over all ways in which so many nodes may miss each other. */
class SurvivorsTest {
    private static List<Integer> nodes(int number) {
        return IntStream.range(0, number).boxed().toList();
    }

    /** One graph for each number below two to the power of the pairs. */
    private static BiPredicate<Integer, Integer> apart(int number, int graph) {
        Set<List<Integer>> pairs = new HashSet<>();
        int bit = 0;
        for (int a = 0; a < number; a++) {
            for (int b = a + 1; b < number; b++) {
                if ((graph >> bit++ & 1) == 1) {
                    pairs.add(List.of(a, b));
                    pairs.add(List.of(b, a));
                }
            }
        }
        return (a, b) -> pairs.contains(List.of(a, b));
    }

    private static int graphs(int number) {
        return 1 << (number * (number - 1) / 2);
    }

    private static boolean reachEachOther(List<Integer> nodes, BiPredicate<Integer, Integer> apart) {
        return nodes.stream().allMatch(a -> nodes.stream().noneMatch(b -> apart.test(a, b)));
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3, 4, 5})
    void whoStaysReachesAllThatStayAndWhoGoesDoesNot(int number) {
        for (int graph = 0; graph < graphs(number); graph++) {
            BiPredicate<Integer, Integer> apart = apart(number, graph);
            List<Integer> staying = Survivors.of(nodes(number), List.of(), apart);
            assertThat(staying).isNotEmpty().isSorted();
            assertThat(reachEachOther(staying, apart)).isTrue();
            assertThat(nodes(number))
                    .filteredOn(node -> !staying.contains(node))
                    .allMatch(node -> staying.stream().anyMatch(other -> apart.test(node, other)));
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {3, 4, 5})
    void mostNodesStayWhereverMostReachEachOther(int number) {
        for (int graph = 0; graph < graphs(number); graph++) {
            BiPredicate<Integer, Integer> apart = apart(number, graph);
            if (subsets(number).stream().anyMatch(some -> 2 * some.size() > number && reachEachOther(some, apart))) {
                assertThat(Survivors.of(nodes(number), List.of(), apart))
                        .as("graph %d of %d nodes", graph, number)
                        .hasSizeGreaterThan(number / 2);
            }
        }
    }

    private static List<List<Integer>> subsets(int number) {
        return IntStream.range(0, 1 << number)
                .mapToObj(bits -> nodes(number).stream()
                        .filter(node -> (bits >> node & 1) == 1)
                        .toList())
                .toList();
    }

    @ParameterizedTest
    @ValueSource(ints = {2, 3, 4, 5, 6, 7})
    void ofACleanSplitTheLargerSideStaysOrTheOneWithTheFirst(int number) {
        for (List<Integer> side : subsets(number)) {
            if (2 * side.size() > number || (2 * side.size() == number && side.contains(0))) {
                assertThat(Survivors.of(nodes(number), List.of(), (a, b) -> side.contains(a) != side.contains(b)))
                        .isEqualTo(side);
            }
        }
    }

    /** Each side of a split knows only whom it misses itself. */
    @ParameterizedTest
    @ValueSource(ints = {2, 3, 4, 5, 6})
    void neverDoTwoSidesOfASplitTakeThemselvesForMost(int number) {
        for (int split = 0; split < Math.pow(3, number); split++) {
            int[] side = sides(number, split);
            List<Integer> going = new ArrayList<>();
            for (int mine = 0; mine < 3; mine++) {
                int here = mine;
                List<Integer> staying = Survivors.of(
                        nodes(number), List.of(), (a, b) -> side[a] != side[b] && (side[a] == here || side[b] == here));
                boolean most = 2 * staying.size() > number || (2 * staying.size() == number && staying.contains(0));
                if (most && staying.stream().anyMatch(node -> side[node] == here)) {
                    going.add(mine);
                }
            }
            assertThat(going).as("sides %s", List.of(side)).hasSizeLessThanOrEqualTo(1);
        }
    }

    private static int[] sides(int number, int split) {
        int[] side = new int[number];
        int rest = split;
        for (int node = 0; node < number; node++) {
            side[node] = rest % 3;
            rest /= 3;
        }
        return side;
    }

    @ParameterizedTest
    @ValueSource(ints = {3, 4, 5, 6, 7})
    void whoMissesAllOthersGoesAloneHoweverItIsHeardOf(int number) {
        for (int lost : nodes(number)) {
            assertThat(Survivors.of(nodes(number), List.of(), (a, b) -> !a.equals(b) && (a == lost || b == lost)))
                    .hasSize(number - 1)
                    .doesNotContain(lost);
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {3, 4, 5, 6, 7})
    void ofTwoThatMissEachOtherTheLaterGoes(int number) {
        for (int earlier = 0; earlier < number; earlier++) {
            for (int later = earlier + 1; later < number; later++) {
                Set<Integer> two = Set.of(earlier, later);
                assertThat(Survivors.of(
                                nodes(number), List.of(), (a, b) -> !a.equals(b) && two.contains(a) && two.contains(b)))
                        .hasSize(number - 1)
                        .doesNotContain(later);
            }
        }
    }

    @Test
    void guestsAreNoReasonToGoAndStayWhenTheyReachAllThatStay() {
        assertThat(Survivors.of(List.of(1, 2, 3), List.of(0, 4), (a, b) -> a + b == 1))
                .containsExactly(1, 2, 3, 4);
        assertThat(Survivors.of(List.of(), List.of(), (a, b) -> true)).isEmpty();
    }
}
