package dev.kiln.http;

import static dev.kiln.http.Fakes.BUILD_ID;
import static dev.kiln.http.Fakes.EMPTY_DIGEST;
import static dev.kiln.http.Fakes.INDEX;
import static dev.kiln.http.Fakes.LAYER_DIGEST;
import static dev.kiln.http.Fakes.MANIFEST;
import static dev.kiln.http.Fakes.PARTIAL;
import static dev.kiln.http.Fakes.QUEUED;
import static dev.kiln.http.Fakes.RUNNING;
import static dev.kiln.http.Fakes.UNLINKED;
import static dev.kiln.http.Row.get;
import static dev.kiln.http.Row.row;
import static org.assertj.core.api.Assertions.assertThat;

import dev.kiln.testing.Wire;
import dev.kiln.testing.Wire.Answer;
import java.util.List;
import java.util.Locale;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Each row is one request and what must be in its answer, said in a sentence; every row goes over a real socket. */
class RequestTableTest {
    private static final String POINTERS = "application/vnd.dev.kiln.image.index.pointers.v1+json";

    private static TestServer server;

    @BeforeAll
    static void start() throws Exception {
        server = new TestServer();
    }

    @AfterAll
    static void stop() {
        server.close();
    }

    @Test
    void urlPointersAreForNobodyWhereTheExperimentIsOff() throws Exception {
        try (Wire wire = new Wire(server.startWithoutExperiments().publicPort())) {
            Answer answer = wire.request(
                    "GET",
                    "/v2/team/app/manifests/latest",
                    "Accept: " + POINTERS + ", application/vnd.oci.image.index.v1+json");
            assertThat(answer.header("Content-Type")).isEqualTo("application/vnd.oci.image.index.v1+json");
            assertThat(answer.header("Docker-Content-Digest")).startsWith("sha256:");
        }
    }

    @Test
    void whatMayChangeWithTheNextAnswerHasNoDigest() throws Exception {
        try (Wire wire = new Wire(server.port())) {
            Answer answer = wire.request("GET", "/v2/team/app/manifests/latest", "Accept: " + POINTERS);
            assertThat(answer.toString().toLowerCase(Locale.ROOT))
                    .contains("content-type: " + POINTERS)
                    .doesNotContain("docker-content-digest", "etag:");
        }
    }

    static Stream<Row> rows() {
        return Stream.of(
                        versionAndPaths(),
                        platformsInPaths(),
                        manifests(),
                        answers(),
                        blobs(),
                        lists(),
                        writes(),
                        malformed(),
                        api())
                .flatMap(rows -> rows);
    }

