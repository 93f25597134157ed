package dev.kiln.testing;

import java.util.concurrent.atomic.AtomicInteger;

/**
 * Ranges of user ids for the builds of servers that run beside each other on one machine: the kernel counts processes by
 * user, and Kiln ends those of a slot's user.
 */
public final class BuildUsers {
    private static final int RANGE = 20;
    private static final int RANGES = 50;
    private static final AtomicInteger NEXT = new AtomicInteger();

    private BuildUsers() {}

    /** The first of 20 user ids that no other server of this machine's test processes gets for now. */
    public static int next() {
        int process = (int) (ProcessHandle.current().pid() % 1_000_000);
        return 100_000_000 + (process * RANGES + Math.floorMod(NEXT.getAndIncrement(), RANGES)) * RANGE;
    }

    /** Whether a user id is of the range that begins at {@code first}. */
    public static boolean isIn(int first, int user) {
        return user >= first && user < first + RANGE;
    }
}
