package dev.kiln.load;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Many small answers: wrk asks for manifests, again and again, over kept connections. */
final class Manifests {
    private static final int CONNECTIONS = 32;
    private static final Pattern REQUESTS = Pattern.compile("(\\d+) requests in ([0-9.]+)s");
    private static final Pattern ERRORS = Pattern.compile("Non-2xx|Socket errors");

    private Manifests() {}

    static Sample measure(Server server, String path, int seconds) throws IOException, InterruptedException {
        return measure(server, seconds, CONNECTIONS, List.of(), path);
    }

    /**
     * As many connections for each node behind a load balancer.
     *
     * @param script a program for wrk that says what is asked for
     */
    static Sample measure(Server server, Path script, int seconds) throws IOException, InterruptedException {
        int nodes = server.counted().size();
        return measure(server, seconds, CONNECTIONS * nodes, List.of("--script", script.toString()), "/");
    }

    private static Sample measure(Server server, int seconds, int connections, List<String> options, String path)
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
        command.add(server.url(path));
        double cpu = server.cpuSeconds();
        String output = Command.run(Path.of("/"), command.toArray(String[]::new));
        Matcher requests = REQUESTS.matcher(output);
        if (!requests.find() || ERRORS.matcher(output).find()) {
            throw new IOException("wrk saw errors of " + server.name() + ":\n" + output);
        }
        return new Sample(
                Double.parseDouble(requests.group(1)),
                Double.parseDouble(requests.group(2)),
                server.cpuSeconds() - cpu);
    }
}
