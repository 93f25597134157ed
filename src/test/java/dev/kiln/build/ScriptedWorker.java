package dev.kiln.build;

import akka.actor.typed.ActorRef;
import akka.actor.typed.ActorSystem;
import akka.actor.typed.Behavior;
import akka.actor.typed.Props;
import akka.actor.typed.javadsl.Behaviors;
import dev.kiln.build.BuildState.Result;
import dev.kiln.build.BuildState.StartAnswer;
import dev.kiln.oci.BuildKey;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.BiConsumer;
import java.util.function.Consumer;
import java.util.function.Supplier;

/** A worker that keeps to the protocol and does nothing; everything it says or hears goes over a network of the test's. */
final class ScriptedWorker {
    private static final int SLOTS = 2;
    private static final AtomicLong RECEIVERS = new AtomicLong();

    /** @param send delivers, or not, or twice, or later */
    record Network(
            ActorSystem<?> system,
            Consumer<Runnable> send,
            Consumer<BuildQueue.Command> queue,
            BiConsumer<BuildKey, BuildEntity.Command> builds) {}

    /** One lease, from its grant to the acknowledgement of its end. */
    private static final class Job {
        private final BuildQueue.Granted lease;
        private ActorRef<StartAnswer> answers;
        private ActorRef<AttemptCommand> commands;
        private int attempt;
        private Optional<Result> result = Optional.empty();

        Job(BuildQueue.Granted lease) {
            this.lease = lease;
        }
    }

    private final String name;
    private final Network network;
    private final Supplier<Optional<Result>> ends;
    private final ActorRef<BuildQueue.WorkerNews> news;
    private final ActorRef<BuildEntity.Acknowledged> acknowledgements;
    private final Map<Long, Job> jobs = new LinkedHashMap<>();
    private final Map<Long, Set<Long>> heldAt = new HashMap<>();
    private int life;
    private long sequence;

    /** @param ends how an attempt ends, asked at each tick; empty: not yet */
    ScriptedWorker(String name, Network network, Supplier<Optional<Result>> ends) {
        this.name = name;
        this.network = network;
        this.ends = ends;
        this.news = receiver(this::onNews);
        this.acknowledgements = receiver(acknowledged -> jobs.remove(acknowledged.fence()));
    }

    /** Says to all whatever there is to say. */
    synchronized void tick() {
        heldAt.put(++sequence, Set.copyOf(jobs.keySet()));
        network.queue()
                .accept(new BuildQueue.Ask(
                        news,
                        name,
                        "life " + life,
                        sequence,
                        SLOTS,
                        SLOTS - jobs.size(),
                        List.of("*"),
                        List.of("*"),
                        jobs.keySet()));
        for (Job job : new ArrayList<>(jobs.values())) {
            if (job.attempt > 0 && job.result.isEmpty()) {
                job.result = ends.get();
            }
            network.builds().accept(job.lease.key(), word(job));
        }
    }

    private BuildEntity.Command word(Job job) {
        long fence = job.lease.fence();
        if (job.attempt == 0) {
            return new BuildEntity.Start(job.lease.request(), fence, name, job.commands, job.answers);
        }
        return job.result.isPresent()
                ? new BuildEntity.Finished(job.attempt, fence, job.result.get(), acknowledgements)
                : new BuildEntity.Report(job.attempt, fence, job.commands);
    }

    /** Its process dies and another one begins. */
    synchronized void restart() {
        life++;
        sequence = 0;
        jobs.clear();
        heldAt.clear();
    }

    private void onNews(BuildQueue.WorkerNews message) {
        if (message instanceof BuildQueue.Granted granted && !jobs.containsKey(granted.fence())) {
            if (jobs.size() >= SLOTS) {
                network.queue()
                        .accept(new BuildQueue.Return(granted.key(), granted.fence(), "no slot", Optional.empty()));
                return;
            }
            Job job = new Job(granted);
            job.answers = receiver(answer -> onAnswer(job, answer));
            job.commands = receiver(stop -> stop(job));
            jobs.put(granted.fence(), job);
        } else if (message instanceof BuildQueue.Renewed renewed) {
            for (long fence : heldAt.getOrDefault(renewed.sequence(), Set.of())) {
                if (!renewed.valid().contains(fence) && jobs.containsKey(fence)) {
                    stop(jobs.get(fence));
                }
            }
        }
    }

    private void onAnswer(Job job, StartAnswer answer) {
        if (job.attempt == 0) {
            if (answer instanceof StartAnswer.Start start) {
                job.attempt = start.attempt();
            } else {
                jobs.remove(job.lease.fence());
            }
        }
    }

    private void stop(Job job) {
        if (job.attempt == 0) {
            jobs.remove(job.lease.fence());
        } else if (job.result.isEmpty()) {
            job.result = Optional.of(new Result.HandedBack("stopped"));
        }
    }

    private <M> ActorRef<M> receiver(Consumer<M> on) {
        int born = life;
        Behavior<M> behavior = Behaviors.receiveMessage(message -> {
            network.send().accept(() -> {
                synchronized (this) {
                    // What was said to an earlier life reaches nobody, but for the two addresses that all lives share.
                    if (born == life || born == 0) {
                        on.accept(message);
                    }
                }
            });
            return Behaviors.same();
        });
        // Not by the test kit, whose own time-out is one of the timers that the test sets off.
        return network.system().systemActorOf(behavior, "receiver-" + RECEIVERS.incrementAndGet(), Props.empty());
    }
}
