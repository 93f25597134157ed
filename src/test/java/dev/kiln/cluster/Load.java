package dev.kiln.cluster;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kiln.oci.Digest;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.Queue;
import java.util.Random;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;

/** Clients that pull through the load balancer without end, until they are told: what nobody has built yet, tags that are built,
 * and digests that were answered before. */
final class Load {
    private static final int CLIENTS = 24;

    private final ClusterLab lab;
    private final ExecutorService threads;
    private final long seed;
    final PersistentClient client;
    private final CopyOnWriteArrayList<String> branches = new CopyOnWriteArrayList<>();
    private final List<Known> known = new CopyOnWriteArrayList<>();
    final ConcurrentLinkedQueue<History.Pull> pulls = new ConcurrentLinkedQueue<>();
    private final AtomicBoolean over = new AtomicBoolean();
    /** Made before the first look-up, whose answer stays fresh for a while. */
    private final Queue<String> unpulled = new ConcurrentLinkedQueue<>();

    private final CountDownLatch ended = new CountDownLatch(CLIENTS);

    Load(ClusterLab lab, int maxRepeats, ExecutorService threads, ScheduledExecutorService timer, long seed) {
        this.lab = lab;
        this.threads = threads;
        this.seed = seed;
        client = new PersistentClient(maxRepeats, lab.registry(), ClusterLab.REPOSITORY, threads, timer);
    }

    /** @param fresh how many branches nobody has pulled yet */
    void start(int fresh) {
        for (int i = 0; i < fresh; i++) {
            unpulled.add("b" + i);
            lab.branch("b" + i);
        }
        branches.add(unpulled.remove());
        for (int i = 0; i < CLIENTS; i++) {
            Random random = new Random(seed + i + 1);
            threads.execute(() -> {
                try {
                    while (!over.get()) {
                        pullOne(random);
                    }
                } finally {
                    ended.countDown();
                }
            });
        }
    }

    private record Known(Digest digest, String platform) {}

    private void pullOne(Random random) {
        int kind = random.nextInt(10);
        String what = branches.get(random.nextInt(branches.size()));
        String platform = ClusterLab.PLATFORMS.get(random.nextInt(2));
        if (kind == 0 && !unpulled.isEmpty()) {
            String next = unpulled.poll();
            what = next == null ? what : next;
            branches.addIfAbsent(what);
        } else if (kind >= 5 && !known.isEmpty()) {
            Known one = known.get(random.nextInt(known.size()));
            what = one.digest().value();
            platform = one.platform();
        }
        try {
            known.add(new Known(client.pull(what, platform), platform));
            pulls.add(new History.Pull(what + " for " + platform, Optional.empty()));
        } catch (PersistentClient.NoImage e) {
            pulls.add(new History.Pull(
                    what + " for " + platform, Optional.of("at " + Instant.now() + " " + e.getMessage())));
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            over.set(true);
        }
    }

    void stop() throws InterruptedException {
        over.set(true);
        assertThat(ended.await(ClusterLab.SOON.toSeconds(), TimeUnit.SECONDS))
                .as("every pull ends")
                .isTrue();
    }
}