    private static Stream<Row> versionAndPaths() {
        String app = "/v2/team/app/manifests/";
        String hex = "0".repeat(64);
        return Stream.of(
                get("a ping is answered", "/v2/", 200)
                        .has("Docker-Distribution-Api-Version: registry/2.0", "{}", "Content-Type: application/json"),
                get("a ping without the slash too", "/v2", 200).has("{}"),
                row("a ping by HEAD too", "HEAD", "/v2/", 200).has("Content-Length: 2"),
                get("a ping with a query too", "/v2/?x=1", 200),
                get("another version is nobody's", "/v1/", 404).has("application/problem+json"),
                get("a longer word than v2 is nobody's", "/v2x/", 404).has("NOT_FOUND"),
                get("the root is nobody's", "/", 404),
                get("no endpoint is 404", "/v2/team/app", 404).has("\"UNSUPPORTED\""),
                get("no endpoint below a name either", "/v2/team/app/images/latest", 404)
                        .has("\"UNSUPPORTED\""),
                get("a catalog lists what has something", "/v2/_catalog", 200).has("\"repositories\":[\"team/app\"]"),
                get("a trailing slash names nothing", "/v2/team/app/manifests/latest/", 404),
                get("an upper-case name is outside the grammar", "/v2/Team/app/manifests/latest", 400)
                        .has("NAME_INVALID"),
                get("an empty name is outside the grammar", "/v2/manifests/latest", 400)
                        .has("NAME_INVALID"),
                get("a double slash is outside the grammar", "/v2/team//app/manifests/latest", 400)
                        .has("NAME_INVALID"),
                get("a leading double slash is outside the grammar", "/v2//team/app/manifests/latest", 400)
                        .has("NAME_INVALID"),
                get("a parent folder is no name", "/v2/team/../app/manifests/latest", 400)
                        .has("NAME_INVALID"),
                get("an encoded parent folder is no name", "/v2/team/%2e%2e/app/manifests/latest", 400)
                        .has("NAME_INVALID"),
                get("an encoded slash is no slash", "/v2/team%2Fapp/manifests/latest", 400)
                        .has("NAME_INVALID"),
                get("an encoded letter is no letter", "/v2/te%61m/app/manifests/latest", 400)
                        .has("NAME_INVALID"),
                get("an encoded NUL is no letter", "/v2/team/app%00/manifests/latest", 400)
                        .has("NAME_INVALID"),
                get("a name may end in no separator", "/v2/team/app-/manifests/latest", 400)
                        .has("NAME_INVALID"),
                get("a name of 256 characters is too long", "/v2/" + "a".repeat(256) + "/manifests/x", 400)
                        .has("NAME_INVALID"),
                get("a name that nobody configured is unknown", "/v2/other/app/manifests/latest", 404)
                        .has("NAME_UNKNOWN"),
                get("words of endpoints may be in names", "/v2/team/manifests/blobs/manifests/latest", 200),
                get("a tag that begins with - is none", app + "-rf", 400).has("NAME_INVALID"),
                get("a tag that begins with . is none", app + ".git", 400).has("NAME_INVALID"),
                get("a parent folder is no tag", app + "..", 400).has("NAME_INVALID"),
                get("a tag of 129 characters is too long", app + "a".repeat(129), 400)
                        .has("NAME_INVALID"),
                get("a tag of 1 KB is too long", app + "a".repeat(1024), 400).has("NAME_INVALID"),
                get("a tag of 10 KB is refused by its length", app + "a".repeat(10240), 414)
                        .has("UNSUPPORTED", "too long"),
                get("an empty reference is no tag", app, 400).has("NAME_INVALID"),
                get("an encoded slash is no tag", app + "a%2Fb", 400).has("DIGEST_INVALID"),
                get("a digest must be lower case", app + "sha256:" + "A".repeat(64), 400)
                        .has("DIGEST_INVALID"),
                get("a digest must be whole", app + "sha256:abc", 400).has("DIGEST_INVALID"),
                get("a digest must be one that can be checked", app + "md5:" + "0".repeat(32), 400)
                        .has("DIGEST_INVALID"),
                get("a long digest is none", app + "sha256:" + "0".repeat(1500), 400)
                        .has("DIGEST_INVALID"),
                get("a digest is unknown when nobody has it", app + "sha256:" + hex, 404)
                        .has("MANIFEST_UNKNOWN"),
                get("the absolute form is understood", "http://evil.example/v2/", 200)
                        .has("{}"));
    }

    private static Stream<Row> platformsInPaths() {
        String arm = "/v2/p/linux-arm64/";
        String app = arm + "team/app/";
        String digest = INDEX.descriptor().digest().value();
        return Stream.of(
                get("a tag below a platform is served", app + "manifests/latest", 200)
                        .has("Docker-Content-Digest: " + digest),
                get("a redirect stays below it", app + "manifests/waiting_linux-amd64?ns=x", 307)
                        .has("Location: " + app + "manifests/waiting_linux-amd64?ns=x&w=1.abc-_\n"),
                get("a platform that is not built is told what there is", "/v2/p/linux-s390x/team/app/manifests/x", 400)
                        .has("UNSUPPORTED", "path says linux/s390x", "linux/amd64, linux/arm64/v8"),
                get("a digest is served there", app + "manifests/" + digest, 200)
                        .has("{\"index\":1}"),
                get("whatever the platform", "/v2/p/linux-s390x/team/app/manifests/" + digest, 200),
                get("a blob too", app + "blobs/" + LAYER_DIGEST, 200).has("Content-Length: 1000"),
                get("tags too", app + "tags/list?n=2", 200)
                        .has("\"name\":\"team/app\"", "Link: <" + app + "tags/list?n=2&last=b>; rel=\"next\""),
                get("referrers too", app + "referrers/" + LAYER_DIGEST, 200).has("\"manifests\":[]"),
                row("a push is refused there too", "POST", app + "blobs/uploads/", 405)
                        .has("UNSUPPORTED"),
                get("a ping is answered there", arm, 200).has("{}"),
                get("without the slash too", "/v2/p/linux-arm64", 200).has("{}"),
                get("an unknown name is unknown there", arm + "other/app/manifests/latest", 404)
                        .has("NAME_UNKNOWN"),
                get("two platforms are one and a name", arm + "p/linux-amd64/team/app/manifests/latest", 404)
                        .has("NAME_UNKNOWN"),
                get("what is no platform is a name", "/v2/p/my-app/team/manifests/latest", 404)
                        .has("NAME_UNKNOWN"),
                get("an empty name is outside the grammar", arm + "manifests/latest", 400)
                        .has("NAME_INVALID"),
                get("a double slash too", arm + "/team/app/manifests/latest", 400)
                        .has("NAME_INVALID"),
                get("an encoded platform is no platform", "/v2/p/linux%2darm64/team/app/manifests/latest", 400)
                        .has("NAME_INVALID"));
    }

