package dev.kiln.load;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Many small answers: wrk asks for manifests, again and again, over kept connections. */
final class Manifests {
    private static final int CONNECTIONS = 32;
    private static final Pattern REQUESTS = Pattern.compile("(\\d+) requests in ([0-9.]+)s");
    private static final Pattern ERRORS = Pattern.compile("Non-2xx|Socket errors");

    private Manifests() {}

    static Sample measure(Server server, String path, int seconds) throws IOException, InterruptedException {
        return measure(server, List.of(server.url(path)), seconds, CONNECTIONS, List.of());
    }

    /**
     * As many connections for each node behind a load balancer.
     *
     * @param script a program for wrk that says what is asked for
     */
    static Sample measure(Server server, Path script, int seconds) throws IOException, InterruptedException {
        int nodes = server.counted().size();
        return measure(server, List.of(server.url("/")), seconds, CONNECTIONS * nodes, program(script));
    }

    /** As many connections to each of the nodes themselves, by a wrk for each. */
    static Sample measure(Server nodes, List<String> addresses, Path script, int seconds)
            throws IOException, InterruptedException {
        List<String> urls =
                addresses.stream().map(address -> "http://" + address + "/").toList();
        return measure(nodes, urls, seconds, CONNECTIONS, program(script));
    }

    private static List<String> program(Path script) {
        return List.of("--script", script.toString());
    }

    private static Sample measure(Server server, List<String> urls, int seconds, int connections, List<String> options)
            throws IOException, InterruptedException {
        List<String> command = new ArrayList<>(List.of(
                Command.find("wrk"),
                "--threads",
                "1",
                "--connections",
                Integer.toString(connections),
                "--duration",
                seconds + "s",
                "--header",
                "Accept: " + Images.ACCEPT));
        command.addAll(options);
        double cpu = server.cpuSeconds();
        ExecutorService threads = Executors.newFixedThreadPool(urls.size());
        try {
            List<Future<String>> outputs = new ArrayList<>();
            for (String url : urls) {
                List<String> one = new ArrayList<>(command);
                one.add(url);
                outputs.add(threads.submit(() -> Command.run(Path.of("/"), one.toArray(String[]::new))));
            }
            double amount = 0;
            double time = 0;
            for (Future<String> future : outputs) {
                String output = future.get();
                Matcher requests = REQUESTS.matcher(output);
                if (!requests.find() || ERRORS.matcher(output).find()) {
                    throw new IOException("wrk saw errors of " + server.name() + ":\n" + output);
                }
                amount += Double.parseDouble(requests.group(1));
                time = Math.max(time, Double.parseDouble(requests.group(2)));
            }
            return new Sample(amount, time, server.cpuSeconds() - cpu);
        } catch (ExecutionException e) {
            throw new IOException("could not measure " + server.name(), e.getCause());
        } finally {
            threads.shutdownNow();
        }
    }
}
