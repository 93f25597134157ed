package dev.kiln.http;

import akka.NotUsed;
import akka.stream.javadsl.Source;
import akka.util.ByteString;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import dev.kiln.blob.BlobStore;
import dev.kiln.blob.BuildLogs;
import dev.kiln.blob.Links;
import dev.kiln.blob.StagedBlob;
import dev.kiln.build.BuildFailure;
import dev.kiln.build.BuildHistory;
import dev.kiln.build.BuildStatus;
import dev.kiln.build.BuildTimes;
import dev.kiln.build.Builds;
import dev.kiln.build.Cause;
import dev.kiln.build.FailureClass;
import dev.kiln.build.PushAnswer;
import dev.kiln.build.PushToken;
import dev.kiln.build.QueueStatus;
import dev.kiln.catalog.BuildCatalog;
import dev.kiln.client.WaitPlan.Situation;
import dev.kiln.http.registry.Pushing;
import dev.kiln.image.Images;
import dev.kiln.image.IndexHistory;
import dev.kiln.image.Pull;
import dev.kiln.image.PullAnswer;
import dev.kiln.oci.BuildKey;
import dev.kiln.oci.Descriptor;
import dev.kiln.oci.Digest;
import dev.kiln.oci.MediaTypes;
import dev.kiln.oci.Platform;
import dev.kiln.oci.RepositoryName;
import dev.kiln.oci.Revision;
import dev.kiln.oci.Tag;
import dev.kiln.problem.Problem;
import dev.kiln.problem.ProblemCode;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.stream.Stream;

/** Everything the listeners answer from, in memory: the tag says what becomes of a pull. */
public final class Fakes implements Images, Builds, BuildCatalog, BuildHistory, BlobStore, Links, BuildLogs {
    static final String REVISION = "0123456789abcdef0123456789abcdef01234567";
    static final Platform AMD64 = Platform.of("linux/amd64");
    static final Platform ARM64 = Platform.of("linux/arm64/v8");
    static final RepositoryName APP = new RepositoryName("team/app");
    public static final BuildKey BUILD = BuildKey.of("team/app@" + REVISION + "@linux/amd64");
    static final String BUILD_ID = BUILD.id();
    static final BuildKey RUNNING = BuildKey.of("team/app@" + "1".repeat(40) + "@linux/amd64");
    static final BuildKey QUEUED = BuildKey.of("team/app@" + "2".repeat(40) + "@linux/amd64");
    static final Instant AT = Instant.parse("2026-11-23T10:00:00Z");
    static final Instant NOW = AT.plusSeconds(30);

    /** For a server none of whose repositories takes pushes. */
    public static final Pushing NOBODY_PUSHES = new Pushing(null, null, null, null, null, null, Duration.ZERO, null);

    static final byte[] LAYER = "0123456789".repeat(100).getBytes(StandardCharsets.US_ASCII);
    static final Digest LAYER_DIGEST = Digest.sha256(LAYER);
    static final Digest EMPTY_DIGEST = Digest.sha256(new byte[0]);
    static final Digest UNLINKED = Digest.sha256("a stranger's".getBytes(StandardCharsets.US_ASCII));

    static final PullAnswer.Served INDEX = served(MediaTypes.OCI_INDEX, "{\"index\":1}", List.of());
    static final PullAnswer.Served PARTIAL = served(MediaTypes.OCI_INDEX, "{\"index\":0}", List.of(ARM64));
    static final PullAnswer.Served MANIFEST = served(MediaTypes.DOCKER_MANIFEST, "{\"manifest\":1}", List.of());

    final List<Pull> pulls = new CopyOnWriteArrayList<>();
    final List<String> changes = new CopyOnWriteArrayList<>();
    final List<Filter> filters = new CopyOnWriteArrayList<>();
    final List<Digest> looked = new CopyOnWriteArrayList<>();
    final AtomicBoolean queueHangs = new AtomicBoolean();
    final AtomicBoolean tagsHang = new AtomicBoolean();
    final CompletableFuture<PullAnswer> held = new CompletableFuture<>();
    final Map<Digest, byte[]> blobs = new ConcurrentHashMap<>(Map.of(
            LAYER_DIGEST,
            LAYER,
            EMPTY_DIGEST,
            new byte[0],
            UNLINKED,
            "a stranger's".getBytes(StandardCharsets.US_ASCII),
            MANIFEST.descriptor().digest(),
            MANIFEST.bytes().toArray()));