    private static Stream<Row> manifests() {
        String app = "/v2/team/app/manifests/";
        String digest = INDEX.descriptor().digest().value();
        String accept = "Accept: application/vnd.oci.image.index.v1+json";
        return Stream.of(
                get("a tag is served with its type, digest and length", app + "latest", 200)
                        .has(
                                "Docker-Content-Digest: " + digest,
                                "Content-Type: application/vnd.oci.image.index.v1+json\n",
                                "Content-Length: 11",
                                "ETag: \"" + digest + "\"",
                                "X-Content-Type-Options: nosniff",
                                "Cache-Control: private, no-cache",
                                "Vary: Accept, Authorization, User-Agent, X-Build-Platform, X-Meta-Build-Platform\n",
                                "{\"index\":1}"),
                row("HEAD tells the same", "HEAD", app + "latest", 200)
                        .has("Docker-Content-Digest: " + digest, "Content-Length: 11"),
                get("Docker's own type is kept", app + "single", 200)
                        .has("Content-Type: application/vnd.docker.distribution.manifest.v2+json\n"),
                get("a manifest is never compressed", app + "latest", 200)
                        .with("Accept-Encoding: gzip, zstd")
                        .has("Content-Length: 11", "{\"index\":1}"),
                get("a digest is served for ever", app + digest, 200)
                        .has("Cache-Control: public, max-age=31536000, immutable", "{\"index\":1}"),
                get("a digest's colon may be encoded", app + digest.replace(":", "%3A"), 200),
                get("in lower case too", app + digest.replace(":", "%3a"), 200),
                get("what a digest is asked with does not matter", app + digest + "?platform=bad/bad/bad/bad&w=x", 200),
                get("who has the digest needs no bytes", app + "latest", 304)
                        .with("If-None-Match: \"" + digest + "\"")
                        .has("ETag: \"" + digest + "\""),
                get("nor by digest", app + digest, 304).with("If-None-Match: W/\"x\", W/\"" + digest + "\""),
                get("nor with a star", app + "latest", 304).with("If-None-Match: *"),
                row("nor by HEAD", "HEAD", app + "latest", 304).with("If-None-Match: \"" + digest + "\""),
                get("who has another digest does", app + "latest", 200).with("If-None-Match: \"sha256:0\""),
                get("a part of a tag is not the tag", app + "latest", 200).with("If-None-Match: \"x\"" + digest + "\""),
                get("a partial index says so", app + "partial", 200)
                        .has(
                                "X-Kiln-Missing-Platforms: linux/arm64/v8",
                                "Warning: 299 - \"this index is incomplete: it lacks linux/arm64/v8\""),
                get("Accept lines do not hinder", app + "latest", 200).with(accept, "Accept: text/html"),
                get("a platform may be named", app + "latest?platform=linux/arm64", 200),
                get("encoded too", app + "latest?platform=linux%2Farm64%2Fv8", 200),
                get("in a header too", app + "latest", 200).with("X-Build-Platform: linux/amd64"),
                get("URL pointers are for who names them", app + "latest", 200)
                        .with("Accept: " + POINTERS + ", application/vnd.oci.image.index.v1+json")
                        .has(
                                "Content-Type: " + POINTERS + "\n",
                                "Cache-Control: no-store",
                                "Vary: Accept\n",
                                "{\"pointers\":\"team/app:latest\"}"),
                row("by HEAD too", "HEAD", app + "latest", 200)
                        .with("Accept: " + POINTERS)
                        .has("Content-Type: " + POINTERS + "\n", "Content-Length: 30"),
                get("by tag only", app + digest, 200)
                        .with("Accept: " + POINTERS)
                        .has("Content-Type: application/vnd.oci.image.index.v1+json\n"),
                get("of a tag that is known", app + "nothing", 404)
                        .with("Accept: " + POINTERS)
                        .has("MANIFEST_UNKNOWN"),
                get("an unknown platform is told what there is", app + "latest?platform=linux/s390x", 400)
                        .has("UNSUPPORTED", "linux/amd64, linux/arm64/v8", " 400 ?platform= says linux/s390x"),
                get("a malformed platform too", app + "latest", 400)
                        .with("X-Build-Platform: $(reboot)")
                        .has("UNSUPPORTED", "linux/amd64, linux/arm64/v8"),
                get("an empty platform too", app + "latest?platform=", 400).has("UNSUPPORTED"),
                get("two platforms too", app + "latest?platform=linux/amd64&platform=linux/arm64", 400)
                        .has("UNSUPPORTED", "name one"),
                get("in Docker's header too", app + "latest", 200).with("X-Meta-Build-Platform: linux/arm64"),
                get("two headers that disagree are refused", app + "latest", 400)
                        .with("X-Meta-Build-Platform: linux/arm64", "X-Build-Platform: linux/amd64")
                        .has("UNSUPPORTED", "X-Build-Platform names 2 platforms; name one"),
                get("a name's platform beats a bad parameter", app + "latest_linux-arm64?platform=bad", 200),
                get("a tag's unknown platform is part of the tag", app + "latest_linux-s390x", 404)
                        .has("MANIFEST_UNKNOWN"),
                get("credentials are not read", app + "latest", 200).with("Authorization: Basic bGludXgrczM5MHg6eA=="),
                get("no credentials are needed for a token, nor a token", "/token", 404)
                        .has("UNSUPPORTED"),
                get("a user agent never fails", app + "latest", 200).with("User-Agent: docker/29 os/plan9 arch/z80"),
                get("parameters of others do not hinder", app + "latest?ns=docker.io&x", 200),
                get("a hop of 2000 characters does not hinder", app + "latest?w=" + "a".repeat(1900), 200));
    }

