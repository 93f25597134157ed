package dev.kiln.testing;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.kiln.config.KilnConfig;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;
import org.awaitility.Awaitility;

/**
 * A real PostgreSQL on a loopback port, with its files in a folder of its own; as user {@code postgres} where this process
 * is root, which PostgreSQL refuses to be. A test that needs one is skipped where none is installed.
 */
public final class PostgresServer implements AutoCloseable {
    private static final Path INSTALLATIONS = Path.of("/usr/lib/postgresql");
    private static final String USER = "kiln";
    private static final String PASSWORD = "a secret of the test";

    private final Path programs;
    private final Path folder;
    private final String address;
    private final int port;
    private Process process;

    private PostgresServer(Path programs, Path folder, String address, int port) {
        this.programs = programs;
        this.folder = folder;
        this.address = address;
        this.port = port;
    }

    /** Makes an empty database for a user that owns it and nothing else, and starts the server. */
    public static PostgresServer create() {
        return create("127.0.0.1");
    }

    /** As {@link #create()}, for those who reach this machine by {@code address}. */
    public static PostgresServer create(String address) {
        Optional<Path> programs = programs();
        assumeTrue(programs.isPresent(), "no PostgreSQL is installed under " + INSTALLATIONS);
        try {
            Path folder = Files.createTempDirectory("kiln-postgres");
            int port = FreePorts.next();
            PostgresServer server = new PostgresServer(programs.get(), folder, address, port);
            if (isRoot()) {
                run(List.of("chown", "postgres", folder.toString()));
            }
            run(server.command("initdb", "--auth=trust", "--username=admin", "-D", server.data()));
            Files.writeString(
                    folder.resolve("data/pg_hba.conf"),
                    "host all admin samehost trust\nhost all all samenet scram-sha-256\n");
            server.start();
            server.asAdmin("CREATE ROLE " + USER + " LOGIN PASSWORD '" + PASSWORD + "'");
            server.asAdmin("CREATE DATABASE kiln OWNER " + USER);
            return server;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static Optional<Path> programs() {
        try (Stream<Path> versions = Files.list(INSTALLATIONS)) {
            return versions.map(version -> version.resolve("bin"))
                    .filter(bin -> Files.isExecutable(bin.resolve("initdb")))
                    .max(Comparator.naturalOrder());
        } catch (IOException e) {
            return Optional.empty();
        }
    }

    private static boolean isRoot() {
        return System.getProperty("user.name").equals("root");
    }

    private List<String> command(String program, String... arguments) {
        List<String> command = new ArrayList<>();
        if (isRoot()) {
            command.addAll(List.of("setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups"));
        }
        command.add(programs.resolve(program).toString());
        command.addAll(List.of(arguments));
        return command;
    }

    private String data() {
        return folder.resolve("data").toString();
    }

    private static void run(List<String> command) throws IOException {
        run(command, Map.of());
    }

    private static void run(List<String> command, Map<String, String> environment) throws IOException {
        ProcessBuilder builder = new ProcessBuilder(command).redirectErrorStream(true);
        builder.environment().putAll(environment);
        Process run = builder.start();
        String output = new String(run.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        if (run.onExit().join().exitValue() != 0) {
            throw new IOException(command + " failed:\n" + output);
        }
    }

    /** Returns when it answers; it goes on from the files it has. */
    public void start() {
        try {
            process = new ProcessBuilder(command(
                            "postgres",
                            "-D",
                            data(),
                            "-p",
                            Integer.toString(port),
                            "-c",
                            "listen_addresses=" + address,
                            "-c",
                            "unix_socket_directories="))
                    .directory(folder.toFile())
                    .redirectErrorStream(true)
                    .redirectOutput(ProcessBuilder.Redirect.appendTo(
                            folder.resolve("server.log").toFile()))
                    .start();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        Awaitility.await("PostgreSQL answers")
                .atMost(Duration.ofSeconds(90))
                .ignoreExceptionsInstanceOf(SQLException.class)
                .until(() -> {
                    if (!process.isAlive()) {
                        throw new IllegalStateException(Files.readString(folder.resolve("server.log")));
                    }
                    try (Connection connection = admin()) {
                        return connection.isValid(5);
                    }
                });
    }

    /** In good order, but without waiting for its clients. */
    public void stop() {
        signal("INT", List.of(process.toHandle()));
        process.onExit().join();
    }

    /** As {@code kill -9} of all its processes. */
    public void kill() {
        List<ProcessHandle> all = all();
        signal("KILL", all);
        all.forEach(one -> one.onExit().join());
    }

    /** Whether it takes writes; else it is as a standby is, for transactions that begin from now on. */
    public void takeWrites(boolean writes) {
        try (Connection connection = admin();
                Statement statement = connection.createStatement()) {
            statement.execute("SET default_transaction_read_only = off");
            statement.execute("ALTER SYSTEM SET default_transaction_read_only = " + (writes ? "off" : "on"));
            statement.execute("SELECT pg_reload_conf()");
        } catch (SQLException e) {
            throw new IllegalStateException(e);
        }
    }

    /** How many sessions the server believes to have with clients at {@code address}. */
    public int sessionsWith(String address) {
        try (Connection connection = admin();
                PreparedStatement count = connection.prepareStatement(
                        "SELECT count(*) FROM pg_stat_activity WHERE client_addr = ?::inet")) {
            count.setString(1, address);
            try (ResultSet row = count.executeQuery()) {
                row.next();
                return row.getInt(1);
            }
        } catch (SQLException e) {
            throw new IllegalStateException(e);
        }
    }

    /** Stands still: it takes connections and answers nothing. */
    public void freeze() {
        signal("STOP", all());
    }

    public void thaw() {
        signal("CONT", all());
    }

    private List<ProcessHandle> all() {
        return Stream.concat(Stream.of(process.toHandle()), process.descendants())
                .toList();
    }

    private static void signal(String name, List<ProcessHandle> processes) {
        List<String> command = new ArrayList<>(List.of("kill", "-" + name));
        processes.forEach(one -> command.add(Long.toString(one.pid())));
        try {
            new ProcessBuilder(command).start().onExit().join();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private Connection admin() throws SQLException {
        return DriverManager.getConnection("jdbc:postgresql://" + address + ":" + port + "/postgres?user=admin");
    }

    private void asAdmin(String sql) {
        try (Connection connection = admin();
                Statement statement = connection.createStatement()) {
            statement.execute(sql);
        } catch (SQLException e) {
            throw new IllegalStateException(e);
        }
    }

    public int port() {
        return port;
    }

    /** @param through this server's port, or one that leads to it */
    public KilnConfig.Database database(int through) {
        return new KilnConfig.Database(
                "jdbc:postgresql://" + address + ":" + through + "/kiln?reWriteBatchedInserts=true", USER, PASSWORD, 4);
    }

    private String url() {
        return database(port).url();
    }

    /** The lines of a server's configuration. */
    public String config() {
        return "kiln.database { url = \"" + url() + "\", user = " + USER + ", password = \"" + PASSWORD + "\" }\n";
    }

    /** Writes the database to {@code file} while it is used, as docs/operations.md says. */
    public void dump(Path file) {
        asOwner("pg_dump", "--format=custom", "--file=" + file, "--dbname=" + connectionUri());
    }

    /** Fills the database, which must be empty, with what {@link #dump} has written. */
    public void restore(Path file) {
        asOwner("pg_restore", "--no-owner", "--exit-on-error", "--dbname=" + connectionUri(), file.toString());
    }

    private String connectionUri() {
        return "postgresql://" + USER + "@" + address + ":" + port + "/kiln";
    }

    private void asOwner(String program, String... arguments) {
        List<String> command = new ArrayList<>(List.of(programs.resolve(program).toString()));
        command.addAll(List.of(arguments));
        try {
            run(command, Map.of("PGPASSWORD", PASSWORD));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    public JournalReader journal() {
        return JournalReader.read(url(), USER, PASSWORD);
    }

    @Override
    public void close() {
        if (process != null && process.isAlive()) {
            kill();
        }
        try (Stream<Path> files = Files.walk(folder)) {
            for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
                Files.delete(file);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
