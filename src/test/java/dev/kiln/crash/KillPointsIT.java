package dev.kiln.crash;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kiln.crash.Installation.Builds;
import dev.kiln.oci.BuildKey;
import dev.kiln.testing.Breakpoint;
import dev.kiln.testing.JournalCheck;
import dev.kiln.testing.JournalReader;
import dev.kiln.testing.KillingJournal;
import dev.kiln.testing.PullClient;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.function.IntSupplier;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** {@code kill -9} at each of the nine steps of a first pull, and between their parts. */
class KillPointsIT {
    private static final int COUNTED_PULLS = 3;
    /** A pull composes an index of one platform too or not, as the builds end: it may publish fewer names than another. */
    private static final int MOST_TRIES = 10;

    private static final String NAMES = "dev.kiln.blob.DurableNames";
    private static final String PUBLISH = "publish";

    @TempDir
    Path directory;

    private Installation kiln;
    private int branches;

    @BeforeEach
    void install() {
        kiln = Installation.in(directory, Breakpoint.javaOptions());
        kiln.server.withClasses(KillingJournal.classes());
    }

    @AfterEach
    void close() {
        kiln.close();
    }

    /** What is pulled, once before a death and once after it. */
    private record Branch(String name, String revision) {}

    /** Where the server dies. */
    private sealed interface Point {
        /** When an event is written. */
        record Event(String name, int count, boolean after) implements Point {}

        /** When a method is entered. */
        record Call(String className, String method, int count) implements Point {}

        /** When the client has its answer. */
        record Answered() implements Point {}
    }

    private static List<Point> events(int most) {
        List<Point> points = new ArrayList<>();
        for (String event : List.of(
                "RefMeant",
                "RevisionOpened",
                "Enqueued",
                "Requested",
                "Granted",
                "AttemptStarted",
                "Built",
                "Removed",
                "IndexComposed")) {
            boolean once = event.equals("RefMeant") || event.equals("RevisionOpened");
            for (int count = 1; count <= (once ? 1 : most); count++) {
                points.add(new Point.Event(event, count, false));
                points.add(new Point.Event(event, count, true));
            }
        }
        return points;
    }

    /** Each blob and link, of the source archive, the images and the indexes, about to get its final name. */
    private static List<Point> names(int count, int step) {
        List<Point> points = new ArrayList<>();
        for (int nth = 1; nth <= count; nth += step) {
            points.add(new Point.Call(NAMES, PUBLISH, nth));
        }
        return points;
    }

    /** Each of the nine steps once, before its event is stored or after it, in turn; a name; and the answer. */
    @Test
    void nothingIsLostAtAnyStep() {
        List<Point> steps = events(1);
        List<Point> points = new ArrayList<>();
        for (int step = 0; step < steps.size() / 2; step++) {
            points.add(steps.get(2 * step + step % 2));
        }
        points.addAll(names(countNames(), 8));
        points.add(new Point.Call("dev.kiln.http.registry.ManifestRoutes", "render", 1));
        points.add(new Point.Answered());
        dieAt(points);
    }

    @Test
    @Tag("long")
    void nothingIsLostAtAnyStepOfEitherPlatform() {
        int names = countNames();
        List<Point> points = new ArrayList<>();
        for (int round = 0; round < 3; round++) {
            points.addAll(events(2));
            points.addAll(names(names, 1));
            points.add(new Point.Call("dev.kiln.http.registry.ManifestRoutes", "render", 1));
            points.add(new Point.Answered());
        }
        dieAt(points);
    }

    /** How many names a first pull publishes at least, when nothing ends it. Leaves the server killed. */
    private int countNames() {
        kiln.start(Builds.QUICK, "");
        // What all revisions have in common is published by the first one's alone.
        pullAndCompare(branch());
        IntSupplier published = Breakpoint.count(kiln.server, NAMES, PUBLISH);
        int least = Integer.MAX_VALUE;
        for (int i = 0; i < COUNTED_PULLS; i++) {
            int before = published.getAsInt();
            pullAndCompare(branch());
            least = Math.min(least, published.getAsInt() - before);
        }
        kiln.server.kill();
        assertThat(least)
                .as("blobs, manifests and links of two images and an index")
                .isGreaterThanOrEqualTo(10);
        return least;
    }

    private void dieAt(List<Point> points) {
        Branch branch = branch();
        kiln.start(Builds.QUICK, arm(points.get(0), branch));
        int tries = 1;
        for (int i = 0; i < points.size(); ) {
            Point point = points.get(i);
            boolean died = pullUntilDeath(point, branch);
            assertThat(died || (point instanceof Point.Call && tries < MOST_TRIES))
                    .as("%s was reached, try %s", point, tries)
                    .isTrue();
            if (branches % 2 == 0) {
                kiln.awaitNoProcesses();
            }
            Set<BuildKey> unfinished = JournalCheck.check(kiln.dataDir());
            i += died ? 1 : 0;
            tries = died ? 1 : tries + 1;
            // The next branch comes before the look-up whose answer stays fresh for a second.
            Branch next = i < points.size() ? branch() : branch;
            kiln.start(Builds.QUICK, i < points.size() ? arm(points.get(i), next) : "");
            unfinished.forEach(build -> kiln.awaitPhase(build, "built"));
            pullAndCompare(branch);
            System.out.println(point + (died ? "" : " (not reached)") + ": " + unfinished.size()
                    + " builds completed by themselves");
            branch = next;
        }
        kiln.server.kill();
        kiln.awaitNoProcesses();
        JournalReader journal = JournalReader.read(kiln.dataDir());
        assertThat(JournalCheck.check(journal, kiln.dataDir())).isEmpty();
        assertThat(journal.builds()).hasSize(2 * branches);
        System.out.println("died at " + points.size() + " points; journal of " + journal.rows() + " events");
    }

    private Branch branch() {
        String name = Integer.toString(branches++);
        return new Branch(name, kiln.branch(name));
    }

    private static String arm(Point point, Branch branch) {
        return point instanceof Point.Event event
                ? KillingJournal.at(event.name(), branch.revision(), event.count(), event.after())
                : "";
    }

    /** Whether the server died where it was meant to. */
    private boolean pullUntilDeath(Point point, Branch branch) {
        CompletableFuture<Void> reached = new CompletableFuture<>();
        if (point instanceof Point.Call call) {
            reached = Breakpoint.killAt(kiln.server, call.className(), call.method(), call.count());
        }
        String end = kiln.client
                .pull(branch.name())
                .handle((answer, failure) -> failure == null ? answer.status() + " " + answer.text() : "" + failure)
                .join();
        if (end.startsWith("200") && !(point instanceof Point.Event)) {
            // Also where the point was not reached: the answer itself is the next one.
            kiln.server.kill();
            return point instanceof Point.Answered || reached.isDone();
        }
        assertThat(end).as("the answer before %s", point).doesNotStartWith("4").doesNotStartWith("5");
        kiln.awaitDeath();
        return true;
    }

    private void pullAndCompare(Branch branch) {
        PullClient.Answer index = PullClient.join(kiln.client.pull(branch.name()));
        assertThat(index.status()).as(index.text()).isEqualTo(200);
        assertThat(index.revision()).isEqualTo(branch.revision());
        assertThat(index.children()).containsOnlyKeys(Installation.AMD64, Installation.ARM64);
        kiln.client.readAll(index);
        assertThat(kiln.client.readAllAgain()).isPositive();
    }
}