    private static Stream<Row> answers() {
        String app = "/v2/team/app/manifests/";
        return Stream.of(
                get("who must wait is sent on", app + "waiting", 307)
                        .has(
                                "Location: " + app + "waiting?w=1.abc-_\n",
                                "Content-Length: 0",
                                "Cache-Control: no-store",
                                "Warning: 299 - \"building \\\"40%\\\" of X-Evil: 1\""),
                row("by HEAD too", "HEAD", app + "waiting", 307)
                        .has("Location: " + app + "waiting?w=1.abc-_\n", "Content-Length: 0"),
                get(
                                "with the other parameters as they came",
                                app + "waiting?platform=linux%2famd64&w=old&ns=a+b&&x",
                                307)
                        .has("Location: " + app + "waiting?platform=linux%2famd64&ns=a+b&x&w=1.abc-_\n"),
                get("without the hop however it is encoded", app + "waiting?%77=old", 307)
                        .has("Location: " + app + "waiting?w=1.abc-_\n"),
                get("by path alone", "http://evil.example" + app + "waiting", 307)
                        .has("Location: " + app + "waiting?w=1.abc-_\n"),
                get("who waited too long is told so in three places", app + "notyet", 429)
                        .with("User-Agent: curl/8.5.0")
                        .has(
                                "HTTP/1.1 429 still building linux/amd64: pull again\n",
                                "Retry-After: 15",
                                "TOOMANYREQUESTS",
                                "\"message\":\"still building linux/amd64: pull again; log: http://127.0.0.1:",
                                "Warning: 299 - \"still building linux/amd64: pull again; log: http://127.0.0.1:",
                                "\"build\":\"" + BUILD_ID + "\"",
                                "/api/v1/builds/" + BUILD_ID + "/log"),
                get("of several platforms the reason names the first, and what to do", app + "awaited", 429)
                        .has("HTTP/1.1 429 linux/arm64 building for 90 s, ETA 20 s; pull again\n"),
                get("a full queue has no build to show", app + "full", 429)
                        .has("Retry-After: 60\n", "HTTP/1.1 429 the build queue is full: pull again\n"),
                get("a failed build is told in three places", app + "broken", 424)
                        .has(
                                "HTTP/1.1 424 build of linux/amd64 failed: exit 2: no rule to make \"all\"\n",
                                "MANIFEST_UNKNOWN",
                                "Warning: 299 - \"build of linux/amd64 failed: exit 2: no rule to make \\\"all\\\"",
                                "Content-Type: application/json"),
                row("by HEAD too", "HEAD", app + "broken", 424).has("HTTP/1.1 424 build of linux/amd64 failed: exit 2"),
                get("an unknown tag is unknown", app + "nothing", 404)
                        .has("HTTP/1.1 404 Not Found", "MANIFEST_UNKNOWN", "no ref or commit of that name"),
                get("what is out of reach is not unknown", app + "down", 503)
                        .has("HTTP/1.1 503 git does not answer: pull again in a minute\n", "UNAVAILABLE"),
                get("a defect tells nothing of itself", app + "bug", 500)
                        .has("HTTP/1.1 500 Internal Server Error", "\"INTERNAL\""),
                get("nor when it is thrown", app + "thrown", 500).has("\"INTERNAL\""));
    }

