package dev.kiln.boot;

import akka.actor.typed.Behavior;
import dev.kiln.blob.BuildLogs;
import dev.kiln.blob.ContentStore;
import dev.kiln.blob.PatientBlobStore;
import dev.kiln.build.ShardedBuilds;
import dev.kiln.config.BuilderConfig;
import dev.kiln.config.KilnConfig;
import dev.kiln.config.RepositoryConfig;
import dev.kiln.journal.CannotStart;
import dev.kiln.worker.Attempt;
import dev.kiln.worker.AttemptWork;
import dev.kiln.worker.Worker;
import dev.kiln.worker.builder.AttemptDirectory;
import dev.kiln.worker.builder.Builder;
import dev.kiln.worker.builder.CommandBuilder;
import dev.kiln.worker.builder.Guardians;
import dev.kiln.worker.builder.Isolation;
import dev.kiln.worker.builder.PushBuilder;
import dev.kiln.worker.builder.jib.FileBaseImagePins;
import dev.kiln.worker.builder.jib.JibBuilder;
import java.io.IOException;
import java.net.URI;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.Executor;

/** This node's builders, and the worker that runs them. */
final class Builders implements AutoCloseable {
    private final Map<String, Builder> builders;
    private final List<String> lacks;
    private final Guardians guardians;
    private final List<JibBuilder> closeable;

    private Builders(
            Map<String, Builder> builders, List<String> lacks, Guardians guardians, List<JibBuilder> closeable) {
        this.builders = Map.copyOf(builders);
        this.lacks = List.copyOf(lacks);
        this.guardians = guardians;
        this.closeable = List.copyOf(closeable);
    }

    /** Finds out what this machine can do, and removes what an earlier life of the node left in its work-dir. */
    static Builders prepare(KilnConfig config, Disks disks) throws IOException {
        Guardians guardians = new Guardians();
        if (!config.roles().contains(KilnConfig.Role.BUILDER)) {
            return new Builders(Map.of(), List.of(), guardians, List.of());
        }
        Map<String, Builder> builders = new HashMap<>();
        List<String> lacks = new ArrayList<>();
        List<JibBuilder> closeable = new ArrayList<>();
        try {
            AttemptDirectory.clear(config.workDir());
            Isolation isolation = Isolation.probe(
                    config.workDir(), config.worker().uidBase(), config.worker().slots());
            lacks.addAll(isolation.lacks());
            config.builders().forEach((name, builder) -> {
                if (builder instanceof BuilderConfig.Command command) {
                    builders.put(name, command(config, command, isolation, guardians));
                } else if (builder instanceof BuilderConfig.Push push) {
                    builders.put(name, push(config, push, isolation, guardians));
                } else if (builder instanceof BuilderConfig.Jib jib) {
                    JibBuilder made = new JibBuilder(
                            jib,
                            disks.intake().blobs(),
                            new FileBaseImagePins(config.store().dir().resolve("bases")));
                    builders.put(name, made);
                    closeable.add(made);
                }
            });
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new CannotStart("interrupted while preparing work-dir", e);
        }
        return new Builders(builders, lacks, guardians, closeable);
    }

    private static CommandBuilder command(
            KilnConfig config, BuilderConfig.Command command, Isolation isolation, Guardians guardians) {
        return new CommandBuilder(
                command,
                isolation,
                guardians,
                config.workDir(),
                List.of(config.dataDir(), config.store().dir()),
                config.worker().outputCheck());
    }

    private static PushBuilder push(
            KilnConfig config, BuilderConfig.Push push, Isolation isolation, Guardians guardians) {
        URI server = URI.create(config.http().publicUrl().orElseThrow());
        if (push.order() instanceof BuilderConfig.OrderByCommand order) {
            return PushBuilder.byCommand(command(config, order.command(), isolation, guardians), server);
        }
        return PushBuilder.byWebhook(
                (BuilderConfig.Webhook) push.order(),
                server,
                name -> config.repository(name)
                        .flatMap(RepositoryConfig::source)
                        .map(source -> source.url(name)));
    }

    Behavior<Worker.Message> worker(
            KilnConfig config, Disks disks, BuildLogs logs, ShardedBuilds builds, Executor executor) {
        if (builders.values().stream().anyMatch(builder -> !(builder instanceof JibBuilder))) {
            guardians.standBy();
        }
        String name = NodeName.of(config.dataDir());
        ContentStore intake = new ContentStore(
                new PatientBlobStore(disks.intake().blobs(), config.settle()),
                disks.intake().links());
        AttemptWork.Shop shop = new AttemptWork.Shop(config, intake, disks.all(), logs, builders, executor);
        Attempt.Peers peers = new Attempt.Peers(
                builds::tell, builds::tellQueue, name, config.queue().ask(), System::nanoTime);
        return Worker.create(
                name,
                UUID.randomUUID().toString(),
                config.worker(),
                config.queue(),
                builds::tellQueue,
                (lease, slot, leaseEnd, free) ->
                        Attempt.create(lease, slot, leaseEnd, new AttemptWork(shop, lease.key()), peers, free),
                System::nanoTime);
    }

    /** Sentences for the operator: which promises cannot be kept here. */
    List<String> lacks() {
        return lacks;
    }

    @Override
    public void close() {
        closeable.forEach(JibBuilder::close);
        guardians.close();
    }
}