    private static PullAnswer.Served served(String mediaType, String json, List<Platform> missing) {
        byte[] bytes = json.getBytes(StandardCharsets.US_ASCII);
        return new PullAnswer.Served(
                new Descriptor(mediaType, Digest.sha256(bytes), bytes.length), ByteString.fromArray(bytes), missing);
    }

    private static <T> CompletionStage<T> now(T value) {
        return CompletableFuture.completedFuture(value);
    }

    private static <T> CompletionStage<T> failed(Throwable failure) {
        return CompletableFuture.failedFuture(failure);
    }

    @Override
    public CompletionStage<PullAnswer> pull(Pull pull) {
        pulls.add(pull);
        return switch (pull.tag().value()) {
            case "latest" -> now(INDEX);
            case "partial" -> now(PARTIAL);
            case "single" -> now(MANIFEST);
            case "held" -> held;
            case "waiting" -> now(new PullAnswer.KeepWaiting("1.abc-_", "building \"40%\" of\r\nX-Evil: 1"));
            case "notyet" ->
                now(new PullAnswer.NotYet(
                        Situation.NOTHING_READY,
                        "still building linux/amd64: pull again",
                        Optional.of(BUILD),
                        Optional.empty()));
            case "awaited" ->
                now(new PullAnswer.NotYet(
                        Situation.AWAITED_NOT_READY,
                        "linux/arm64 building for 90 s, ETA 20 s; linux/amd64 queued for 110 s, ETA unknown; pull again",
                        Optional.of(BUILD),
                        Optional.empty()));
            case "full" ->
                now(new PullAnswer.NotYet(
                        Situation.QUEUE_FULL,
                        "the build queue is full: pull again",
                        Optional.empty(),
                        Optional.empty()));
            case "broken" ->
                now(new PullAnswer.BuildFailed(
                        "build of linux/amd64 failed: exit 2: no rule to make \"all\"", Optional.of(BUILD)));
            case "verbose" -> now(new PullAnswer.BuildFailed("é\n\t" + "x".repeat(1000), Optional.of(BUILD)));
            case "down" -> failed(new Problem(ProblemCode.UNAVAILABLE, "git does not answer: pull again in a minute"));
            case "bug" -> failed(new IllegalStateException("secret /etc/passwd"));
            case "thrown" -> throw new IllegalStateException("secret /etc/passwd");
            default -> failed(new Problem(ProblemCode.MANIFEST_UNKNOWN, "no ref or commit of that name"));
        };
    }

    @Override
    public CompletionStage<String> pointers(RepositoryName repository, Tag tag) {
        return tag.value().equals("nothing")
                ? failed(new Problem(ProblemCode.MANIFEST_UNKNOWN, "no ref or commit of that name"))
                : now("{\"pointers\":\"" + repository + ":" + tag + "\"}");
    }

    @Override
    public CompletionStage<IndexHistory> indexes(RepositoryName repository, Tag tag, Optional<Platform> platform) {
        if (tag.value().equals("nothing")) {
            return failed(new Problem(ProblemCode.MANIFEST_UNKNOWN, "no ref or commit of that name"));
        }
        IndexHistory.Index partial = new IndexHistory.Index(
                PARTIAL.descriptor(),
                List.of(AMD64),
                AT,
                Optional.of(new Cause("docker/29", "192.0.2.7", "linux/amd64 by path", "main")));
        IndexHistory.Index complete =
                new IndexHistory.Index(INDEX.descriptor(), List.of(AMD64, ARM64), AT.plusSeconds(9), Optional.empty());
        return now(new IndexHistory(
                new Revision(REVISION),
                List.of(platform.orElse(AMD64), ARM64),
                tag.value().equals("partial") ? List.of(partial) : List.of(partial, complete)));
    }

