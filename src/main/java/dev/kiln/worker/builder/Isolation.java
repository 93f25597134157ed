package dev.kiln.worker.builder;

import dev.kiln.config.BuilderConfig.User;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;

/**
 * How far this machine and this server's user let builds be kept apart: found out once, by trying. Knows how a build is
 * started under it.
 *
 * @param root whether the server is root, so that each slot builds as a user of its own
 * @param namespaces whether each attempt gets processes, mounts and inter-process communication of its own
 * @param uidBase slot i builds as user {@code uidBase + i} where the server is root
 * @param lacks sentences for the operator, one for each promise that cannot be kept here; may be empty
 */
public record Isolation(boolean root, boolean namespaces, int uidBase, List<String> lacks) {
    private static final List<String> TOOL_DIRECTORIES = List.of("/usr/bin", "/bin", "/usr/sbin", "/sbin");

    // The kernel kills the command when the guardian's thread that started it ends; the test of the parent is for a
    // guardian that ended before the request was made.
    private static final String TIE = "[ \"$PPID\" = \"$KILN_GUARDIAN\" ] || exit 75; exec \"$@\"";

    // Runs as the first process of the namespace, and stays: it reaps orphans, no signal of the build reaches it, and
    // its end is the end of all. Its standard error belongs to the guardian alone.
    private static final String SET_UP = """
            _kiln_fail() { echo "$1" >&2; exit 75; }
            _kiln_inside=$1 _kiln_owner=$2 _kiln_mount=$3 _kiln_chown=$4 _kiln_namespaces=$5 _kiln_hidden=$6
            shift 6
            if [ "$_kiln_namespaces" = true ]; then
              "$_kiln_mount" --bind "$1" /tmp || _kiln_fail 'cannot mount the attempt directory'
              [ ! -d /var/tmp ] || "$_kiln_mount" --bind /tmp/tmp /var/tmp || _kiln_fail 'cannot cover /var/tmp'
              [ ! -d /dev/shm ] || "$_kiln_mount" -t tmpfs -o size=64m,mode=1777,nosuid,nodev tmpfs /dev/shm \
                || _kiln_fail 'cannot cover /dev/shm'
            fi
            shift
            while [ "$_kiln_hidden" -gt 0 ]; do
              if [ "$_kiln_namespaces" = true ] && [ -d "$1" ]; then
                "$_kiln_mount" -t tmpfs -o ro,size=4k,mode=0555,nosuid,nodev tmpfs "$1" || _kiln_fail 'cannot hide a directory'
              fi
              shift
              _kiln_hidden=$((_kiln_hidden - 1))
            done
            if [ -n "$_kiln_owner" ]; then
              "$_kiln_chown" -R -h "$_kiln_owner:$_kiln_owner" "$_kiln_inside" || _kiln_fail 'cannot hand over the directory'
              "$_kiln_chown" "$_kiln_owner:$_kiln_owner" /proc/self/fd/1 || :
            fi
            cd "$_kiln_inside/checkout" || _kiln_fail 'cannot enter the checkout'
            echo 500 2>/dev/null >/proc/self/oom_score_adj || :
            echo kiln-ready >&2
            "$@" </dev/null 2>&1
            exit $?
            """;

    public Isolation {
        lacks = List.copyOf(lacks);
    }

    /**
     * Finds out what this machine can do, by doing it under {@code workDir}. Blocks for a few hundredths of a second.
     *
     * @throws IOException when commands cannot be run here at all; the message says what is missing
     */
    public static Isolation probe(Path workDir, int uidBase, int slots) throws IOException, InterruptedException {
        String os = System.getProperty("os.name");
        if (!os.equals("Linux")) {
            throw new IOException("builders of type command need Linux, this is " + os
                    + "; remove the role builder from this node, or use builders of type jib only");
        }
        for (String tool : List.of("sh", "env", "setsid", "setpriv", "prlimit", "chown")) {
            tool(tool);
        }
        boolean root = (Integer) Files.getAttribute(Path.of("/proc/self"), "unix:uid") == 0;
        if (root) {
            refuseUsersOfOthers(uidBase, slots);
        }
        Isolation wanted = new Isolation(root, true, uidBase, List.of());
        String refusal = wanted.refusal(workDir);
        if (refusal.isEmpty()) {
            return new Isolation(root, true, uidBase, wanted.shortcomings(""));
        }
        Isolation fallback = new Isolation(root, false, uidBase, List.of());
        String second = fallback.refusal(workDir);
        if (!second.isEmpty()) {
            throw new IOException("cannot run a command as builders of type command do: " + second);
        }
        return new Isolation(root, false, uidBase, fallback.shortcomings(refusal));
    }