    private static Stream<Row> blobs() {
        String app = "/v2/team/app/blobs/";
        String layer = app + LAYER_DIGEST;
        String tag = "\"" + LAYER_DIGEST + "\"";
        return Stream.of(
                get("a blob is served", layer, 200)
                        .has(
                                "Content-Type: application/octet-stream",
                                "Content-Length: 1000",
                                "Accept-Ranges: bytes",
                                "Docker-Content-Digest: " + LAYER_DIGEST,
                                "ETag: " + tag),
                row("HEAD tells the same", "HEAD", layer, 200).has("Content-Length: 1000"),
                get("an empty blob is served", app + EMPTY_DIGEST, 200).has("Content-Length: 0"),
                row("an empty blob by HEAD", "HEAD", app + EMPTY_DIGEST, 200).has("Content-Length: 0"),
                get("a manifest is a blob too", app + MANIFEST.descriptor().digest(), 200)
                        .has("Content-Type: application/octet-stream", "{\"manifest\":1}"),
                get("another repository's blob is unknown", app + UNLINKED, 404).has("BLOB_UNKNOWN"),
                get("a blob of an unknown repository too", "/v2/other/blobs/" + LAYER_DIGEST, 404)
                        .has("NAME_UNKNOWN"),
                get("a blob that left the store too", app + INDEX.descriptor().digest(), 404)
                        .has("BLOB_UNKNOWN"),
                get("a tag is no blob", app + "latest", 400).has("DIGEST_INVALID"),
                get("a store that fails says nothing of itself", app + "sha512:" + "0".repeat(128), 503)
                        .has("UNAVAILABLE"),
                get("a first part", layer, 206)
                        .with("Range: bytes=0-4")
                        .has("Content-Range: bytes 0-4/1000", "Content-Length: 5", "\n\n01234"),
                get("a middle part", layer, 206).with("Range: bytes=15-16").has("\n\n56"),
                get("an open part", layer, 206).with("Range: bytes=998-").has("bytes 998-999/1000", "\n\n89"),
                get("a last part", layer, 206).with("Range: bytes=-3").has("bytes 997-999/1000", "\n\n789"),
                get("a last part that is all", layer, 206)
                        .with("Range: bytes=-5000")
                        .has("bytes 0-999/1000"),
                get("a part that is too long is cut", layer, 206)
                        .with("Range: bytes=999-99999999999999999999999")
                        .has("bytes 999-999/1000"),
                get("a part behind the end is not there", layer, 416)
                        .with("Range: bytes=1000-")
                        .has("Content-Range: bytes */1000", "UNSUPPORTED"),
                get("far behind the end too", layer, 416).with("Range: bytes=99999999999999999999999-"),
                get("a last part of nothing is not there", layer, 416).with("Range: bytes=-0"),
                get("an empty blob has no parts", app + EMPTY_DIGEST, 416)
                        .with("Range: bytes=0-")
                        .has("Content-Range: bytes */0"),
                get("a part that ends before it begins is not there", layer, 416)
                        .with("Range: bytes=5-2"),
                get("several parts are the whole", layer, 200).with("Range: bytes=0-1,5-6"),
                get("two Range lines are the whole", layer, 200).with("Range: bytes=0-1", "Range: bytes=5-6"),
                get("another unit is the whole", layer, 200).with("Range: lines=0-1"),
                get("nonsense is the whole", layer, 200).with("Range: bytes=a-b"),
                get("a dash is the whole", layer, 200).with("Range: bytes=-"),
                get("signs are the whole", layer, 200).with("Range: bytes=--5"),
                row("a HEAD has no parts", "HEAD", layer, 200)
                        .with("Range: bytes=0-4")
                        .has("Content-Length: 1000"),
                get("a part of the same content", layer, 206).with("Range: bytes=0-4", "If-Range: " + tag),
                get("no part of other content", layer, 200).with("Range: bytes=0-4", "If-Range: \"x\""),
                get("nor of weakly the same", layer, 200).with("Range: bytes=0-4", "If-Range: W/" + tag),
                get("who has the blob needs no bytes", layer, 304).with("If-None-Match: " + tag));
    }

    private static Stream<Row> lists() {
        String tags = "/v2/team/app/tags/list";
        return Stream.of(
                get("tags are listed", tags, 200).has("{\"name\":\"team/app\",\"tags\":[\"a\",\"b\",\"c\",\"v1.0\"]}"),
                get("in pages", tags + "?n=2", 200)
                        .has("[\"a\",\"b\"]", "Link: </v2/team/app/tags/list?n=2&last=b>; rel=\"next\""),
                get("from a tag on", tags + "?n=2&last=b", 200).has("[\"c\",\"v1.0\"]"),
                get("from a tag that is none", tags + "?last=bb", 200).has("[\"c\",\"v1.0\"]"),
                get("nothing if nothing is asked for", tags + "?n=0", 200).has("\"tags\":[]"),
                get("all if more is asked for than there is", tags + "?n=999999999999", 200)
                        .has("\"v1.0\"]"),
                get("not if n is negative", tags + "?n=-1", 400).has("UNSUPPORTED"),
                get("not if n is no number", tags + "?n=ten", 400).has("UNSUPPORTED"),
                get("not if n is empty", tags + "?n=", 400).has("UNSUPPORTED"),
                get("not if n is beyond all numbers", tags + "?n=" + "9".repeat(50), 400)
                        .has("UNSUPPORTED"),
                get("not if n is given twice", tags + "?n=1&n=2", 400).has("UNSUPPORTED"),
                get("not of an unknown repository", "/v2/other/tags/list", 404).has("NAME_UNKNOWN"),
                row("by HEAD too", "HEAD", tags, 200).has("Content-Length: 47"),
                get("nobody refers to anything", "/v2/team/app/referrers/" + LAYER_DIGEST, 200)
                        .has("Content-Type: application/vnd.oci.image.index.v1+json\n", "\"manifests\":[]"),
                get("nor with a filter", "/v2/team/app/referrers/" + LAYER_DIGEST + "?artifactType=a", 200),
                get("a tag has no referrers", "/v2/team/app/referrers/latest", 400)
                        .has("DIGEST_INVALID"));
    }

