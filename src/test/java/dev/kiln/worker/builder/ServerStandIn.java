package dev.kiln.worker.builder;

import dev.kiln.testing.BuildUsers;
import java.nio.file.Path;
import java.time.Duration;

/** A server that starts builds and is then ended, or made to stand still, by a test. */
final class ServerStandIn {
    private ServerStandIn() {}

    /** Arguments: a directory, the lease in milliseconds, then one script for each build. */
    public static void main(String[] arguments) throws Exception {
        Path root = Path.of(arguments[0]);
        Isolation isolation = Isolation.probe(root.resolve("work"), BuildUsers.next(), 8);
        for (int slot = 0; slot + 2 < arguments.length; slot++) {
            Attempts attempts = new Attempts(root, isolation);
            attempts.lease = Duration.ofMillis(Long.parseLong(arguments[1]));
            attempts.log = System.out;
            attempts.start(slot, arguments[slot + 2]);
        }
        new java.util.concurrent.CountDownLatch(1).await();
    }
}
