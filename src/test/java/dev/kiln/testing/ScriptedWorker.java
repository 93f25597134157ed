package dev.kiln.testing;

import akka.actor.typed.ActorRef;
import akka.actor.typed.Behavior;
import akka.actor.typed.javadsl.AbstractBehavior;
import akka.actor.typed.javadsl.ActorContext;
import akka.actor.typed.javadsl.Behaviors;
import akka.actor.typed.javadsl.Receive;
import akka.actor.typed.javadsl.TimerScheduler;
import dev.kiln.build.AttemptCommand;
import dev.kiln.build.BuildEntity;
import dev.kiln.build.BuildQueue;
import dev.kiln.build.BuildState.Result;
import dev.kiln.build.BuildState.StartAnswer;
import dev.kiln.build.ShardedBuilds;
import dev.kiln.oci.BuildKey;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletionStage;
import java.util.function.Function;

/** A worker that keeps to the protocol but builds nothing: a test says how each attempt ends, and when. */
public final class ScriptedWorker extends AbstractBehavior<ScriptedWorker.Message> {
    private static final int SLOTS = 100;

    public sealed interface Message {}

    private record News(BuildQueue.WorkerNews news) implements Message {}

    private record Ended(long fence) implements Message {}

    private enum Tick implements Message {
        ASK
    }

    private final ShardedBuilds builds;
    private final Function<BuildKey, CompletionStage<Result>> work;
    private final ActorRef<BuildQueue.WorkerNews> news;
    private final Map<Long, BuildKey> held = new HashMap<>();
    private long sequence;

    /** @param work called when an attempt starts */
    public static Behavior<Message> create(
            ShardedBuilds builds, Duration ask, Function<BuildKey, CompletionStage<Result>> work) {
        return Behaviors.setup(
                context -> Behaviors.withTimers(timers -> new ScriptedWorker(context, timers, builds, ask, work)));
    }

    private ScriptedWorker(
            ActorContext<Message> context,
            TimerScheduler<Message> timers,
            ShardedBuilds builds,
            Duration ask,
            Function<BuildKey, CompletionStage<Result>> work) {
        super(context);
        this.builds = builds;
        this.work = work;
        this.news = context.messageAdapter(BuildQueue.WorkerNews.class, News::new);
        timers.startTimerWithFixedDelay(Tick.ASK, Tick.ASK, ask);
        ask();
    }

    @Override
    public Receive<Message> createReceive() {
        return newReceiveBuilder()
                .onMessage(News.class, this::onNews)
                .onMessage(Ended.class, ended -> {
                    held.remove(ended.fence());
                    ask();
                    return this;
                })
                .onMessageEquals(Tick.ASK, () -> {
                    ask();
                    return this;
                })
                .build();
    }

    private void ask() {
        builds.tellQueue(new BuildQueue.Ask(
                news,
                "scripted",
                getContext().getSelf().path().toString(),
                ++sequence,
                SLOTS,
                SLOTS - held.size(),
                List.of("*"),
                List.of("*"),
                held.keySet()));
    }

    private Behavior<Message> onNews(News message) {
        if (message.news() instanceof BuildQueue.Granted granted
                && held.putIfAbsent(granted.fence(), granted.key()) == null) {
            getContext().spawnAnonymous(attempt(granted));
            ask();
        }
        return this;
    }

    private Behavior<Object> attempt(BuildQueue.Granted lease) {
        ActorRef<Message> worker = getContext().getSelf();
        return Behaviors.setup(context -> {
            ActorRef<AttemptCommand> commands = context.getSelf().narrow();
            builds.tell(
                    lease.key(),
                    new BuildEntity.Start(
                            lease.request(),
                            lease.fence(),
                            "scripted",
                            commands,
                            context.getSelf().narrow()));
            return Behaviors.receive(Object.class)
                    .onMessage(StartAnswer.Start.class, start -> {
                        context.pipeToSelf(
                                work.apply(lease.key()),
                                (result, failure) -> new BuildEntity.Finished(
                                        start.attempt(),
                                        lease.fence(),
                                        result,
                                        context.getSelf().narrow()));
                        return Behaviors.same();
                    })
                    .onMessage(BuildEntity.Finished.class, finished -> {
                        builds.tell(lease.key(), finished);
                        return Behaviors.same();
                    })
                    .onAnyMessage(over -> Behaviors.stopped(() -> worker.tell(new Ended(lease.fence()))))
                    .build();
        });
    }
}
