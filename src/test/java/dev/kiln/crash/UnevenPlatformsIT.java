package dev.kiln.crash;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kiln.crash.Installation.Builds;
import dev.kiln.oci.BuildKey;
import dev.kiln.oci.Digest;
import dev.kiln.testing.JournalCheck;
import dev.kiln.testing.PullClient;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** One platform is built at once, the other late, never, or not at all. */
class UnevenPlatformsIT {
    private static final String FOR_AMD64 = "?platform=linux/amd64";
    private static final String FOR_ARM64 = "?platform=linux/arm64";

    @TempDir
    Path directory;

    @Test
    void thePlatformThatIsReadyIsServedAndEveryIndexStays() {
        try (Installation kiln = Installation.in(directory)) {
            String revision = kiln.branch("main");
            kiln.start(Builds.gated(Installation.ARM64), "");

            PullClient.Answer partial = PullClient.join(kiln.client.pull("main" + FOR_AMD64));
            assertThat(partial.status()).isEqualTo(200);
            assertThat(partial.children()).containsOnlyKeys(Installation.AMD64);
            assertThat(partial.header("X-Kiln-Missing-Platforms")).isEqualTo(Installation.ARM64);
            kiln.client.readAll(partial);
            assertThat(kiln.status(Installation.build(revision, Installation.ARM64))
                            .path("phase")
                            .asText())
                    .isEqualTo("running");
            // As Docker asks: by its User-Agent alone.
            PullClient.Answer docker = PullClient.join(
                    kiln.client.pull("main", "User-Agent", "docker/28.0 go/go1.24 kernel/6 os/linux arch/amd64"));
            assertThat(docker.digest()).isEqualTo(partial.digest());

            kiln.open(revision, Installation.ARM64);
            PullClient.Answer complete = PullClient.join(kiln.client.pull("main" + FOR_ARM64));
            assertThat(complete.children()).containsOnlyKeys(Installation.AMD64, Installation.ARM64);
            assertThat(complete.children()).containsAllEntriesOf(partial.children());
            assertThat(complete.digest()).isNotEqualTo(partial.digest());
            kiln.client.readAll(complete);
            bothStay(kiln, partial.digest(), complete.digest());

            kiln.server.kill();
            assertThat(JournalCheck.check(kiln.dataDir())).isEmpty();
            kiln.start(Builds.QUICK, "");
            bothStay(kiln, partial.digest(), complete.digest());
            assertThat(PullClient.join(kiln.client.pull("main" + FOR_AMD64)).digest())
                    .as("an index never shrinks")
                    .isEqualTo(complete.digest());
        }
    }

    private static void bothStay(Installation kiln, Digest partial, Digest complete) {
        assertThat(PullClient.join(kiln.client.pull(partial.value())).digest()).isEqualTo(partial);
        assertThat(PullClient.join(kiln.client.pull(complete.value())).digest()).isEqualTo(complete);
        kiln.client.readAllAgain();
    }

    @Test
    void aPlatformThatNeverEndsDelaysNobodyElse() {
        try (Installation kiln = Installation.in(directory)) {
            String revision = kiln.branch("main");
            kiln.start(
                    Builds.gated(Installation.ARM64),
                    "kiln.repository-defaults { partial-after = 1ms, hop = 1s, patience = 3s }");
            PullClient.Answer hinted;
            do {
                hinted = PullClient.join(kiln.client.pull("main" + FOR_AMD64));
            } while (hinted.status() == 429);
            assertThat(hinted.children()).containsOnlyKeys(Installation.AMD64);
            PullClient.Answer unhinted = PullClient.join(kiln.client.pull("main"));
            assertThat(unhinted.digest()).isEqualTo(hinted.digest());
            PullClient.Answer waiting = PullClient.join(kiln.client.pull("main" + FOR_ARM64));
            assertThat(waiting.status()).as(waiting.text()).isEqualTo(429);
            assertThat(waiting.header("Retry-After")).isNotEmpty();
            assertThat(kiln.status(Installation.build(revision, Installation.ARM64))
                            .path("attempt")
                            .asInt())
                    .isEqualTo(1);
        }
    }

    @Test
    void aPlatformThatFailsHidesNobodyElse() {
        try (Installation kiln = Installation.in(directory)) {
            String revision = kiln.branch("main");
            kiln.start(Builds.failing("linux/arm64/v8=1"), "");
            PullClient.Answer index = PullClient.join(kiln.client.pull("main"));
            assertThat(index.status()).as(index.text()).isEqualTo(200);
            assertThat(index.children()).containsOnlyKeys(Installation.AMD64);
            assertThat(PullClient.join(kiln.client.pull("main" + FOR_AMD64)).digest())
                    .isEqualTo(index.digest());
            PullClient.Answer failed = PullClient.join(kiln.client.pull("main" + FOR_ARM64));
            assertThat(failed.status()).isEqualTo(424);
            BuildKey build = Installation.build(revision, Installation.ARM64);
            assertThat(failed.text()).contains("MANIFEST_UNKNOWN", Installation.ARM64, build.id());
        }
    }

    @Test
    void aPullKeepsItsRevisionOverAllItsHops() {
        try (Installation kiln = Installation.in(directory)) {
            String first = kiln.branch("main");
            kiln.start(
                    Builds.gated(Installation.AMD64, Installation.ARM64),
                    "kiln.worker.slots = 4\nkiln.repository-defaults { hop = 2s, patience = 20s }");
            hopUntilBegun(kiln, first);
            // what it means is known from the beginning of this one
            PullClient.Answer held = hop(kiln);

            String second = kiln.commit("moved");
            kiln.origin.ref("refs/heads/main", second);
            // Until the server has seen the branch move: it is then the new revision's builds that start.
            PullClient.Answer fresh = hopUntilBegun(kiln, second);
            for (String platform : new String[] {Installation.AMD64, Installation.ARM64}) {
                kiln.open(first, platform);
                kiln.open(second, platform);
            }
            PullClient.Answer old =
                    PullClient.join(kiln.client.follow(held.header("Location"), 1, "Accept", PullClient.INDEX));
            assertThat(old.revision()).isEqualTo(first);
            PullClient.Answer now =
                    PullClient.join(kiln.client.follow(fresh.header("Location"), 1, "Accept", PullClient.INDEX));
            assertThat(now.revision()).isEqualTo(second);
        }
    }

    private static PullClient.Answer hop(Installation kiln) {
        PullClient.Answer hop =
                PullClient.join(kiln.client.request("GET", kiln.server.registry(), kiln.client.manifests("main")));
        assertThat(hop.status()).isEqualTo(307);
        return hop;
    }

    /** A slow machine may take longer than a hop to know what the branch means. */
    private static PullClient.Answer hopUntilBegun(Installation kiln, String revision) {
        PullClient.Answer hop;
        do {
            hop = hop(kiln);
        } while (kiln.status(Installation.build(revision, Installation.AMD64))
                .path("phase")
                .isMissingNode());
        return hop;
    }
}
