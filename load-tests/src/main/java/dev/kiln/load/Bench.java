package dev.kiln.load;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;

/**
 * What all scenarios share: where they work, what runs, and how servers are measured in turn.
 *
 * @param work a folder of this run alone, removed at the end
 * @param running what is ended at the end
 */
record Bench(Options options, Path work, Report report, List<Server> running) {
    /** Seconds of load at a time while a server warms up. */
    static final int WARM_UP_SLICE = 2;

    Bench(Options options, Path work) {
        this(options, work, new Report(), new CopyOnWriteArrayList<>());
    }

    /** The folder of the git repositories that {@link Sources} makes. */
    Path git() {
        return work.resolve("git");
    }

    void say(String format, Object... arguments) {
        System.out.printf(format, arguments);
    }

    Server running(Server server) {
        running.add(server);
        return server;
    }

    void cleanUp() {
        running.forEach(Server::close);
        try {
            Command.run(Path.of("/"), "rm", "-rf", work.toString());
        } catch (IOException e) {
            System.err.println("could not remove " + work + ": " + e.getMessage());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    /** Until the server has had so much CPU time: where others use the machine too, a compiler needs longer to get it. */
    void warmUp(Server server, Measurement load) throws IOException, InterruptedException {
        // Each of its processes compiles for itself.
        int seconds = options.warmUp() * server.counted().size();
        double until = server.cpuSeconds() + seconds;
        long deadline = System.nanoTime() + 4L * seconds * 1_000_000_000L;
        while (server.cpuSeconds() < until && System.nanoTime() < deadline) {
            load.of(server);
        }
    }

    interface Measurement {
        void of(Server server) throws IOException, InterruptedException;
    }

    /** All servers once a round, each time another one first. */
    void rounds(String title, List<Server> servers, Measurement measurement) throws IOException, InterruptedException {
        List<Server> order = new ArrayList<>(servers);
        for (int round = 1; round <= options.rounds(); round++) {
            say("%s: round %d of %d%n", title, round, options.rounds());
            for (Server server : order) {
                measurement.of(server);
            }
            Collections.rotate(order, 1);
        }
    }
}