    @Override
    public CompletionStage<Optional<PullAnswer.Served>> manifest(RepositoryName repository, Digest digest) {
        return now(List.of(INDEX, PARTIAL, MANIFEST).stream()
                .filter(s -> s.descriptor().digest().equals(digest))
                .findFirst());
    }

    @Override
    public CompletionStage<List<Tag>> tags(RepositoryName repository, String after, int limit) {
        if (tagsHang.get()) {
            return new CompletableFuture<>();
        }
        return now(Stream.of("a", "b", "c", "v1.0")
                .filter(tag -> tag.compareTo(after) > 0)
                .limit(limit)
                .map(Tag::new)
                .toList());
    }

    @Override
    public CompletionStage<BuildStatus> status(BuildKey key) {
        if (key.equals(RUNNING) || key.equals(QUEUED)) {
            return now(underWay(key));
        }
        if (!key.equals(BUILD)) {
            return now(new BuildStatus(
                    key,
                    BuildStatus.Phase.NEW,
                    0,
                    0,
                    Optional.empty(),
                    Optional.empty(),
                    Optional.empty(),
                    Optional.empty(),
                    Optional.empty(),
                    Optional.empty()));
        }
        return now(failedBuild());
    }

    /** Of a platform whose builds usually wait for one minute and run for four. */
    private static BuildStatus underWay(BuildKey key) {
        boolean running = key.equals(RUNNING);
        return new BuildStatus(
                key,
                running ? BuildStatus.Phase.RUNNING : BuildStatus.Phase.QUEUED,
                1,
                running ? 1 : 0,
                Optional.of(AT),
                Optional.of(AT).filter(at -> running),
                Optional.empty(),
                Optional.empty(),
                Optional.empty(),
                Optional.empty());
    }

    private static BuildStatus failedBuild() {
        return new BuildStatus(
                BUILD,
                BuildStatus.Phase.FAILED,
                1,
                2,
                Optional.of(AT),
                Optional.of(AT.plusSeconds(1)),
                Optional.of(AT.plusSeconds(9)),
                Optional.empty(),
                Optional.empty(),
                Optional.of(new BuildFailure(FailureClass.SOURCE, "exit 2", AT.plusSeconds(9), Optional.empty())));
    }

    @Override
    public CompletionStage<BuildStatus> retry(BuildKey key, String by) {
        changes.add("retry " + key + " by " + by);
        return status(key);
    }

    @Override
    public CompletionStage<BuildStatus> cancel(BuildKey key, String by) {
        return failed(new Problem(ProblemCode.CONFLICT, "the build has ended: there is nothing to cancel"));
    }

    @Override
    public CompletionStage<PushAnswer> push(BuildKey key, PushToken token, Optional<Descriptor> manifest) {
        return now(new PushAnswer.Refused("no attempt of this build runs"));
    }

    @Override
    public CompletionStage<QueueStatus.Worker> drain(String worker, boolean drain, String by) {
        if (!worker.equals("node-1")) {
            return CompletableFuture.failedFuture(
                    new Problem(ProblemCode.NOT_FOUND, "no worker of that name has asked for work lately"));
        }
        changes.add((drain ? "drain " : "undrain ") + worker + " by " + by);
        return now(new QueueStatus.Worker(worker, 2, 1, List.of("*"), List.of("make"), drain));
    }

    @Override
    public CompletionStage<QueueStatus> queue() {
        if (queueHangs.get()) {
            return new CompletableFuture<>();
        }
        return now(new QueueStatus(
                List.of(
                        new QueueStatus.Entry(
                                BUILD,
                                1,
                                new Cause("docker/29", "192.0.2.7", "", "main"),
                                AT,
                                Optional.empty(),
                                Optional.of("node-1"),
                                Optional.of(7L),
                                true,
                                Optional.empty()),
                        new QueueStatus.Entry(
                                QUEUED,
                                1,
                                new Cause("docker/29", "192.0.2.7", "", "main"),
                                AT,
                                Optional.empty(),
                                Optional.empty(),
                                Optional.empty(),
                                true,
                                Optional.of(1))),
                List.of(new QueueStatus.Worker("node-1", 2, 1, List.of("*"), List.of("make"), false))));
    }

