package dev.kiln.worker.builder;

import dev.kiln.build.PushToken;
import dev.kiln.config.BuilderConfig;
import dev.kiln.oci.RepositoryName;
import java.io.IOException;
import java.io.OutputStream;
import java.net.URI;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;

/**
 * Has somebody else make the image: a command or a webhook is given an address that is good for one image, and what is pushed
 * there by digest is the result. Thread-safe.
 */
public final class PushBuilder implements Builder {
    private final URI server;
    private final Order order;

    /** Tells whoever makes the image that it is wanted. */
    private interface Order {
        /** What runs until that was told; when it has succeeded the image may still be on its way. */
        Running give(Task task, PushTarget target, OutputStream log, Duration lease) throws IOException;
    }

    private PushBuilder(URI server, Order order) {
        this.server = server;
        this.order = order;
    }

    /** @param server the address that clients use, without a trailing slash */
    public static PushBuilder byCommand(CommandBuilder command, URI server) {
        return new PushBuilder(
                server,
                (task, target, log, lease) -> command.start(
                        task, Map.of("KILN_PUSH_URL", target.url(), "KILN_PUSH_IMAGE", target.image()), log, lease));
    }

    /**
     * As {@link #byCommand}.
     *
     * @param sources where a repository's source is, without credentials; empty when it has none
     */
    public static PushBuilder byWebhook(
            BuilderConfig.Webhook webhook, URI server, Function<RepositoryName, Optional<String>> sources) {
        Webhook calls = new Webhook(webhook, sources);
        return new PushBuilder(server, (task, target, log, lease) -> calls.call(task, target, log));
    }

    @Override
    public Running start(Task task, OutputStream log, Duration lease) throws IOException {
        PushToken token = PushToken.create(task.key().revision(), task.key().platform());
        long begun = System.nanoTime();
        PushTarget target = new PushTarget(server, task.key().repository(), token);
        // Whoever may pull may read the log, and tools print where they push to.
        MaskedOutput masked = new MaskedOutput(log, token.secret());
        Running ordering = order.give(task, target, masked, lease);
        return AwaitedPush.of(ordering, masked, token.digest(), task.timeout(), begun);
    }
}
