package dev.kiln.config;

import com.typesafe.config.Config;
import com.typesafe.config.ConfigException;
import com.typesafe.config.ConfigFactory;
import com.typesafe.config.ConfigParseOptions;
import com.typesafe.config.ConfigSyntax;
import com.typesafe.config.ConfigValue;
import com.typesafe.config.ConfigValueFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.Properties;
import java.util.function.Supplier;
import java.util.regex.Pattern;

/**
 * Reads the operator's file on top of the defaults. From weak to strong: the libraries' own {@code reference.conf} and
 * Kiln's, {@code kiln-akka.conf}, the file, properties whose names begin with {@code kiln.} or {@code akka.}, and what
 * {@code kiln.cluster} and its like mean in Akka's keys.
 */
public final class ConfigLoader {
    private static final String DATA_DIR = "kiln.data-dir";
    /**
     * Without them a connection that leads nowhere is waited on for as long as the system repeats packets, in seconds. The
     * other end is told too: until it has noticed, nobody can write what a node was writing that is cut off.
     */
    private static final Config POSTGRESQL_TIMEOUTS =
            ConfigFactory.parseString("akka-persistence-jdbc.shared-databases.main.db {"
                    + " properties { connectTimeout = 5, socketTimeout = 15, tcpKeepAlive = true }\n"
                    + " connectionInitSql = \"" + KilnConfig.Database.NOTICE_DEAD_CLIENTS + "\" }");

    private static final Pattern QUOTED = Pattern.compile("'.{2,}'");

    private ConfigLoader() {}

    /**
     * Blocks on the file system.
     *
     * @param file the operator's; empty: the defaults alone
     * @param properties those of the Java system, or none in a test
     * @throws InvalidConfiguration naming everything that is wrong
     */
    public static LoadedConfig load(Optional<Path> file, Properties properties) {
        Findings findings = new Findings();
        Config operator = file.map(ConfigLoader::parse).orElseGet(ConfigFactory::empty);
        Config library = ConfigFactory.parseResources(
                        ConfigLoader.class.getClassLoader(),
                        "kiln-akka.conf",
                        ConfigParseOptions.defaults().setAllowMissing(false))
                .withFallback(ConfigFactory.defaultReferenceUnresolved(ConfigLoader.class.getClassLoader()));
        unreadKeys(operator, library, findings);
        Config all = resolve(overrides(properties).withFallback(operator).withFallback(library));

        Section section = new Section(all.getConfig("kiln").root(), "kiln", findings);
        Supplier<KilnConfig> read = new KilnReader(section, ClusterSettings.of(all)).read();
        if (!findings.errors().isEmpty()) {
            throw new InvalidConfiguration(findings.errors());
        }
        KilnConfig kiln = read.get();
        Config akka = ClusterOverlay.of(kiln).withFallback(all.withoutPath("kiln"));
        return new LoadedConfig(
                kiln, kiln.database().embedded() ? akka : akka.withFallback(POSTGRESQL_TIMEOUTS), findings.warnings());
    }

    private static Config parse(Path file) {
        if (!Files.isReadable(file) || Files.isDirectory(file)) {
            throw new InvalidConfiguration(List.of(file + ": is not a file that can be read"));
        }
        try {
            return ConfigFactory.parseFile(
                    file.toFile(),
                    ConfigParseOptions.defaults().setSyntax(ConfigSyntax.CONF).setAllowMissing(false));
        } catch (ConfigException e) {
            throw unreadable(e, file.toString());
        }
    }

    private static Config overrides(Properties properties) {
        Properties own = new Properties();
        properties.stringPropertyNames().stream()
                .filter(name -> name.startsWith("kiln.") || name.startsWith("akka."))
                .forEach(name -> own.setProperty(name, properties.getProperty(name)));
        return ConfigFactory.parseProperties(
                own, ConfigParseOptions.defaults().setOriginDescription("system property"));
    }

    /** Makes {@code data-dir} absolute first, so that what is derived from it is absolute too. */
    private static Config resolve(Config layers) {
        try {
            Config resolved = layers.resolve();
            ConfigValue dataDir = resolved.getValue(DATA_DIR);
            if (!(dataDir.unwrapped() instanceof String text) || text.isBlank() || text.indexOf('\0') >= 0) {
                return resolved; // reported where the key is read
            }
            String absolute = Path.of(text).toAbsolutePath().normalize().toString();
            return ConfigFactory.empty()
                    .withValue(DATA_DIR, ConfigValueFactory.fromAnyRef(absolute).withOrigin(dataDir.origin()))
                    .withFallback(layers)
                    .resolve();
        } catch (ConfigException e) {
            throw unreadable(e, "the configuration");
        }
    }

    /** A whole section under a misspelt name would else be ignored in silence. */
    private static void unreadKeys(Config operator, Config library, Findings findings) {
        operator.root().forEach((key, value) -> {
            if (!library.root().containsKey(key)) {
                findings.warning(
                        value.origin(),
                        key + " is read by nothing, unless this file refers to it; Kiln's own keys stand under kiln");
            }
        });
    }

    /** The library's message, without the words of the file that it quotes: they may be secrets. */
    private static InvalidConfiguration unreadable(ConfigException e, String file) {
        String message = String.valueOf(e.getMessage());
        String where = file;
        if (e.origin() != null) {
            where = e.origin().lineNumber() > 0
                    ? Optional.ofNullable(e.origin().filename()).orElse(file) + ":"
                            + e.origin().lineNumber()
                    : file;
            message = message.replace(e.origin().description() + ": ", "");
        }
        int hint = message.indexOf(" (if you intended");
        String reason =
                QUOTED.matcher(hint < 0 ? message : message.substring(0, hint)).replaceAll("…");
        return new InvalidConfiguration(List.of(where + ": " + reason.replaceAll("\\s+", " ")));
    }
}