    @Override
    public CompletionStage<Page> list(Filter filter, int limit, Optional<String> after) {
        filters.add(filter);
        if (filter.phase().equals(Optional.of(BuildStatus.Phase.RUNNING))) {
            return now(
                    new Page(List.of(new Row(underWay(RUNNING), "make", "node-1", "", "", "main")), Optional.empty()));
        }
        return now(new Page(List.of(row()), after.isEmpty() ? Optional.of("next+page") : Optional.empty()));
    }

    private static Row row() {
        return new Row(failedBuild(), "make", "node-1", "docker/29", "192.0.2.7", "main");
    }

    @Override
    public CompletionStage<Optional<Row>> find(BuildKey key) {
        return now(Optional.of(row()));
    }

    @Override
    public CompletionStage<List<JsonNode>> events(BuildKey key) {
        var event = JsonNodeFactory.instance.objectNode().put("type", "requested");
        event.putObject("cause")
                .put("address", "192.0.2.7")
                .put("client", "docker/29")
                .put("reference", "main");
        return now(List.of(event));
    }

    @Override
    public Map<Platform, BuildTimes> known(RepositoryName repository) {
        return Map.of(AMD64, new BuildTimes(Duration.ofMinutes(1), Duration.ofMinutes(4)));
    }

    @Override
    public CompletionStage<Map<Platform, BuildTimes>> times(RepositoryName repository) {
        return now(known(repository));
    }

    @Override
    public OptionalLong size(Digest digest) {
        byte[] bytes = blobs.get(digest);
        return bytes == null ? OptionalLong.empty() : OptionalLong.of(bytes.length);
    }

    @Override
    public Source<ByteString, NotUsed> read(Digest digest, long offset, long length) {
        byte[] bytes = blobs.get(digest);
        return Source.single(ByteString.fromArray(bytes, (int) offset, (int) length));
    }

    @Override
    public InputStream open(Digest digest) {
        return new ByteArrayInputStream(blobs.get(digest));
    }

    @Override
    public StagedBlob stage() {
        throw new AssertionError("no request here stages a blob");
    }

    @Override
    public long free() {
        return Long.MAX_VALUE;
    }

    @Override
    public void publish(RepositoryName repository, Digest digest, Link link) {
        throw new AssertionError("no request here publishes a link");
    }

    @Override
    public Optional<Link> find(RepositoryName repository, Digest digest) throws IOException {
        looked.add(digest);
        if (digest.algorithm().equals("sha512")) {
            throw new IOException("disk /dev/sda is on fire");
        }
        return repository.equals(APP) && !digest.equals(UNLINKED)
                ? Optional.of(new Link(Kind.BLOB, MediaTypes.OCI_LAYER, 0, "index"))
                : Optional.empty();
    }

    @Override
    public OutputStream create(BuildKey key, int attempt) {
        throw new AssertionError("no request here writes a log");
    }

    @Override
    public boolean exists(BuildKey key, int attempt) {
        return key.equals(BUILD) && attempt <= 2;
    }

    @Override
    public CompletionStage<Boolean> isGrowingElsewhere(BuildKey key, int attempt) {
        return CompletableFuture.completedFuture(false);
    }

    @Override
    public boolean isGrowing(BuildKey key, int attempt) {
        return false;
    }

    @Override
    public Source<ByteString, NotUsed> read(BuildKey key, int attempt, long offset, boolean follow) {
        List<ByteString> lines =
                new ArrayList<>(List.of(ByteString.fromString("attempt " + attempt + " from " + offset + "\n")));
        Source<ByteString, NotUsed> log = Source.from(lines);
        return follow && offset == 99 ? log.concat(Source.maybe()) : log;
    }
}
