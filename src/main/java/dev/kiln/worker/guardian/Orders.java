package dev.kiln.worker.guardian;

import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * What a guardian is told first on its standard input; after it come single bytes, {@link #RENEW} followed by a long of
 * milliseconds, or {@link #STOP}. Both ends are the same version of the same program, so there is nothing to negotiate.
 *
 * @param command program and arguments that set the build up and run it; it says {@link #READY} on its standard error
 *     once everything is set up, and nothing there after that
 * @param environment the exact environment of {@code command}
 * @param directory measured against {@code maxOutput}
 * @param marker {@code NAME=VALUE} in the environment of the processes to end, unique to the attempt
 * @param user every process of this user id is the build's, -1: processes are not told by their user
 * @param namespaces whether {@code command} is an {@code unshare} whose only child is the first process of a PID
 *     namespace of its own
 * @param timeoutMillis counted from {@link #READY}
 * @param leaseMillis counted from the reading of the orders
 * @param maxOutput bytes
 * @param checkMillis how often the directory is measured
 */
public record Orders(
        List<String> command,
        Map<String, String> environment,
        String directory,
        String marker,
        int user,
        boolean namespaces,
        long timeoutMillis,
        long leaseMillis,
        long maxOutput,
        long checkMillis) {
    public static final int RENEW = 'R';
    public static final int STOP = 'S';
    public static final String READY = "kiln-ready";

    private static final int MAX_TEXT = 1 << 20;
    private static final int MAX_LIST = 10_000;

    public Orders {
        command = List.copyOf(command);
        environment = Map.copyOf(environment);
    }

    public void writeTo(DataOutputStream out) throws IOException {
        out.writeInt(command.size());
        for (String argument : command) {
            writeText(out, argument);
        }
        out.writeInt(environment.size());
        for (Map.Entry<String, String> variable : environment.entrySet()) {
            writeText(out, variable.getKey());
            writeText(out, variable.getValue());
        }
        writeText(out, directory);
        writeText(out, marker);
        out.writeInt(user);
        out.writeBoolean(namespaces);
        out.writeLong(timeoutMillis);
        out.writeLong(leaseMillis);
        out.writeLong(maxOutput);
        out.writeLong(checkMillis);
        out.flush();
    }

    static Orders readFrom(DataInputStream in) throws IOException {
        List<String> command = new ArrayList<>();
        for (int left = size(in, MAX_LIST); left > 0; left--) {
            command.add(readText(in));
        }
        Map<String, String> environment = new LinkedHashMap<>();
        for (int left = size(in, MAX_LIST); left > 0; left--) {
            String name = readText(in);
            environment.put(name, readText(in));
        }
        return new Orders(
                command,
                environment,
                readText(in),
                readText(in),
                in.readInt(),
                in.readBoolean(),
                in.readLong(),
                in.readLong(),
                in.readLong(),
                in.readLong());
    }

    // DataOutputStream.writeUTF ends at 64 KiB, which an environment variable may exceed.
    private static void writeText(DataOutputStream out, String text) throws IOException {
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        out.writeInt(bytes.length);
        out.write(bytes);
    }

    private static String readText(DataInputStream in) throws IOException {
        byte[] bytes = new byte[size(in, MAX_TEXT)];
        in.readFully(bytes);
        return new String(bytes, StandardCharsets.UTF_8);
    }

    private static int size(DataInputStream in, int max) throws IOException {
        int size = in.readInt();
        if (size < 0 || size > max) {
            throw new IOException("an order is longer than the guardian takes");
        }
        return size;
    }
}
