package dev.kiln.blob;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import akka.NotUsed;
import akka.actor.testkit.typed.javadsl.ActorTestKit;
import akka.stream.Attributes;
import akka.stream.javadsl.Sink;
import akka.stream.javadsl.SinkQueueWithCancel;
import akka.stream.javadsl.Source;
import akka.util.ByteString;
import dev.kiln.oci.BuildKey;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class FileBuildLogsTest {
    private static final ActorTestKit AKKA = ActorTestKit.create();
    private static final BuildKey KEY = BuildKey.of("team/app@" + "a".repeat(40) + "@linux/arm64/v8");

    @TempDir
    Path root;

    private FileBuildLogs logs;

    @BeforeEach
    void open() throws IOException {
        logs = new FileBuildLogs(new BlobLayout(root), new DurableNames(root));
    }

    @AfterAll
    static void shutdown() {
        AKKA.shutdownTestKit();
    }

    @Test
    void aFollowerSeesEachWriteAndTheEnd() throws Exception {
        OutputStream log = logs.create(KEY, 1);
        SinkQueueWithCancel<ByteString> follower = follow(0);

        write(log, "one ");
        assertThat(next(follower).orElseThrow().utf8String()).isEqualTo("one ");
        write(log, "two ");
        assertThat(next(follower).orElseThrow().utf8String()).isEqualTo("two ");
        log.close();

        assertThat(next(follower)).isEmpty();
    }

    @Test
    void aFollowerThatDoesNotAskReadsLaterWhatWasWritten() throws Exception {
        try (OutputStream log = logs.create(KEY, 1)) {
            SinkQueueWithCancel<ByteString> slow = follow(0);
            for (int i = 0; i < 100; i++) {
                write(log, "0123456789".repeat(1000));
            }
            CompletableFuture<ByteString> whole = all(logs.read(KEY, 1, 0, false));
            assertThat(whole.get(30, TimeUnit.SECONDS).size()).isEqualTo(1_000_000);
            int read = 0;
            while (read < 1_000_000) {
                read += next(slow).orElseThrow().size();
            }
            assertThat(read).isEqualTo(1_000_000);
            slow.cancel();
        }
    }

    @Test
    void manyFollowersOfABusyLogMissNothing() throws Exception {
        List<CompletableFuture<ByteString>> ends = new ArrayList<>();
        StringBuilder written = new StringBuilder();
        try (OutputStream log = logs.create(KEY, 1)) {
            for (int i = 0; i < 2000; i++) {
                if (i % 100 == 0) {
                    ends.add(all(logs.read(KEY, 1, 0, true)));
                }
                write(log, "line " + i + "\n");
                written.append("line ").append(i).append('\n');
            }
        }
        for (CompletableFuture<ByteString> end : ends) {
            assertThat(end.get(30, TimeUnit.SECONDS).utf8String()).isEqualTo(written.toString());
        }
    }

    @Test
    void offsetsCount() throws Exception {
        try (OutputStream log = logs.create(KEY, 1)) {
            write(log, "0123456789");
            SinkQueueWithCancel<ByteString> ahead = follow(12);
            assertThat(read(4, false)).isEqualTo("456789");
            assertThat(read(10, false)).isEmpty();
            write(log, "abcd");
            assertThat(next(ahead).orElseThrow().utf8String()).isEqualTo("cd");
            ahead.cancel();
        }
    }

    @Test
    void aClosedLogIsCompleteAlsoAfterARestart() throws Exception {
        try (OutputStream log = logs.create(KEY, 1)) {
            write(log, "all of it");
        }
        assertThat(read(0, true)).isEqualTo("all of it");

        open();

        assertThat(logs.exists(KEY, 1)).isTrue();
        assertThat(read(0, true)).isEqualTo("all of it");
    }

    @Test
    void whatAKilledProcessWroteIsThere() throws Exception {
        write(logs.create(KEY, 1), "up to here");

        open();

        assertThat(read(0, true)).isEqualTo("up to here");
    }

    @Test
    void aNewLogTakesTheOldOnesPlace() throws Exception {
        OutputStream old = logs.create(KEY, 1);
        write(old, "old");
        SinkQueueWithCancel<ByteString> follower = follow(0);
        assertThat(next(follower).orElseThrow().utf8String()).isEqualTo("old");

        try (OutputStream log = logs.create(KEY, 1)) {
            assertThat(next(follower)).isEmpty();
            write(log, "new");
            assertThat(read(0, false)).isEqualTo("new");
            assertThatThrownBy(() -> write(old, "late")).isInstanceOf(IOException.class);
            old.close();
            SinkQueueWithCancel<ByteString> still = follow(3);
            write(log, "!");
            assertThat(next(still).orElseThrow().utf8String()).isEqualTo("!");
            still.cancel();
        }
    }

    @Test
    void whoLeavesASilentLogIsForgotten() throws Exception {
        List<String> woken = new ArrayList<>();
        Runnable stays = () -> woken.add("stays");
        Runnable leaves = () -> woken.add("leaves");
        try (OpenLog log = new OpenLog(root.resolve("log"), root, ended -> {})) {
            assertThat(log.await(log.turn(), stays)).isTrue();
            assertThat(log.await(log.turn(), leaves)).isTrue();
            log.leave(leaves);
            write(log, "x");
            write(log, "y");
            assertThat(log.await(0, stays)).isFalse();
        }
        assertThat(woken).containsExactly("stays");
    }

    @Test
    void aLogThatIsNotThereIsAnError() {
        assertThat(logs.exists(KEY, 2)).isFalse();
        assertThatThrownBy(() -> all(logs.read(KEY, 2, 0, true)).get(30, TimeUnit.SECONDS))
                .cause()
                .isInstanceOf(NoSuchFileException.class)
                .hasMessageContaining(KEY.toString())
                .hasMessageNotContaining(root.toString());
    }

    @Test
    void attemptsAndPlatformsHaveTheirOwn() throws Exception {
        logs.create(KEY, 1).close();

        assertThat(logs.exists(KEY, 1)).isTrue();
        assertThat(logs.exists(KEY, 11)).isFalse();
        assertThat(logs.exists(BuildKey.of("team/app@" + "a".repeat(40) + "@linux/amd64"), 1))
                .isFalse();
    }

    private SinkQueueWithCancel<ByteString> follow(long offset) {
        return logs.read(KEY, 1, offset, true)
                .runWith(Sink.<ByteString>queue().addAttributes(Attributes.inputBuffer(1, 1)), AKKA.system());
    }

    private static Optional<ByteString> next(SinkQueueWithCancel<ByteString> follower) throws Exception {
        return follower.pull().toCompletableFuture().get(30, TimeUnit.SECONDS);
    }

    private static CompletableFuture<ByteString> all(Source<ByteString, NotUsed> source) {
        return source.runWith(Sink.fold(ByteString.emptyByteString(), ByteString::concat), AKKA.system())
                .toCompletableFuture();
    }

    private String read(long offset, boolean follow) throws Exception {
        return all(logs.read(KEY, 1, offset, follow)).get(30, TimeUnit.SECONDS).utf8String();
    }

    private static void write(OutputStream log, String text) throws IOException {
        log.write(text.getBytes(StandardCharsets.UTF_8));
    }
}
