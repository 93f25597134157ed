package dev.kiln.config;

import com.typesafe.config.Config;
import java.util.List;

/**
 * A valid configuration.
 *
 * @param akka for the actor system, resolved; it holds the database's password
 * @param warnings one line each, to be shown at the start
 */
public record LoadedConfig(KilnConfig kiln, Config akka, List<String> warnings) {
    public LoadedConfig {
        warnings = List.copyOf(warnings);
    }

    @Override
    public String toString() {
        return "LoadedConfig[" + kiln + ", " + warnings + "]";
    }
}
