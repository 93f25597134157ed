package dev.kiln.load;

import dev.kiln.load.Images.Image;
import dev.kiln.load.Options.Scenario;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;

/** One Kiln beside docker-registry and nginx, with the same image. */
final class OneNode {
    static final Set<Scenario> SCENARIOS =
            EnumSet.of(Scenario.MANIFEST, Scenario.BLOB, Scenario.PUSH, Scenario.FIRST, Scenario.HUGE);

    private static final int BLOB_CONNECTIONS = 4;
    private static final int SMALL_CONNECTIONS = 16;
    private static final long LAYER_BYTES = 64_000_000;
    private static final long SMALL_BYTES = 4_000;
    private static final long HUGE_BYTES = 1_000_000_000;

    private final Bench bench;
    private final Options options;
    private final Path work;
    private final Path git;
    private final Report report;

    OneNode(Bench bench) {
        this.bench = bench;
        this.options = bench.options();
        this.work = bench.work();
        this.git = bench.git();
        this.report = bench.report();
    }

    void measure() throws IOException, InterruptedException {
        for (String name : List.of("small", "large", "huge")) {
            Sources.create(git, name);
        }
        Server kiln = bench.running(Servers.kiln(options, work.resolve("kiln"), git));
        List<Server> servers = List.of(
                kiln,
                bench.running(Servers.dockerRegistry(work.resolve("registry"))),
                bench.running(Servers.nginx(work.resolve("nginx"))));
        if (options.scenarios().contains(Scenario.MANIFEST)) {
            manifests(servers);
        }
        if (options.scenarios().contains(Scenario.BLOB)) {
            blobs(servers);
        }
        if (options.scenarios().contains(Scenario.PUSH)) {
            pushes(servers.subList(0, 2));
        }
        if (options.scenarios().contains(Scenario.FIRST)) {
            firstPull(kiln);
        }
        if (options.scenarios().contains(Scenario.HUGE)) {
            huge(kiln);
        }
    }

    private void manifests(List<Server> servers) throws IOException, InterruptedException {
        Image image = share(servers, "small");
        compare("manifest by tag", servers, "/v2/small/manifests/main", image.indexDigest());
        compare("manifest by digest", servers, "/v2/small/manifests/" + image.indexDigest(), image.indexDigest());
    }

    private void compare(String title, List<Server> servers, String path, String digest)
            throws IOException, InterruptedException {
        Comparison comparison = new Comparison(title, "requests", 1);
        for (Server server : servers) {
            Images.verify(server, path, digest);
            bench.warmUp(server, slice -> Manifests.measure(slice, path, Bench.WARM_UP_SLICE));
        }
        bench.rounds(
                title,
                servers,
                server -> comparison.add(server.name(), Manifests.measure(server, path, options.seconds())));
        report.add(comparison);
        report.atLeast(12, comparison.ratio("kiln", "docker-registry"), title + ", requests/s of docker-registry");
        report.atLeast(0.4, comparison.ratio("kiln", "nginx"), title + ", requests/s of nginx");
    }

    private void blobs(List<Server> servers) throws IOException, InterruptedException {
        Image image = share(servers, "large");
        String path = "/v2/large/blobs/" + image.layerDigest();
        String title = "256 MB blob, " + BLOB_CONNECTIONS + " connections";
        Comparison comparison = new Comparison(title, "MB", 1e6);
        for (Server server : servers) {
            Images.verify(server, path, image.layerDigest());
            bench.warmUp(server, slice -> Blobs.measure(slice, path, BLOB_CONNECTIONS, Bench.WARM_UP_SLICE));
        }
        Server kiln = servers.get(0);
        kiln.forgetPeak();
        double before = kiln.residentBytes();
        bench.rounds(
                title,
                servers,
                server -> comparison.add(
                        server.name(), Blobs.measure(server, path, BLOB_CONNECTIONS, options.seconds())));
        report.add(comparison);
        report.note(
                "kiln's resident memory, %d connections: %.0f MB before, %.0f MB at most",
                BLOB_CONNECTIONS, before / 1e6, kiln.peakBytes() / 1e6);
        report.atLeast(0.6, comparison.ratio("kiln", "docker-registry"), title + ", bytes/s of docker-registry");
        flatMemory(kiln, path);
    }

    private void flatMemory(Server kiln, String path) throws IOException, InterruptedException {
        double few = peak(kiln, path, 5);
        double many = peak(kiln, path, 50);
        report.note(
                "kiln's resident memory: %.0f MB at most with 5 connections, %.0f MB with 50", few / 1e6, many / 1e6);
        report.atMost(1.2, many / few, "256 MB blob, peak memory with 50 connections over that with 5");
    }

