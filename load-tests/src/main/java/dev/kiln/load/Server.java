package dev.kiln.load;

import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/**
 * One server that runs on loopback, and what the kernel says about its processes.
 *
 * @param process what was started, and is ended
 * @param counted whose CPU time and memory count, with all that they started
 */
record Server(String name, int port, Process process, List<ProcessHandle> counted) {
    /** Linux shows times of processes in this unit whatever its own clock is (USER_HZ). */
    private static final double TICKS_PER_SECOND = 100;

    private static final Duration START = Duration.ofSeconds(60);

    /** Starts it and waits until it accepts connections. Its output goes to {@code log}. */
    static Server start(String name, int port, Path directory, List<String> command)
            throws IOException, InterruptedException {
        Path log = directory.resolve(name + ".log");
        Process process = new ProcessBuilder(command)
                .directory(directory.toFile())
                .redirectErrorStream(true)
                .redirectOutput(log.toFile())
                .start();
        Server server = new Server(name, port, process, List.of(process.toHandle()));
        long deadline = System.nanoTime() + START.toNanos();
        while (!server.accepts()) {
            if (!process.isAlive() || System.nanoTime() > deadline) {
                server.close();
                throw new IOException("could not start " + name + ":\n" + Files.readString(log));
            }
            process.waitFor(50, TimeUnit.MILLISECONDS);
        }
        return server;
    }

    /** The same, by another name, with the CPU time of other processes: those behind it. */
    Server counting(String newName, List<ProcessHandle> others) {
        return new Server(newName, port, process, List.copyOf(others));
    }

    /** Gives it a moment. @throws IOException when it ends instead */
    void pause(long milliseconds) throws IOException, InterruptedException {
        if (process.waitFor(milliseconds, TimeUnit.MILLISECONDS)) {
            throw new IOException(name + " has ended");
        }
    }

    private boolean accepts() {
        try (Socket socket = new Socket()) {
            socket.connect(address(), 1000);
            return true;
        } catch (IOException e) {
            return false;
        }
    }

    InetSocketAddress address() {
        return new InetSocketAddress(InetAddress.getLoopbackAddress(), port);
    }

    String url(String path) {
        return "http://127.0.0.1:" + port + path;
    }

    /** CPU seconds that its processes have used so far, user and system. */
    double cpuSeconds() throws IOException {
        long ticks = 0;
        for (ProcessHandle handle : processes()) {
            String stat = Files.readString(Path.of("/proc/" + handle.pid() + "/stat"));
            // The second field is the name in parentheses, which may hold anything.
            String[] fields = stat.substring(stat.lastIndexOf(')') + 2).split(" ", -1);
            ticks += Long.parseLong(fields[11]) + Long.parseLong(fields[12]);
        }
        return ticks / TICKS_PER_SECOND;
    }

    /** Resident bytes of its processes now. */
    long residentBytes() throws IOException {
        return memory("VmRSS:");
    }

    /** The most resident bytes since {@link #forgetPeak}. */
    long peakBytes() throws IOException {
        return memory("VmHWM:");
    }

    void forgetPeak() throws IOException {
        for (ProcessHandle handle : processes()) {
            Files.writeString(Path.of("/proc/" + handle.pid() + "/clear_refs"), "5");
        }
    }

    private long memory(String field) throws IOException {
        long kilobytes = 0;
        for (ProcessHandle handle : processes()) {
            for (String line : Files.readAllLines(Path.of("/proc/" + handle.pid() + "/status"))) {
                if (line.startsWith(field)) {
                    kilobytes += Long.parseLong(line.replaceAll("[^0-9]", ""));
                }
            }
        }
        return kilobytes * 1024;
    }

    private List<ProcessHandle> processes() {
        return counted.stream()
                .flatMap(handle -> Stream.concat(Stream.of(handle), handle.descendants()))
                .toList();
    }

    /** Ends it; may be called again. */
    void close() {
        process.destroy();
        try {
            if (!process.waitFor(15, TimeUnit.SECONDS)) {
                process.descendants().forEach(ProcessHandle::destroyForcibly);
                process.destroyForcibly();
            }
        } catch (InterruptedException e) {
            process.destroyForcibly();
            Thread.currentThread().interrupt();
        }
    }
}
