package dev.kiln.boot.cli;

import com.fasterxml.jackson.databind.JsonNode;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Parameters;

/** {@code kiln drain} and {@code kiln undrain}: asked of the admin listener. */
abstract sealed class DrainCommand implements Callable<Integer> {
    @Mixin
    private ServerOptions options;

    @Parameters(paramLabel = "WORKER", description = "Its name, as kiln queue shows it")
    private String worker;

    private final String change;

    private DrainCommand(String change) {
        this.change = change;
    }

    @Override
    public Integer call() throws Exception {
        String name = URLEncoder.encode(worker, StandardCharsets.UTF_8).replace("+", "%20");
        JsonNode after = options.admin().post("/api/v1/workers/" + name + "/" + change);
        options.out()
                .println(after.path("name").asText("") + "  "
                        + (after.path("drained").asBoolean() ? "drained" : "takes builds") + ", "
                        + after.path("running").asText("") + " running");
        options.out().flush();
        return 0;
    }

    @Command(
            name = "drain",
            description = "Has a worker take no new build; what it runs goes on. Stays so until undrained.",
            mixinStandardHelpOptions = true)
    static final class Drain extends DrainCommand {
        Drain() {
            super("drain");
        }
    }

    @Command(name = "undrain", description = "Has a drained worker take builds again.", mixinStandardHelpOptions = true)
    static final class Undrain extends DrainCommand {
        Undrain() {
            super("undrain");
        }
    }
}
