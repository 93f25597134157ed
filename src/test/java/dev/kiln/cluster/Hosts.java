package dev.kiln.cluster;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ThreadLocalRandom;

/**
 * Hosts of one machine: network namespaces on a bridge of their own, {@code 10.a.b.0/24} with this machine at {@code .1} and
 * {@code .2}, between any two of which the network can be cut. Needs root; a test that needs it is skipped elsewhere.
 */
final class Hosts implements AutoCloseable {
    private static final String NOBODY = "02:00:00:00:00:01";

    private final String name;
    private final String prefix;
    private final List<String> namespaces = new ArrayList<>();

    private Hosts(String name, String prefix) {
        this.name = name;
        this.prefix = prefix;
    }

    static Hosts create(int number) {
        assumeTrue(
                System.getProperty("user.name").equals("root") && Files.isExecutable(Path.of("/usr/sbin/ip")),
                "needs root and iproute2");
        // several runs may share the machine
        int a = ThreadLocalRandom.current().nextInt(64, 128);
        int b = ThreadLocalRandom.current().nextInt(256);
        Hosts hosts = new Hosts("k%02x%02x".formatted(a, b), "10." + a + "." + b + ".");
        hosts.ip("link", "add", hosts.name, "type", "bridge");
        hosts.ip("address", "add", hosts.prefix + "1/24", "dev", hosts.name);
        hosts.ip("address", "add", hosts.database() + "/24", "dev", hosts.name);
        hosts.ip("link", "set", hosts.name, "up");
        for (int host = 0; host < number; host++) {
            hosts.add(host);
        }
        return hosts;
    }

    private void add(int host) {
        String namespace = name + "-" + host;
        ip("netns", "add", namespace);
        namespaces.add(namespace);
        ip("link", "add", namespace, "type", "veth", "peer", "name", "eth0", "netns", namespace);
        ip("link", "set", namespace, "master", name, "up");
        ip("-n", namespace, "link", "set", "lo", "up");
        ip("-n", namespace, "address", "add", address(host) + "/24", "dev", "eth0");
        ip("-n", namespace, "link", "set", "eth0", "up");
    }

    /** Of this machine, as the hosts reach it. */
    String gateway() {
        return prefix + "1";
    }

    /** Of this machine too, and nothing but the database is there, so that hosts can be cut off from that alone. */
    String database() {
        return prefix + "2";
    }

    /** The first host has the highest address: what comes to the lowest one must not depend on which node it is. */
    String address(int host) {
        return prefix + (90 - host);
    }

    /** What a command line begins with that is to run on {@code host}. */
    List<String> on(int host) {
        return List.of("ip", "netns", "exec", namespaces.get(host));
    }

    /** From now on nothing gets from one of the two to the other: it is sent, and arrives nowhere, as with a broken cable. */
    void cut(int one, int other) {
        lose(one, address(other));
        lose(other, address(one));
    }

    void mend(int one, int other) {
        find(one, address(other));
        find(other, address(one));
    }

    /** As {@link #cut}; what the database sends still arrives, and is never acknowledged. */
    void cutFromDatabase(int host) {
        lose(host, database());
    }

    void mendToDatabase(int host) {
        find(host, database());
    }

    private void lose(int host, String address) {
        String namespace = namespaces.get(host);
        ip("-n", namespace, "neighbour", "replace", address, "lladdr", NOBODY, "dev", "eth0", "nud", "permanent");
    }

    private void find(int host, String address) {
        ip("-n", namespaces.get(host), "neighbour", "del", address, "dev", "eth0");
    }

    private void ip(String... arguments) {
        List<String> command = new ArrayList<>(List.of("ip"));
        command.addAll(List.of(arguments));
        try {
            Process process =
                    new ProcessBuilder(command).redirectErrorStream(true).start();
            String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
            if (process.onExit().join().exitValue() != 0) {
                throw new IllegalStateException(String.join(" ", command) + ": " + output);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Override
    public void close() {
        namespaces.forEach(namespace -> ip("netns", "del", namespace));
        ip("link", "del", name);
    }
}
