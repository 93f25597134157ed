package dev.kiln.config;

import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.regex.Pattern;

/** Reads {@code kiln.database}. No message holds the address, which may hold a secret. */
final class DatabaseReader {
    private static final String EMBEDDED = "jdbc:h2:";
    private static final Pattern EMBEDDED_FILE = Pattern.compile("jdbc:h2:file:(/|\\./|~/).*");
    private static final Pattern POSTGRESQL = Pattern.compile("jdbc:postgresql://[^@\\s]+");
    private static final Pattern PASSWORD = Pattern.compile("(?i).*[?;&](user|password|sslpassword)=.*");
    private static final List<String> NEEDED = List.of("MODE=POSTGRESQL", "DATABASE_TO_LOWER=TRUE", "WRITE_DELAY=0");

    private final Section database;
    private final ClusterSettings cluster;

    DatabaseReader(Section database, ClusterSettings cluster) {
        this.database = database;
        this.cluster = cluster;
    }

    /** Empty when something was reported. */
    Optional<KilnConfig.Database> read() {
        Optional<String> url = database.secret("url", "a JDBC address", text -> !text.isBlank());
        url.ifPresent(this::check);
        Optional<String> user = database.secret("user", "a user's name, which may be empty", text -> true);
        Optional<String> password = database.secret("password", "a password, which may be empty", text -> true);
        Optional<Integer> connections = database.integer("connections", 4, 500);
        database.end();
        return url.isPresent() && user.isPresent() && password.isPresent() && connections.isPresent()
                ? Optional.of(new KilnConfig.Database(url.get(), user.get(), password.get(), connections.get()))
                : Optional.empty();
    }

    private void check(String url) {
        if (PASSWORD.matcher(url).matches()) {
            database.error("url", "must not hold a user or a password; set the keys user and password beside it");
        } else if (url.startsWith(EMBEDDED)) {
            checkEmbedded(url);
        } else if (!POSTGRESQL.matcher(url).matches()) {
            database.error("url", "must be jdbc:h2:file:/… or jdbc:postgresql://host/database");
        }
    }

    private void checkEmbedded(String url) {
        if (!EMBEDDED_FILE.matcher(url).matches()) {
            database.error("url", "must be jdbc:h2:file:/… with an absolute path, or jdbc:postgresql://host/database");
            return;
        }
        List<String> options = List.of(url.toUpperCase(Locale.ROOT).split(";", -1));
        List<String> missing =
                NEEDED.stream().filter(option -> !options.contains(option)).toList();
        if (!missing.isEmpty()) {
            database.error("url", "lacks ;" + String.join(";", missing) + ", without which events would be lost");
        }
        if (cluster.seedNodes() > 1) {
            database.error(
                    "url",
                    "is an embedded database, which only one node can use, but akka.cluster.seed-nodes names "
                            + cluster.seedNodes() + "; use jdbc:postgresql://…");
        }
    }
}
