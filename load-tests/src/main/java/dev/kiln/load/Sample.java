package dev.kiln.load;

/**
 * One measurement of one server.
 *
 * @param amount requests or bytes
 * @param seconds it took
 * @param cpuSeconds the server's processes used
 */
record Sample(double amount, double seconds, double cpuSeconds) {
    double perSecond() {
        return amount / seconds;
    }

    /** Too little CPU time to be seen counts as one tick. */
    double perCpuSecond() {
        return amount / Math.max(cpuSeconds, 0.01);
    }
}