    /** All processes of a slot's user are ended with its build: they must be nobody else's. */
    private static void refuseUsersOfOthers(int uidBase, int slots) throws IOException {
        if (uidBase < 1000 || uidBase > Integer.MAX_VALUE - slots) {
            throw new IOException("worker.uid-base is " + uidBase + "; choose one above 1000 whose ids nobody uses");
        }
        Path users = Path.of("/etc/passwd");
        if (!Files.isReadable(users)) {
            return;
        }
        for (String line : Files.readAllLines(users, StandardCharsets.ISO_8859_1)) {
            String[] fields = line.split(":", -1);
            if (fields.length > 2 && fields[2].matches("\\d{1,9}")) {
                int id = Integer.parseInt(fields[2]);
                if (id >= uidBase && id < uidBase + slots) {
                    throw new IOException("the user " + fields[0] + " has the id " + id
                            + ", which worker.uid-base and worker.slots give to builds; change worker.uid-base");
                }
            }
        }
    }

    private List<String> shortcomings(String refusal) {
        List<String> sentences = new ArrayList<>();
        if (!root) {
            sentences.add("builds run as the server's own user, because the server is not root: a build can use what "
                    + "this user can use, and builds of different slots are not kept apart by user");
        }
        if (!namespaces) {
            sentences.add("builds see the machine's other processes and its /tmp, because Linux namespaces are not "
                    + "available here (" + refusal + ")"
                    + (root ? "; nodes on one machine then need each a worker.uid-base of its own" : ""));
            if (!root) {
                sentences.add("a build can read data-dir and stop the server, and a process of it that leaves its "
                        + "session and clears its environment outlives it");
            }
        }
        return sentences;
    }

    /** The first line of what went wrong when a trial command was started; empty when nothing did. */
    private String refusal(Path workDir) throws IOException, InterruptedException {
        Path directory = AttemptDirectory.create(workDir, "trial");
        try {
            Launch launch = new Launch(
                    directory, 0, User.AUTO, List.of(tool("sh"), "-c", ":"), Map.of("PATH", "/usr/bin:/bin"));
            ProcessBuilder builder = new ProcessBuilder(command(launch, 100, 1 << 20, List.of()));
            builder.environment().clear();
            builder.environment()
                    .put("KILN_GUARDIAN", Long.toString(ProcessHandle.current().pid()));
            builder.environment().put("PATH", "/usr/bin:/bin");
            builder.redirectOutput(ProcessBuilder.Redirect.DISCARD);
            Process process;
            try {
                process = builder.start();
            } catch (IOException e) {
                return e.getMessage();
            }
            if (!process.waitFor(20, TimeUnit.SECONDS)) {
                process.descendants().forEach(ProcessHandle::destroyForcibly);
                process.destroyForcibly();
                return "a trial command did not end";
            }
            byte[] said = process.getErrorStream().readNBytes(1000);
            if (process.exitValue() == 0) {
                return "";
            }
            return new String(said, StandardCharsets.UTF_8).lines().findFirst().orElse("no reason given");
        } catch (MissingTool e) {
            return e.getMessage();
        } finally {
            AttemptDirectory.delete(directory);
        }
    }

    /**
     * What is to be started.
     *
     * @param directory of the attempt
     * @param command program and arguments, as the build sees them
     * @param environment as the build sees it
     */
    record Launch(Path directory, int slot, User user, List<String> command, Map<String, String> environment) {}

    /** Where a build finds its attempt's directory: with namespaces the same place on all nodes. */
    Path inside(Path directory) {
        return namespaces ? Path.of("/tmp") : directory;
    }

    /** The user that all processes of a build have, and no others, or -1. */
    int ownUser(User user, int slot) {
        return root && user == User.AUTO ? uidBase + slot : -1;
    }

    /** The part of the environment that the processes that set a build up have too. */
    static Map<String, String> inherited(Map<String, String> environment) {
        Map<String, String> safe = new TreeMap<>(environment);
        safe.keySet().removeIf(Isolation::steersPrograms);
        return safe;
    }

