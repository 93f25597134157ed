package dev.kiln.boot.cli;

import java.io.PrintWriter;
import java.net.URI;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** Which server a command talks to, and where it prints. */
final class ServerOptions {
    @Option(
            names = "--server",
            paramLabel = "URL",
            defaultValue = "${env:KILN_SERVER:-http://127.0.0.1:8080}",
            description = "The server's public address (or KILN_SERVER); default: http://127.0.0.1:8080")
    private URI server;

    @Option(
            names = "--admin",
            paramLabel = "URL",
            defaultValue = "${env:KILN_ADMIN:-http://127.0.0.1:8081}",
            description = "The address of its admin listener (or KILN_ADMIN); default: http://127.0.0.1:8081")
    private URI admin;

    @Spec(Spec.Target.MIXEE)
    private CommandSpec spec;

    Api server() {
        return new Api(checked("--server", server));
    }

    Api admin() {
        return new Api(checked("--admin", admin));
    }

    PrintWriter out() {
        return spec.commandLine().getOut();
    }

    PrintWriter err() {
        return spec.commandLine().getErr();
    }

    /** A wrong command line: ends the command with exit code 2 and its usage. */
    ParameterException usage(String message) {
        return new ParameterException(spec.commandLine(), message);
    }

    private URI checked(String option, URI uri) {
        boolean http = "http".equalsIgnoreCase(uri.getScheme()) || "https".equalsIgnoreCase(uri.getScheme());
        if (!http || uri.getHost() == null || uri.getRawUserInfo() != null || uri.getRawQuery() != null) {
            throw usage(option + " must be an address such as http://127.0.0.1:8080");
        }
        return uri;
    }
}
