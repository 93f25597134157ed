package dev.kiln.config;

import java.net.URI;
import java.util.List;
import java.util.Map;

/** One entry of {@code kiln.builders}: how images are made. The same on all nodes. */
public sealed interface BuilderConfig {
    /**
     * A command that is run in a checkout of the revision.
     *
     * @param command program and arguments; {@code {repository}}, {@code {revision}}, {@code {platform}} and
     *     {@code {output}} stand for themselves
     * @param path the PATH it sees
     */
    record Command(List<String> command, Map<String, String> environment, String path, User user, int maxProcesses)
            implements BuilderConfig {
        public Command {
            command = List.copyOf(command);
            environment = Map.copyOf(environment);
        }

        /** Without the environment's values, which may be secrets. */
        @Override
        public String toString() {
            return "Command[" + command + ", environment=" + environment.keySet() + ", path=" + path + ", user=" + user
                    + ", maxProcesses=" + maxProcesses + "]";
        }
    }

    /**
     * jib-core on the checkout's {@code jib.yaml}.
     *
     * @param allowPrivateRegistries whether base images may come from private address ranges
     */
    record Jib(boolean allowPrivateRegistries) implements BuilderConfig {}

    /**
     * Somebody else makes the image and pushes it.
     *
     * @param order how that is begun
     */
    record Push(Order order) implements BuilderConfig {}

    /** How an image that is pushed is ordered. */
    sealed interface Order {}

    /** By a command, which may make and push it itself. */
    record OrderByCommand(Command command) implements Order {}

    /**
     * By a POST.
     *
     * @param headers by their names; their values and the address may hold secrets
     */
    record Webhook(URI address, Map<String, String> headers) implements Order {
        public Webhook {
            headers = Map.copyOf(headers);
        }

        /** Without what may be secret. */
        @Override
        public String toString() {
            return "Webhook[" + address.getScheme() + "://" + address.getRawAuthority() + ", headers="
                    + headers.keySet() + "]";
        }
    }

    enum User {
        /** The slot's own user where the server is root, else the server's. */
        AUTO,
        ROOT
    }
}