    // These make programs load code or act differently: while still root nothing may obey them.
    private static boolean steersPrograms(String name) {
        return !name.matches("[A-Za-z_][A-Za-z0-9_]*")
                || name.startsWith("LD_")
                || name.startsWith("BASH")
                || List.of("GCONV_PATH", "GLIBC_TUNABLES", "LOCPATH", "NLSPATH", "ENV", "IFS", "SHELLOPTS", "PS4")
                        .contains(name);
    }

    /** The command a guardian starts. Every value is an argument of its own: no shell reads one as text. */
    List<String> command(Launch launch, int maxProcesses, long maxFile, List<Path> hidden) throws IOException {
        int user = ownUser(launch.user(), launch.slot());
        List<String> all = new ArrayList<>(
                List.of(tool("setpriv"), "--pdeathsig", "KILL", "--", tool("sh"), "-c", TIE, "kiln-tie"));
        if (namespaces) {
            all.add(tool("unshare"));
            if (!root) {
                all.addAll(List.of("--user", "--map-current-user", "--keep-caps"));
            }
            all.addAll(List.of("--pid", "--fork", "--kill-child=KILL", "--mount", "--propagation", "private"));
            all.addAll(List.of("--ipc", "--mount-proc", "--"));
        }
        // A session of its own: a signal to the build's process group must not reach the guardian.
        all.addAll(List.of(tool("setsid"), tool("sh"), "-c", SET_UP, "kiln-build"));
        all.addAll(List.of(
                inside(launch.directory()).toString(),
                user < 0 ? "" : Integer.toString(user),
                namespaces ? tool("mount") : "",
                tool("chown"),
                Boolean.toString(namespaces),
                Integer.toString(hidden.size()),
                launch.directory().toString()));
        hidden.forEach(path -> all.add(path.toString()));
        all.addAll(List.of(tool("prlimit"), "--core=0", "--fsize=" + Limits.capped("Max file size", maxFile)));
        if (user >= 0 || !root) {
            long others = root ? 0 : Limits.tasksOfOwnUser();
            all.add("--nproc=" + Limits.capped("Max processes", maxProcesses + others));
        }
        all.add("--");
        all.addAll(privileges(user));
        all.addAll(List.of(tool("env"), "-u", "PWD", "-u", "OLDPWD", "-u", "SHLVL", "-u", "_", "-u", "KILN_GUARDIAN"));
        if (namespaces || user >= 0) {
            all.addAll(List.of("-u", Marker.NAME));
        }
        new TreeMap<>(launch.environment()).forEach((name, value) -> {
            if (steersPrograms(name)) {
                all.add(name + "=" + value);
            }
        });
        all.addAll(launch.command());
        return all;
    }

    private List<String> privileges(int user) throws IOException {
        List<String> setpriv = new ArrayList<>(List.of(tool("setpriv")));
        if (user >= 0) {
            String id = Integer.toString(user);
            setpriv.addAll(List.of("--reuid", id, "--regid", id, "--clear-groups"));
            setpriv.addAll(List.of("--no-new-privs", "--inh-caps=-all", "--bounding-set=-all"));
        } else if (!root) {
            setpriv.add("--no-new-privs");
            if (namespaces) {
                setpriv.addAll(List.of("--inh-caps=-all", "--ambient-caps=-all", "--bounding-set=-all"));
            }
        }
        if (!namespaces) {
            setpriv.addAll(List.of("--pdeathsig", "KILL"));
        }
        if (setpriv.size() == 1) {
            return List.of();
        }
        setpriv.add("--");
        return setpriv;
    }

    private static final class MissingTool extends IOException {
        private static final long serialVersionUID = 1L;

        MissingTool(String name) {
            super("the program " + name + " is missing; install "
                    + (name.equals("setpriv") ? "util-linux (on Alpine: setpriv)" : "coreutils and util-linux"));
        }
    }

    /** A system program by its full path: while still root nothing may be found by the build's PATH. */
    static String tool(String name) throws IOException {
        for (String directory : TOOL_DIRECTORIES) {
            Path path = Path.of(directory, name);
            if (Files.isExecutable(path) && !Files.isDirectory(path, LinkOption.NOFOLLOW_LINKS)) {
                return path.toString();
            }
        }
        throw new MissingTool(name);
    }
}
