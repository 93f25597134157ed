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
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** {@code kill -9} at each of the nine steps of a first pull, and between their parts. */
class KillPointsIT {
    /** Blobs and links of the source archive, of two images and of their indexes, and a few more. */
    private static final int MOST_NAMES = 18;

    @TempDir
    Path directory;

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
    private static List<Point> names(int step) {
        List<Point> points = new ArrayList<>();
        for (int count = 1; count <= MOST_NAMES; count += step) {
            points.add(new Point.Call("dev.kiln.blob.DurableNames", "publish", count));
        }
        return points;
    }

    @Test
    void nothingIsLostAtAnyStep() {
        List<Point> points = new ArrayList<>(events(1));
        points.addAll(names(4));
        points.add(new Point.Call("dev.kiln.http.registry.ManifestRoutes", "render", 1));
        points.add(new Point.Answered());
        dieAt(points);
    }

    @Test
    @Tag("long")
    void nothingIsLostAtAnyStepOfEitherPlatform() {
        List<Point> points = new ArrayList<>();
        for (int round = 0; round < 3; round++) {
            points.addAll(events(2));
            points.addAll(names(1));
            points.add(new Point.Call("dev.kiln.http.registry.ManifestRoutes", "render", 1));
            points.add(new Point.Answered());
        }
        dieAt(points);
    }

    private void dieAt(List<Point> points) {
        int reached = 0;
        try (Installation kiln = Installation.in(directory, Breakpoint.JAVA_OPTION)) {
            kiln.server.withClasses(KillingJournal.classes());
            kiln.start(Builds.QUICK, arm(points.get(0), kiln.branch("0")));
            for (int i = 0; i < points.size(); i++) {
                Point point = points.get(i);
                String revision = kiln.commit(Integer.toString(i));
                boolean died = pullUntilDeath(kiln, point, Integer.toString(i));
                reached += died ? 1 : 0;
                assertThat(died || point instanceof Point.Call)
                        .as("%s was reached", point)
                        .isTrue();
                if (i % 2 == 0) {
                    kiln.awaitNoProcesses();
                }
                Set<BuildKey> unfinished = JournalCheck.check(kiln.dataDir());
                // The next branch comes before the look-up whose answer stays fresh for a second.
                kiln.start(
                        Builds.QUICK,
                        i + 1 < points.size() ? arm(points.get(i + 1), kiln.branch(Integer.toString(i + 1))) : "");
                unfinished.forEach(build -> kiln.awaitPhase(build, "built"));
                pullAndCompare(kiln, Integer.toString(i), revision);
                System.out.println(point + (died ? "" : " (not reached)") + ": " + unfinished.size()
                        + " builds completed by themselves");
            }
            kiln.server.kill();
            kiln.awaitNoProcesses();
            JournalReader journal = JournalReader.read(kiln.dataDir());
            assertThat(JournalCheck.check(journal, kiln.dataDir())).isEmpty();
            assertThat(journal.builds()).hasSize(2 * points.size());
            System.out.println("died at " + reached + " points; journal of " + journal.rows() + " events");
        }
    }

    private static String arm(Point point, String revision) {
        return point instanceof Point.Event event
                ? KillingJournal.at(event.name(), revision, event.count(), event.after())
                : "";
    }

    /** Whether the server died before or right after it answered. */
    private static boolean pullUntilDeath(Installation kiln, Point point, String branch) {
        if (point instanceof Point.Call call) {
            Breakpoint.killAt(kiln.server, call.className(), call.method(), call.count());
        }
        String end = kiln.client
                .pull(branch)
                .handle((answer, failure) -> failure == null ? answer.status() + " " + answer.text() : "" + failure)
                .join();
        if (end.startsWith("200") && !(point instanceof Point.Event)) {
            // Also where the point was not reached: the answer itself is the next one.
            kiln.server.kill();
            return point instanceof Point.Answered;
        }
        assertThat(end).as("the answer before %s", point).doesNotStartWith("4").doesNotStartWith("5");
        kiln.awaitDeath();
        return true;
    }

    private static void pullAndCompare(Installation kiln, String branch, String revision) {
        PullClient.Answer index = PullClient.join(kiln.client.pull(branch));
        assertThat(index.status()).as(index.text()).isEqualTo(200);
        assertThat(index.revision()).isEqualTo(revision);
        assertThat(index.children()).containsOnlyKeys(Installation.AMD64, Installation.ARM64);
        kiln.client.readAll(index);
        assertThat(kiln.client.readAllAgain()).isPositive();
    }
}
