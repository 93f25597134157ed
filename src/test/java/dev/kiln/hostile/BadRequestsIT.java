package dev.kiln.hostile;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kiln.testing.Wire;
import java.io.IOException;
import java.nio.file.Path;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.time.Duration;
import java.util.List;
import java.util.stream.IntStream;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.MethodOrderer;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.TestMethodOrder;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Requests that nobody should make: each is told what is wrong with it, and leaves nothing behind. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
@TestMethodOrder(MethodOrderer.OrderAnnotation.class)
class BadRequestsIT {
    private static final String HEX = "0123456789abcdef".repeat(4);

    private Site site;

    @BeforeAll
    void start(@TempDir Path directory) {
        site = new Site(directory);
        site.branch("main", "echo content >l; image l");
        site.start(site.repository(""));
    }

    @AfterAll
    void end() {
        site.close();
    }

    @ParameterizedTest(name = "[{index}] {0} {1}")
    @Order(1)
    @CsvSource(delimiter = '|', textBlock = """
            /v2/UPPER/manifests/main                      | 400 | NAME_INVALID
            /v2/app..x/manifests/main                     | 400 | NAME_INVALID
            /v2/-app/manifests/main                       | 400 | NAME_INVALID
            /v2/../manifests/main                         | 400 | NAME_INVALID
            /v2/../app/manifests/main                     | 400 | NAME_INVALID
            /v2/app/../app/manifests/main                 | 400 | NAME_INVALID
            /v2/app//x/manifests/main                     | 400 | NAME_INVALID
            /v2/app%2Fx/manifests/main                    | 400 | NAME_INVALID
            /v2/%2e%2e/app/manifests/main                 | 400 | NAME_INVALID
            /v2/%2e%2e%2f%2e%2e%2fetc/manifests/passwd    | 400 | NAME_INVALID
            /v2/app%00/manifests/main                     | 400 | NAME_INVALID
            /v2/app\\x/manifests/main                     | 400 | *
            /v2/app/manifests/..                          | 400 | NAME_INVALID
            /v2/app/manifests/.hidden                     | 400 | NAME_INVALID
            /v2/app/manifests/-x                          | 400 | NAME_INVALID
            /v2/app/manifests/--upload-pack=touch         | 400 | NAME_INVALID
            /v2/app/manifests/main%2Fx                    | 400 | *
            /v2/app/manifests/%2e%2e                      | 400 | *
            /v2/app/manifests/main%0d%0aX:y               | 400 | *
            /v2/app/manifests/main%20                     | 400 | *
            /v2/app/manifests/refs/heads/main             | 404 | UNSUPPORTED
            /v2/app/manifests/sha256:abc                  | 400 | DIGEST_INVALID
            /v2/app/manifests/md5:abc                     | 400 | DIGEST_INVALID
            /v2/app/blobs/../../../etc/passwd             | 404 | UNSUPPORTED
            /v2/app/blobs/sha256:..%2f..%2fetc            | 400 | DIGEST_INVALID
            /v2/other/manifests/main                      | 404 | NAME_UNKNOWN
            /v2/app/manifests/no-such-tag                 | 404 | MANIFEST_UNKNOWN
            /v2/app/manifests/main?platform=linux/vax     | 400 | *
            /v2/app/manifests/main?platform=x             | 400 | *
            /v2/app/manifests/main?platform=%zz           | 400 | *
            /v2/app/manifests/main?platform=../..         | 400 | *
            /v2/app/manifests/no-such-tag?w=9.9.9.AAAA    | 404 | MANIFEST_UNKNOWN
            /v2/app/tags/list?n=-1                        | 400 | *
            /v2/app/tags/list?n=99999999999999999999      | 400 | *
            /v2                                           | 200 | -
            /                                             | 404 | -
            """)
    void answersWithAReason(String target, int status, String code) throws IOException {
        Wire.Answer answer = site.get(target);

        check(answer, status, code, target);
    }

    @Test
    @Order(1)
    void longTagsAndDigestsAreRefused() throws IOException {
        check(site.get("/v2/app/manifests/" + "a".repeat(129)), 400, "NAME_INVALID", "129 characters");
        check(site.get("/v2/app/manifests/" + "a".repeat(5_000)), 400, "NAME_INVALID", "5 KB");
        check(site.get("/v2/app/manifests/" + "a".repeat(10_240)), 414, "*", "10 KB");
        check(site.get("/v2/" + "a/".repeat(3_000) + "manifests/x"), 400, "NAME_INVALID", "6 KB of name");
        check(site.get("/v2/app/manifests/sha256-" + HEX + ".sig"), 404, "MANIFEST_UNKNOWN", "cosign's tag");
        check(site.get("/v2/app/manifests/sha256:" + HEX), 404, "MANIFEST_UNKNOWN", "unknown digest");
        check(site.get("/v2/app/blobs/sha256:" + HEX), 404, "BLOB_UNKNOWN", "unknown blob");
    }

    @Test
    @Order(1)
    void unknownPlatformsAreRefusedWithWhatThereIs() throws IOException {
        Wire.Answer answer = site.get("/v2/app/manifests/main", "X-Build-Platform: plan9/mips");

        check(answer, 400, "*", "a hint");
        assertThat(answer.text()).contains("linux/amd64").contains("linux/arm64");
    }

