package dev.kiln.blob;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class ChunkBudgetTest {
    private final ChunkBudget budget = new ChunkBudget();

    @Test
    void fewReadersTakeLargeChunksAndManyShareTheBudget() {
        join(1);
        assertThat(budget.chunk()).isEqualTo(ChunkBudget.LARGEST);
        join(49);
        assertThat(budget.chunk()).isEqualTo(32 * 1024);
        join(10_000);
        assertThat(budget.chunk()).isEqualTo(ChunkBudget.SMALLEST);
        for (int i = 0; i < 10_049; i++) {
            budget.leave();
        }
        assertThat(budget.chunk()).isEqualTo(ChunkBudget.LARGEST);
    }

    @Test
    void whatReadersHoldGrowsSlowlyHoweverManyStopReading() {
        long held = 0;
        for (int i = 0; i < 2048; i++) {
            join(1);
            held += budget.chunk();
        }
        assertThat(held).isLessThan(48L << 20);
    }

    private void join(int readers) {
        for (int i = 0; i < readers; i++) {
            budget.join();
        }
    }
}