    private static Stream<Row> writes() {
        String app = "/v2/team/app/";
        return Stream.of(
                row("a push is refused", "POST", app + "blobs/uploads/", 405).has("UNSUPPORTED", "Allow:"),
                row("a mount too", "POST", app + "blobs/uploads/?mount=a&from=b", 405)
                        .has("UNSUPPORTED"),
                row("a chunk too", "PATCH", app + "blobs/uploads/1234", 405).has("UNSUPPORTED"),
                row("an upload's state too", "GET", app + "blobs/uploads/1234", 405)
                        .has("UNSUPPORTED"),
                row("a manifest too", "PUT", app + "manifests/latest", 405)
                        .with("Content-Length: 0")
                        .has("UNSUPPORTED", "Allow: GET, HEAD"),
                row("a deletion too", "DELETE", app + "manifests/latest", 405).has("UNSUPPORTED", "Allow: GET, HEAD"),
                row("a blob's deletion too", "DELETE", app + "blobs/" + LAYER_DIGEST, 405)
                        .has("Allow: GET, HEAD"),
                row("options are none", "OPTIONS", "/v2/", 405).has("Allow: GET, HEAD"),
                row("a manifest with a body too", "PUT", app + "manifests/latest", 405)
                        .with("Content-Length: 1000000", "Expect: 100-continue")
                        .has("UNSUPPORTED", "Connection: close"));
    }

    private static Stream<Row> malformed() {
        String latest = "/v2/team/app/manifests/latest";
        return Stream.of(
                row("an unknown method is refused", "BREW", "/v2/", 501).has("UNSUPPORTED", "\"errors\""),
                get("a bad encoding is refused", "/v2/%zz/manifests/latest", 400)
                        .has("\"errors\""),
                get("a bad query is refused", latest + "?platform=%zz", 400).has("\"errors\""),
                get("a query with a bar is refused", latest + "?a|b", 400).has("\"errors\""),
                get("a control character is refused", "/v2/\u0001", 400).has("\"errors\""),
                get("a byte above ASCII is refused", "/v2/\u00ff", 400).has("\"errors\""),
                get("too many headers are refused", latest, 400)
                        .with(Stream.generate(() -> "X-A: b").limit(2000).toArray(String[]::new))
                        .has("\"errors\""),
                get("too large a header is refused", latest, 431)
                        .with("X-A: " + "b".repeat(70_000))
                        .has("too large"),
                get("two lengths are refused", latest, 400).with("Content-Length: 1", "Content-Length: 2"),
                get("a length and chunks are refused", latest, 400)
                        .with("Content-Length: 1", "Transfer-Encoding: chunked"),
                get("a length that is no number is refused", latest, 400).with("Content-Length: x"),
                get("a length of 2^63 is refused", latest, 400).with("Content-Length: 9223372036854775808"),
                get("a negative length is refused", latest, 400).with("Content-Length: -1"),
                get("a body on GET is not read", latest, 200)
                        .with("Content-Length: 18446744073709551620")
                        .has("Connection: close", "{\"index\":1}"));
    }

