package dev.kiln.boot;

import dev.kiln.cluster.Ending;
import dev.kiln.config.ConfigLoader;
import dev.kiln.config.InvalidConfiguration;
import dev.kiln.config.KilnConfig;
import dev.kiln.config.LoadedConfig;
import dev.kiln.config.RepositoryConfig;
import dev.kiln.journal.CannotStart;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import picocli.CommandLine;

/** {@code kiln serve}: runs a node until it is told to end. */
@CommandLine.Command(
        name = "serve",
        description = "Runs a node. Without --config: a demonstration with everything embedded.",
        mixinStandardHelpOptions = true)
final class ServeCommand implements Callable<Integer> {
    @CommandLine.Option(names = "--config", paramLabel = "FILE", description = "HOCON, on top of the defaults")
    private Path config;

    @CommandLine.Spec
    private CommandLine.Model.CommandSpec spec;

    @Override
    public Integer call() {
        PrintWriter out = spec.commandLine().getOut();
        PrintWriter err = spec.commandLine().getErr();
        try {
            LoadedConfig loaded = ConfigLoader.load(Optional.ofNullable(config), System.getProperties());
            Server server = Server.start(loaded);
            loaded.warnings().forEach(warning -> err.println("warning: " + warning));
            server.notes().forEach(note -> err.println("note: " + note));
            greet(out, loaded, server);
            out.flush();
            Optional<Ending> ending = server.ended().join();
            if (ending.isPresent()) {
                err.println("kiln ends: " + ending.get().text());
                err.flush();
                // At once: what has failed must do no more harm. The supervisor starts it anew.
                Runtime.getRuntime().halt(ending.get().exitCode());
            }
            return 0;
        } catch (InvalidConfiguration | CannotStart e) {
            err.println("kiln cannot start: " + e.getMessage());
            return 1;
        }
    }

    private static void greet(PrintWriter out, LoadedConfig loaded, Server server) {
        String url = server.http().publicUrl();
        if (!loaded.kiln().roles().contains(KilnConfig.Role.REGISTRY)) {
            out.println("Kiln builds images for "
                    + String.join(", ", loaded.kiln().worker().platforms()) + "; its health is on " + url);
            return;
        }
        String registry = url.replaceFirst("^https?://", "");
        out.println("Kiln serves images on " + url + ", and operators on http://"
                + loaded.kiln().admin().host() + ":" + server.http().adminPort());
        for (RepositoryConfig repository : loaded.kiln().repositories()) {
            String built = repository
                    .source()
                    .map(source -> " from " + source.url().replaceFirst("//[^/@]*@", "//") + " for "
                            + repository.platforms().stream()
                                    .map(String::valueOf)
                                    .collect(Collectors.joining(", ")))
                    .orElse("");
            String pushed = repository.push() ? (built.isEmpty() ? "" : ",") + " as it is pushed" : "";
            out.println("  " + repository.name() + built + pushed);
        }
        if (loaded.kiln().demoRepository().isPresent()) {
            out.println("Pull the demonstration, which the first pull builds:");
            List.of(
                            "docker pull " + registry + "/demo/hello:main",
                            "podman pull --tls-verify=false " + registry + "/demo/hello:main",
                            "buildah pull --tls-verify=false " + registry + "/demo/hello:main",
                            "skopeo copy --src-tls-verify=false docker://" + registry + "/demo/hello:main oci:hello",
                            "ctr images pull --plain-http " + registry + "/demo/hello:main")
                    .forEach(line -> out.println("  " + line));
        }
    }
}