    private void pushes(List<Server> servers) throws IOException, InterruptedException {
        push("push of 64 MB layers, " + BLOB_CONNECTIONS + " connections", servers, LAYER_BYTES, BLOB_CONNECTIONS, 0.6);
        push("push of 4 kB layers, " + SMALL_CONNECTIONS + " connections", servers, SMALL_BYTES, SMALL_CONNECTIONS, 1);
        Pushes huge = new Pushes(servers.get(0), "pushed/huge", HUGE_BYTES);
        double few = peak(huge, servers.get(0), 5);
        double many = peak(huge, servers.get(0), 50);
        report.note(
                "kiln's resident memory: %.0f MB at most with 5 pushers of 1 GB layers, %.0f MB with 50",
                few / 1e6, many / 1e6);
        report.atMost(1.2, many / few, "push of 1 GB layers, peak memory with 50 pushers over that with 5");
    }

    private void push(String title, List<Server> servers, long size, int connections, double target)
            throws IOException, InterruptedException {
        boolean large = size >= LAYER_BYTES;
        Comparison comparison = large ? new Comparison(title, "MB", 1e6) : new Comparison(title, "layers", 1);
        for (Server server : servers) {
            bench.warmUp(
                    server,
                    slice -> new Pushes(slice, "pushed/app", size).measure(connections, Bench.WARM_UP_SLICE, large));
        }
        bench.rounds(
                title,
                servers,
                server -> comparison.add(
                        server.name(),
                        new Pushes(server, "pushed/app", size).measure(connections, options.seconds(), large)));
        report.add(comparison);
        report.atLeast(target, comparison.ratio("kiln", "docker-registry"), title + ", of docker-registry");
    }

    private double peak(Pushes pushes, Server server, int connections) throws IOException, InterruptedException {
        server.forgetPeak();
        pushes.measure(connections, options.seconds(), true);
        return server.peakBytes();
    }

    private double peak(Server server, String path, int connections) throws IOException, InterruptedException {
        server.forgetPeak();
        Blobs.measure(server, path, connections, options.seconds());
        return server.peakBytes();
    }

    private void firstPull(Server kiln) throws IOException, InterruptedException {
        FirstPull scenario = new FirstPull(work.resolve("first"), git);
        List<Double> pulls = new ArrayList<>();
        List<Double> byHand = new ArrayList<>();
        List<Double> ratios = new ArrayList<>();
        for (int round = 0; round <= options.rounds(); round++) {
            FirstPull.Times times = scenario.measure(kiln, round);
            bench.say(
                    "first pull: %.2f s, by hand %.2f s%s%n",
                    times.pull(), times.byHand(), round == 0 ? " (warm-up)" : "");
            if (round > 0) {
                pulls.add(times.pull());
                byHand.add(times.byHand());
                ratios.add(times.pull() / times.byHand());
            }
        }
        report.note(
                "first pull of a build of about %d s: %.2f s; git clone, build and copy by hand: %.2f s",
                Sources.SLOW_SECONDS, Comparison.median(pulls), Comparison.median(byHand));
        report.atMost(1.3, Comparison.median(ratios), "first pull, time of clone, build and copy by hand");
    }

    private void huge(Server kiln) throws IOException, InterruptedException {
        kiln.forgetPeak();
        double before = kiln.residentBytes();
        long start = System.nanoTime();
        Image image = Images.pull(kiln, "huge");
        double built = (System.nanoTime() - start) / 1e9;
        long bytes = Images.verify(kiln, "/v2/huge/blobs/" + image.layerDigest(), image.layerDigest());
        double pulled = (System.nanoTime() - start) / 1e9 - built;
        report.note(
                "a layer of %.2f GB with a heap of 512 MB: built and taken in in %.1f s, pulled and hashed in %.1f s",
                bytes / 1e9, built, pulled);
        report.note("  kiln's resident memory: %.0f MB before, %.0f MB at most", before / 1e6, kiln.peakBytes() / 1e6);
        report.atMost(1.2, kiln.peakBytes() / before, "a layer of 2 GB, peak memory over that before");
    }

    /** Has Kiln build the image, and gives its bytes to the others. */
    private Image share(List<Server> servers, String name) throws IOException, InterruptedException {
        Server kiln = servers.get(0);
        Image image = Images.pull(kiln, name);
        Command.run(
                work,
                "skopeo",
                "copy",
                "--quiet",
                "--all",
                "--preserve-digests",
                "--src-tls-verify=false",
                "--dest-tls-verify=false",
                "docker://127.0.0.1:" + kiln.port() + "/" + name + ":main",
                "docker://127.0.0.1:" + servers.get(1).port() + "/" + name + ":main");
        Path www = work.resolve("nginx/www");
        String repository = "/v2/" + name;
        Images.save(kiln, repository + "/manifests/main", www);
        Images.save(kiln, repository + "/manifests/" + image.indexDigest(), www);
        Images.save(kiln, repository + "/blobs/" + image.layerDigest(), www);
        return image;
    }
}