    private static Stream<Row> api() {
        String builds = "/api/v1/builds";
        String build = builds + "/" + BUILD_ID;
        return Stream.of(
                get("builds are listed", builds, 200)
                        .has(
                                "\"id\":\"" + BUILD_ID + "\"",
                                "\"phase\":\"failed\"",
                                "\"next\":\"next+page\"",
                                "Link: </api/v1/builds?after=next%2Bpage>; rel=\"next\""),
                get("with the filters kept in the link", builds + "?phase=failed&n=1", 200)
                        .has("Link: </api/v1/builds?phase=failed&n=1&after=next%2Bpage>"),
                get("to the last page", builds + "?after=next%2Bpage", 200),
                get(
                        "by repository, revision, platform",
                        builds + "?repository=team/app&revision=0123&platform=linux/arm64&phase=RUNNING",
                        200),
                get("not by a bad repository", builds + "?repository=Team", 400).has("application/problem+json"),
                get("not by a bad revision", builds + "?revision=main", 400),
                get("not by a bad platform", builds + "?platform=linux", 400),
                get("not by a bad phase", builds + "?phase=lost", 400).has("queued, running, built or failed"),
                get("not 0 at a time", builds + "?n=0", 400),
                get("not 1001 at a time", builds + "?n=1001", 400),
                get("not by what is no filter", builds + "?repo=x", 400).has("use after, n, phase, platform"),
                get("one build is shown", build, 200)
                        .has(
                                "\"failure\":{\"class\":\"source\",\"message\":\"exit 2\"",
                                "\"events\":[{",
                                "\"requestedAt\":\"2026-11-23T10:00:00Z\"",
                                "\"builder\":\"make\"",
                                "Cache-Control: no-store"),
                get("one that runs with when it is likely to be done", builds + "/" + RUNNING.id(), 200)
                        .has("\"eta\":{\"state\":\"estimated\",\"queueSeconds\":0,\"buildSeconds\":210}"),
                get("one that waits too", builds + "/" + QUEUED.id(), 200)
                        .has("\"eta\":{\"state\":\"estimated\",\"queueSeconds\":30,\"buildSeconds\":240}"),
                get("in a list too", builds + "?phase=running", 200)
                        .has("\"eta\":{\"state\":\"estimated\",\"queueSeconds\":0,\"buildSeconds\":210}"),
                get("in the queue too", "/api/v1/queue", 200)
                        .onAdmin()
                        .has("\"eta\":{\"state\":\"estimated\",\"queueSeconds\":30,\"buildSeconds\":240}"),
                get("to the admin with who asked", build, 200)
                        .onAdmin()
                        .has("\"address\":\"192.0.2.7\"", "\"client\":\"docker/29\""),
                get("a build that was never requested is unknown", build.replace("amd64", "arm64"), 404)
                        .has("NOT_FOUND", "application/problem+json"),
                get("an id that is none is refused", builds + "/nonsense", 400).has("REQUEST_INVALID"),
                get("an id with folders is refused", builds + "/../../etc/passwd", 404),
                get("an encoded id is none", builds + "/..%2f..%2fetc", 400),
                get("an id of 2 KB is none", builds + "/" + "a".repeat(1900), 400),
                get("what is under no name is not there", build + "/secrets", 404),
                get("nor what is below", build + "/log/1", 404),
                get("nor the root of the API", "/api/v1/", 404).has("application/problem+json"),
                get("nor another version", "/api/v2/builds", 404),
                get("the last attempt's log is shown", build + "/log", 200)
                        .has(
                                "Content-Type: text/plain; charset=UTF-8",
                                "X-Content-Type-Options: nosniff",
                                "X-Kiln-Attempt: 2",
                                "attempt 2 from 0"),
                get("another attempt's too", build + "/log?attempt=1&offset=7", 200)
                        .has("attempt 1 from 7"),
                get("a live log that ends", build + "/log?follow=true", 200).has("attempt 2 from 0"),
                row("a log by HEAD", "HEAD", build + "/log", 200).has("X-Kiln-Attempt: 2"),
                get("no log of no attempt", build + "/log?attempt=3", 404).has("NOT_FOUND"),
                get("no log of a build that never began", build.replace("amd64", "arm64") + "/log", 404),
                get("no attempt 0", build + "/log?attempt=0", 400),
                get("no attempt beyond numbers", build + "/log?attempt=99999999999", 400),
                get("no offset before the beginning", build + "/log?offset=-1", 400),
                get("no half following", build + "/log?follow=maybe", 400),
                get("the queue is shown to the admin, with who asked", "/api/v1/queue", 200)
                        .onAdmin()
                        .has(
                                "\"worker\":\"node-1\"",
                                "\"fence\":7",
                                "\"position\":1",
                                "\"drained\":false",
                                "192.0.2.7"),
                get("and to nobody else", "/api/v1/queue", 403).has("DENIED", "admin listener"),
                row("nor by another method", "POST", "/api/v1/queue", 403).has("DENIED"),
                row("the queue is not posted", "POST", "/api/v1/queue", 405)
                        .onAdmin()
                        .has("Allow: GET, HEAD"),
                get("how pulls share builds is counted", "/api/v1/dedup", 200)
                        .has("{\"started\":2,\"joined\":998,\"saved\":1998}"),
                row("the counts are not posted", "POST", "/api/v1/dedup", 405).has("Allow: GET, HEAD"),
                get("a tag's indexes are shown", "/api/v1/indexes?repository=team/app&tag=latest", 200)
                        .has(
                                "\"complete\":true,\"digest\":\""
                                        + INDEX.descriptor().digest(),
                                "\"missing\":[],\"indexes\":[{\"digest\":\""
                                        + PARTIAL.descriptor().digest(),
                                "\"platforms\":[\"linux/amd64\"],\"cause\":{\"hint\":\"linux/amd64 by path\",\"reference\":\"main\"}}",
                                "Cache-Control: no-store"),
                get("those of one that grows", "/api/v1/indexes?repository=team/app&tag=partial", 200)
                        .has("\"complete\":false", "\"missing\":[\"linux/arm64/v8\"]"),
                get(
                                "those of a flavour",
                                "/api/v1/indexes?repository=team/app&tag=latest&platform=linux/amd64+sse4",
                                200)
                        .has("\"platforms\":[\"linux/amd64+sse4\",\"linux/arm64/v8\"]"),
                get("to the admin with who asked", "/api/v1/indexes?repository=team/app&tag=latest", 200)
                        .onAdmin()
                        .has("\"cause\":{\"client\":\"docker/29\",\"address\":\"192.0.2.7\",\"hint\""),
                get("not of a tag that names nothing", "/api/v1/indexes?repository=team/app&tag=nothing", 404)
                        .has("application/problem+json", "MANIFEST_UNKNOWN"),
                get("not without a tag", "/api/v1/indexes?repository=team/app", 400)
                        .has("the parameter tag must be"),
                get("not of two tags", "/api/v1/indexes?repository=team/app&tag=a&tag=b", 400),
                get("not of a bad repository", "/api/v1/indexes?repository=Team&tag=a", 400),
                get("not for a bad platform", "/api/v1/indexes?repository=team/app&tag=a&platform=linux", 400),
                row("indexes are not changed", "POST", "/api/v1/indexes", 405).has("Allow: GET, HEAD"),
                row("a retry is the admin's", "POST", build + "/retry", 403).has("admin listener"),
                row("so is draining", "POST", "/api/v1/workers/node-1/drain", 403)
                        .has("admin listener"),
                row("the admin may drain", "POST", "/api/v1/workers/node-1/drain", 200)
                        .onAdmin()
                        .has("\"drained\":true"),
                row("and undrain", "POST", "/api/v1/workers/node-1/undrain", 200)
                        .onAdmin()
                        .has("\"drained\":false"),
                row("an unknown worker", "POST", "/api/v1/workers/node-9/drain", 404)
                        .onAdmin(),
                row("no worker's name", "POST", "/api/v1/workers/a%20b/drain", 400)
                        .onAdmin(),
                row("nothing else of a worker", "POST", "/api/v1/workers/node-1/shoot", 404)
                        .onAdmin(),
                get("draining is no GET", "/api/v1/workers/node-1/drain", 405).onAdmin(),
                row("a cancel is the admin's", "POST", build + "/cancel", 403).has("admin listener"),
                row("the admin may retry", "POST", build + "/retry", 200)
                        .onAdmin()
                        .has("\"phase\":\"failed\""),
                row("what cannot be cancelled says so", "POST", build + "/cancel", 409)
                        .onAdmin()
                        .has("CONFLICT", "there is nothing to cancel"),
                row("a browser may not", "POST", build + "/retry", 403)
                        .onAdmin()
                        .with("Origin: http://evil.example")
                        .has("DENIED"),
                row("not even its own page", "POST", build + "/retry", 403)
                        .onAdmin()
                        .with("Sec-Fetch-Site: same-origin"),
                get("a retry is no GET", build + "/retry", 405).onAdmin().has("Allow: POST"),
                row("a build is not deleted", "DELETE", build, 405).onAdmin().has("Allow: GET, HEAD"),
                get("the admin listener serves no images", "/v2/", 404).onAdmin(),
                get("it lives", "/health/live", 200).has("{\"status\":\"live\"}"),
                get("it is ready", "/health/ready", 200).onAdmin().has("{\"status\":\"ready\"}"),
                row("health is not posted", "POST", "/health/ready", 405).has("Allow: GET, HEAD"));
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("rows")
    void answers(Row row) throws Exception {
        Answer answer;
        try (Wire wire = new Wire(row.admin() ? server.adminPort() : server.port())) {
            answer = wire.request(row.method(), row.target(), row.headers().toArray(String[]::new));
        }
        String all = answer.statusLine() + "\n" + String.join("\n", answer.lines()) + "\n\n" + answer.text();
        assertThat(answer.status()).as(all).isEqualTo(row.status());
        assertThat(row.contains()).allSatisfy(part -> assertThat(all).contains(part));
        assertThat(all).doesNotContain("secret", "/etc/passwd", "/dev/sda", "Exception", "akka", "evil.example");
        List<String> warnings = answer.lines().stream()
                .filter(line -> line.startsWith("Warning: "))
                .toList();
        assertThat(warnings).allSatisfy(line -> assertThat(line).matches("Warning: 299 - \"(\\\\.|[^\"\\\\])*\""));
        assertThat(String.join("", warnings)).hasSizeLessThanOrEqualTo(4096);
        if (!row.admin()) {
            assertThat(all).doesNotContain("192.0.2.7");
        }
    }
}
