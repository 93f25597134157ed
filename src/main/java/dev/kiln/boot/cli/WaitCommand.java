package dev.kiln.boot.cli;

import dev.kiln.oci.Platform;
import java.io.IOException;
import java.io.PrintWriter;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletionService;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorCompletionService;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code kiln wait}. */
@Command(
        name = "wait",
        description = "Pulls an image by HEAD, which builds what is missing, and waits for the answer.",
        mixinStandardHelpOptions = true,
        exitCodeListHeading = "%nExit codes:%n",
        exitCodeList = {"0:it can be pulled", "1:it failed", "2:wrong command line", "3:the time is over"})
final class WaitCommand implements Callable<Integer> {
    private static final int FAILED = 1;
    private static final int TIMED_OUT = 3;
    private static final int MAX_PLATFORMS = 64;
    private static final Duration TICK = Duration.ofSeconds(1);

    @Mixin
    private ServerOptions options;

    @Option(
            names = "--platform",
            paramLabel = "OS/ARCH",
            converter = PlatformConverter.class,
            description = "Wait for this platform; may be repeated. Default: what a pull that says nothing waits for")
    private List<Platform> platforms = List.of();

    @Option(names = "--all", description = "Wait for every platform")
    private boolean all;

    @Option(
            names = "--timeout",
            paramLabel = "TIME",
            converter = Times.Converter.class,
            defaultValue = "1h",
            description = "Give up after this time, such as 90s or 30m (1h). The builds go on")
    private Duration timeout;

    @Parameters(paramLabel = "IMAGE", description = "Such as team/app:main")
    private String name;

    private final Clock clock;
    private final Pace pace;
    private final AtomicReference<String> revision = new AtomicReference<>("");

    WaitCommand(Clock clock, Pace pace) {
        this.clock = clock;
        this.pace = pace;
    }

    @Override
    public Integer call() throws IOException, InterruptedException {
        Api api = options.server();
        ImageName image = ImageName.parse(name, api.host())
                .orElseThrow(() -> options.usage("an image is named like team/app:main"));
        ExecutorService pulls = Executors.newCachedThreadPool(task -> {
            Thread thread = new Thread(task, "pull");
            thread.setDaemon(true);
            return thread;
        });
        try {
            return await(api, image, pulls);
        } finally {
            pulls.shutdownNow();
        }
    }

    private int await(Api api, ImageName image, ExecutorService threads) throws IOException, InterruptedException {
        CompletionService<Pulled> pulls = new ExecutorCompletionService<>(threads);
        Set<String> waiting = new HashSet<>();
        if (platforms.isEmpty()) {
            pull(api, image, Optional.empty(), pulls, waiting);
        }
        platforms.stream().distinct().forEach(platform -> pull(api, image, Optional.of(platform), pulls, waiting));
        Progress progress = new Progress(options.err(), CommandLine.Help.Ansi.AUTO.enabled());
        Instant deadline = clock.instant().plus(timeout);
        boolean failed = false;
        boolean spread = !all;
        while (!waiting.isEmpty()) {
            Future<Pulled> done = pulls.poll(TICK.toMillis(), TimeUnit.MILLISECONDS);
            progress.show(builds(api, image));
            if (done == null) {
                if (clock.instant().isBefore(deadline)) {
                    continue;
                }
                print(options.err(), image + ": not there after " + Times.text(timeout) + "; what is built goes on");
                return TIMED_OUT;
            }
            Pulled pulled = result(done);
            String what = pulled.what();
            waiting.remove(what);
            PullLoop.End end = pulled.end();
            if (end instanceof PullLoop.End.Failed failure) {
                print(options.err(), "kiln: " + what + ": " + failure.message());
                failed = true;
            } else if (end instanceof PullLoop.End.Available available) {
                boolean partial = !available.missing().isEmpty();
                if (partial && !spread) {
                    // by now the revision's platforms are fixed, so this happens once
                    spread = true;
                    available.missing().stream()
                            .limit(MAX_PLATFORMS)
                            .forEach(platform -> pull(api, image, Optional.of(platform), pulls, waiting));
                }
                print(
                        options.out(),
                        what + "  " + available.digest() + (partial ? "  without " + join(available) : ""));
            }
        }
        return failed ? FAILED : 0;
    }

    private void pull(
            Api api,
            ImageName image,
            Optional<Platform> platform,
            CompletionService<Pulled> pulls,
            Set<String> waiting) {
        String what = image + platform.map(p -> " " + p).orElse("");
        if (waiting.add(what)) {
            PullLoop loop = new PullLoop(api, image, platform, pace, revision::set);
            pulls.submit(() -> new Pulled(what, loop.run()));
        }
    }

    /** @param what as people are told */
    private record Pulled(String what, PullLoop.End end) {}

    private static Pulled result(Future<Pulled> done) throws IOException, InterruptedException {
        try {
            return done.get();
        } catch (ExecutionException e) {
            if (e.getCause() instanceof IOException unreachable) {
                throw unreachable;
            }
            throw new IllegalStateException("could not pull", e.getCause());
        }
    }

    /** The builds that are waited for, as far as the server tells: it is only shown, and decides nothing. */
    private List<Progress.Line> builds(Api api, ImageName image) throws InterruptedException {
        List<Progress.Line> lines = new ArrayList<>();
        try {
            BuildFinder finder = new BuildFinder(options, api);
            String known = revision.get();
            List<BuildView> builds = finder.list(image.repository().value(), known, Optional.empty());
            List<BuildView> shown = known.isEmpty() ? BuildFinder.ofTag(image, builds) : builds;
            Instant now = clock.instant();
            for (BuildView build : BuildFinder.newestRevision(shown)) {
                boolean wanted = platforms.isEmpty()
                        || platforms.stream().anyMatch(p -> p.toString().equals(build.platform()));
                if (wanted && lines.size() < MAX_PLATFORMS) {
                    lines.add(new Progress.Line(build.name(), build.phase() + build.attempt(), build.state(now)));
                }
            }
        } catch (IOException | ApiProblem e) {
            // the pull itself tells what is wrong
            return List.of();
        }
        return lines;
    }

    private static void print(PrintWriter to, String line) {
        to.println(line);
        to.flush();
    }

    private static String join(PullLoop.End.Available available) {
        return String.join(
                ", ", available.missing().stream().map(Platform::toString).toList());
    }
}
