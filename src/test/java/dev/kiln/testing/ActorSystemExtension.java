package dev.kiln.testing;

import akka.actor.testkit.typed.javadsl.ActorTestKit;
import akka.actor.typed.ActorSystem;
import com.typesafe.config.Config;
import com.typesafe.config.ConfigFactory;
import org.junit.jupiter.api.extension.AfterAllCallback;
import org.junit.jupiter.api.extension.BeforeAllCallback;
import org.junit.jupiter.api.extension.ExtensionContext;

/** One actor system for all tests of a class; for use as a static {@code @RegisterExtension}. */
public final class ActorSystemExtension implements BeforeAllCallback, AfterAllCallback {
    private final Config config;
    private ActorTestKit testKit;

    private ActorSystemExtension(Config config) {
        this.config = config;
    }

    /** @param config on top of the reference configuration of everything on the class path */
    public static ActorSystemExtension with(Config config) {
        return new ActorSystemExtension(
                config.withFallback(ConfigFactory.load()).resolve());
    }

    @Override
    public void beforeAll(ExtensionContext context) {
        testKit = ActorTestKit.create(context.getRequiredTestClass().getSimpleName(), config);
    }

    @Override
    public void afterAll(ExtensionContext context) {
        testKit.shutdownTestKit();
    }

    public ActorTestKit testKit() {
        return testKit;
    }

    public ActorSystem<Void> system() {
        return testKit.system();
    }
}
