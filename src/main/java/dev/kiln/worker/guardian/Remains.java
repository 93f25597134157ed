package dev.kiln.worker.guardian;

import java.io.File;
import java.io.FileInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/**
 * Finds and ends the processes of an attempt that its first process did not take with it: by the marker in their
 * environment, by their user, and by their descent. All three are read from {@code /proc} anew each time, because what is
 * to be ended forks.
 */
public final class Remains {
    private static final int FREEZING_ROUNDS = 20;
    private static final File PROC = new File("/proc");

    private final byte[] marker;
    private final int user;
    private final long ancestor;

    /**
     * @param marker text in the environment, empty: nothing is told by it
     * @param user id of the slot's user, -1: nothing is told by it
     * @param ancestor a process that is ended with all its descendants, 0: none
     */
    public Remains(String marker, int user, long ancestor) {
        this.marker = marker.getBytes(StandardCharsets.UTF_8);
        this.user = user;
        this.ancestor = ancestor;
    }

    private record Entry(long pid, long parent, char state) {
        boolean alive() {
            return state != 'Z' && state != 'X';
        }

        boolean frozen() {
            return state == 'T' || state == 't';
        }
    }

    /**
     * Ends what there is once. They are first made to stand still, because killing one by one loses the race against a
     * process that forks faster.
     *
     * @return whether there was anything
     */
    public boolean end() throws IOException, InterruptedException {
        List<Entry> found = find();
        if (found.isEmpty()) {
            return false;
        }
        for (int round = 0; round < FREEZING_ROUNDS; round++) {
            List<Entry> moving = new ArrayList<>();
            for (Entry entry : found) {
                if (!entry.frozen()) {
                    moving.add(entry);
                }
            }
            if (moving.isEmpty()) {
                break;
            }
            stop(moving);
            found = find();
        }
        for (Entry entry : found) {
            // Without a process of its own, which a build that has taken every pid would keep from starting.
            ProcessHandle.of(entry.pid).ifPresent(ProcessHandle::destroyForcibly);
        }
        return true;
    }

    /** Ends them until none is left, however long that takes. */
    public void endAll() throws IOException, InterruptedException {
        for (long pause = 1; end(); pause = Math.min(2 * pause, 500)) {
            synchronized (this) {
                wait(pause);
            }
        }
    }

    private static void stop(List<Entry> entries) throws InterruptedException {
        List<String> command = new ArrayList<>(List.of("/bin/sh", "-c", "kill -STOP \"$@\" 2>/dev/null; :", "kill"));
        for (Entry entry : entries) {
            command.add(Long.toString(entry.pid));
        }
        ProcessBuilder kill = new ProcessBuilder(command);
        kill.environment().clear();
        kill.redirectOutput(ProcessBuilder.Redirect.DISCARD).redirectError(ProcessBuilder.Redirect.DISCARD);
        try {
            kill.start().waitFor();
        } catch (IOException e) {
            // There is no pid left for it; those that are killed unfrozen make room for the next round.
        }
    }

    private List<Entry> find() throws IOException {
        String ownNamespace = user < 0 ? "" : namespace(ProcessHandle.current().pid());
        List<Entry> all = new ArrayList<>();
        Set<Long> chosen = new HashSet<>();
        String[] names = PROC.list();
        if (names == null) {
            throw new IOException("cannot list /proc");
        }
        for (String name : names) {
            if (!Character.isDigit(name.charAt(0))) {
                continue;
            }
            long pid = Long.parseLong(name);
            try {
                Entry entry = entry(pid);
                if (!entry.alive() || pid == ProcessHandle.current().pid()) {
                    continue;
                }
                all.add(entry);
                if (pid == ancestor || marked(pid) || ofUser(pid, ownNamespace)) {
                    chosen.add(pid);
                }
            } catch (IOException e) {
                // it has ended meanwhile, or it is not ours to look into
            }
        }
        boolean grown = ancestor != 0;
        while (grown) {
            grown = false;
            for (Entry entry : all) {
                grown |= chosen.contains(entry.parent) && chosen.add(entry.pid);
            }
        }
        List<Entry> found = new ArrayList<>();
        for (Entry entry : all) {
            if (chosen.contains(entry.pid)) {
                found.add(entry);
            }
        }
        return found;
    }

    private static Entry entry(long pid) throws IOException {
        String stat = read(pid, "stat");
        // The command's name is in parentheses and may itself hold blanks and parentheses.
        String[] fields = stat.substring(stat.lastIndexOf(')') + 2).split(" ", 4);
        return new Entry(pid, Long.parseLong(fields[1]), fields[0].charAt(0));
    }

    /**
     * Processes of the same user in a PID namespace of their own belong to another node's slot on this machine, or end
     * with the namespace's first process: only those outside are strays.
     */
    private boolean ofUser(long pid, String ownNamespace) throws IOException {
        if (user < 0) {
            return false;
        }
        String status = read(pid, "status");
        int at = status.indexOf("\nUid:\t");
        if (at < 0) {
            return false;
        }
        String[] ids = status.substring(at + 6, status.indexOf('\n', at + 1)).split("\t");
        String wanted = Integer.toString(user);
        return (ids[0].equals(wanted) || ids[1].equals(wanted))
                && namespace(pid).equals(ownNamespace);
    }

    private static String namespace(long pid) throws IOException {
        return Files.readSymbolicLink(Path.of(file(pid, "ns/pid"))).toString();
    }

    // Not by `+`, whose first use costs a JVM that has just started 20 ms; so in this whole package.
    private static String file(long pid, String name) {
        return "/proc/".concat(Long.toString(pid)).concat("/").concat(name);
    }

    private static String read(long pid, String name) throws IOException {
        try (InputStream in = new FileInputStream(file(pid, name))) {
            return new String(in.readAllBytes(), StandardCharsets.ISO_8859_1);
        }
    }

    // An environment may be megabytes, made so to hide the marker: it is searched as it streams by.
    private boolean marked(long pid) throws IOException {
        if (marker.length == 0) {
            return false;
        }
        byte[] buffer = new byte[16 << 10];
        int kept = 0;
        try (InputStream in = new FileInputStream(file(pid, "environ"))) {
            for (int read; (read = in.read(buffer, kept, buffer.length - kept)) > 0; ) {
                int length = kept + read;
                if (contains(buffer, length)) {
                    return true;
                }
                kept = Math.min(length, marker.length - 1);
                System.arraycopy(buffer, length - kept, buffer, 0, kept);
            }
        }
        return false;
    }

    private boolean contains(byte[] buffer, int length) {
        for (int start = 0; start + marker.length <= length; start++) {
            int same = 0;
            while (same < marker.length && buffer[start + same] == marker[same]) {
                same++;
            }
            if (same == marker.length) {
                return true;
            }
        }
        return false;
    }
}