    @Test
    @Order(1)
    void hugeAndManyHeadersAreRefused() throws IOException {
        String[] many = IntStream.range(0, 200).mapToObj(i -> "X-" + i + ": y").toArray(String[]::new);
        check(site.get("/v2/app/manifests/main", many), 400, "*", "200 headers");
        check(site.get("/v2/app/manifests/main", "X: " + "y".repeat(40_000)), 431, "*", "40 KB in one header");
        check(site.get("/v2/app/manifests/main", "no colon here"), 400, "*", "no colon");
        check(site.get("/v2/app/manifests/main", "Content-Length: 4", "Content-Length: 5"), 400, "*", "two lengths");
        check(site.get("/v2/app/manifests/main", "Content-Length: -1"), 400, "*", "negative length");
        check(
                site.get("/v2/app/manifests/no-such-tag", "Range: " + "0-0,".repeat(2_000)),
                404,
                "MANIFEST_UNKNOWN",
                "8 KB of ranges");
    }

    @Test
    @Order(1)
    void otherMethodsChangeNothing() throws IOException {
        for (String method : List.of("PUT", "POST", "PATCH", "DELETE")) {
            Wire.Answer answer =
                    Site.request(method, site.server().registry(), "/v2/app/manifests/main", "Content-Length: 0");
            assertThat(answer.status()).as(method).isEqualTo(405);
        }
        Wire.Answer retry = Site.request(
                "POST",
                site.server().registry(),
                "/api/v1/builds/app@" + "0".repeat(40) + "@linux~amd64/retry",
                "Content-Length: 0");
        assertThat(retry.status()).isEqualTo(403);
    }

    @Test
    @Order(2)
    void nothingIsStartedOrLeft() throws Exception {
        assertThat(Site.json(site.get("/api/v1/builds")).at("/builds")).isEmpty();
        assertThat(site.files("store/repositories")).isEmpty();
        assertThat(site.files("store/blobs")).isEmpty();
        assertThat(site.server().log()).doesNotContain("ERROR");

        site.server().stop();
        String journal = "jdbc:h2:file:" + site.directory.resolve("data/journal")
                + ";MODE=PostgreSQL;DATABASE_TO_LOWER=TRUE;WRITE_DELAY=0;DB_CLOSE_ON_EXIT=FALSE";
        try (var connection = DriverManager.getConnection(journal, "kiln", "");
                ResultSet events = connection
                        .createStatement()
                        .executeQuery("select count(*) from event_journal where persistence_id not like 'shard%'")) {
            events.next();
            assertThat(events.getInt(1)).as("events").isZero();
        }
        site.server().start();
    }

    @Test
    @Order(3)
    void forgedAndReplayedHopsGainNothing() throws IOException {
        site.branch("slow", "sleep 1000");
        site.server().stop();
        site.server().configure(site.repository("hop = 1s, patience = 3s"));
        site.server().start();
        String first = site.get("/v2/app/manifests/slow?platform=linux/amd64").header("Location");
        assertThat(first).startsWith("/v2/app/manifests/slow?platform=linux/amd64&w=1.");

        assertThat(site.get(first).header("Location")).as("the next hop").contains("&w=2.");
        assertThat(site.get(first).header("Location")).as("replayed").contains("&w=2.");
        for (String forged : List.of(
                first.replace("w=1.", "w=0."),
                first.replace("w=1.", "w=2."),
                first.replace("w=1.", "w=-1."),
                first.replace("w=1.", "w=99999999999999999999."),
                first.replace("w=1.", "w="),
                first.replace("linux/amd64", "linux/arm64"),
                first.substring(0, first.length() - 3),
                first + "A",
                first + "%00",
                first.replaceAll("w=.*", "w=" + "A".repeat(4_000)),
                first.replaceAll("w=.*", "w=...."))) {
            assertThat(site.get(forged).header("Location")).as(forged).contains("&w=1.");
        }
        Wire.Answer last = site.get(site.get(first).header("Location"));
        assertThat(last.status()).as("at the end of patience").isEqualTo(429);
    }

    @Test
    @Order(4)
    void malformedRangesGetTheWholeAndImpossibleOnesA416() throws IOException {
        Wire.Answer index = Awaitility.await("more patience than the server is told to have here")
                .atMost(Duration.ofSeconds(60))
                .until(() -> site.pull("main?platform=linux/amd64"), answer -> answer.status() == 200);
        String blob = "/v2/app/blobs/" + site.layer(index);
        for (String range : List.of(
                "bytes=abc",
                "bytes=-",
                "bytes=--1",
                "bytes=1-2-3",
                "bytes=0-0,2-3",
                "lines=1-2",
                "bytes",
                "bytes=0x1-")) {
            Wire.Answer answer = site.get(blob, "Range: " + range);
            assertThat(answer.status()).as(range).isEqualTo(200);
            assertThat(answer.text()).as(range).isEqualTo("content\n");
        }
        for (String range : List.of(
                "bytes=8-",
                "bytes=5-2",
                "bytes=-0",
                "bytes=" + "9".repeat(30) + "-",
                "bytes=" + "9".repeat(9_000) + "-1")) {
            Wire.Answer answer = site.get(blob, "Range: " + range);
            assertThat(answer.status()).as(range).isEqualTo(416);
            assertThat(answer.header("Content-Range")).as(range).isEqualTo("bytes */8");
        }
        assertThat(site.get(blob, "Range: bytes=2-" + "9".repeat(30)).text()).isEqualTo("ntent\n");
    }

    /** {@code *}: any code of the specification; {@code -}: no error body is expected. */
    private void check(Wire.Answer answer, int status, String code, String what) throws IOException {
        assertThat(answer.status()).as(what + ": " + answer).isEqualTo(status);
        if (!code.equals("-")) {
            var error = Site.json(answer).at("/errors/0");
            assertThat(error.at("/message").asText()).as(what).isNotBlank().doesNotContain("\n");
            assertThat(error.at("/code").asText()).as(what).matches(code.equals("*") ? "[A-Z_]+" : code);
        }
        assertThat(site.get("/v2/").status()).as("after " + what).isEqualTo(200);
    }
}
