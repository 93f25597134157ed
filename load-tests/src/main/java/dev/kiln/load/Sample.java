package dev.kiln.load;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

/**
 * One measurement of one server.
 *
 * @param amount requests or bytes
 * @param seconds it took
 * @param cpuSeconds the server's processes used
 */
record Sample(double amount, double seconds, double cpuSeconds) {
    /** What one connection does. */
    interface Work {
        /** @return how much it did until then, as {@link System#nanoTime} */
        long until(long end) throws IOException;
    }

    /** What so many connections do at once, until the time is over. */
    static Sample of(Server server, int connections, int seconds, Work work) throws IOException, InterruptedException {
        double cpu = server.cpuSeconds();
        long start = System.nanoTime();
        long end = start + seconds * 1_000_000_000L;
        ExecutorService threads = Executors.newFixedThreadPool(connections);
        try {
            List<Future<Long>> all = new ArrayList<>();
            for (int i = 0; i < connections; i++) {
                all.add(threads.submit(() -> work.until(end)));
            }
            long amount = 0;
            for (Future<Long> one : all) {
                amount += one.get();
            }
            return new Sample(amount, (System.nanoTime() - start) / 1e9, server.cpuSeconds() - cpu);
        } catch (ExecutionException e) {
            throw new IOException("a connection to " + server.name() + " failed", e.getCause());
        } finally {
            threads.shutdownNow();
        }
    }

    double perSecond() {
        return amount / seconds;
    }

    /** Too little CPU time to be seen counts as one tick. */
    double perCpuSecond() {
        return amount / Math.max(cpuSeconds, 0.01);
    }
}
