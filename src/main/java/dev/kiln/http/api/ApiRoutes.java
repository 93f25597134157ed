package dev.kiln.http.api;

import akka.http.javadsl.model.HttpHeader;
import akka.http.javadsl.model.HttpResponse;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.kiln.build.BuildHistory;
import dev.kiln.build.BuildStatus;
import dev.kiln.build.Builds;
import dev.kiln.build.QueueStatus;
import dev.kiln.catalog.BuildCatalog;
import dev.kiln.http.wire.Call;
import dev.kiln.http.wire.Headers;
import dev.kiln.http.wire.OneLine;
import dev.kiln.http.wire.Query;
import dev.kiln.http.wire.Routes;
import dev.kiln.image.Dedup;
import dev.kiln.image.Images;
import dev.kiln.oci.BuildKey;
import dev.kiln.oci.Platform;
import dev.kiln.oci.RepositoryName;
import dev.kiln.problem.Problem;
import dev.kiln.problem.ProblemCode;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.time.InstantSource;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.function.Function;
import java.util.function.Supplier;
import java.util.regex.Pattern;

/**
 * Everything under /api/v1: builds, their logs, indexes and the queue for people and tools (docs/http-api.md). The queue is
 * shown, and anything changed, on the admin listener only, and nothing is changed by a browser: until there is a page of
 * Kiln's own, a request
 * that a browser makes there is somebody else's page reaching for a loopback port.
 */
public final class ApiRoutes implements Routes {
    private static final String PREFIX = "/api/v1/";

    private static final Set<String> LIST_PARAMETERS =
            Set.of("repository", "revision", "platform", "phase", "n", "after");
    private static final Pattern REVISION_PREFIX = Pattern.compile("[0-9a-f]{4,64}");
    private static final Pattern WORKER = Pattern.compile("[A-Za-z0-9][A-Za-z0-9._-]{0,127}");
    private static final int MAX_PAGE = 1000;
    private static final int DEFAULT_PAGE = 100;
    private static final int MAX_AFTER = 1024;
    private static final int MAX_OPERATOR = 64;

    private final Builds builds;
    private final BuildCatalog catalog;
    private final BuildHistory history;
    private final Supplier<Dedup.Counts> dedup;
    private final InstantSource clock;
    private final LogRoutes logs;
    private final IndexRoutes indexes;
    private final BuildJson json;
    private final boolean admin;

    /** @param admin whether this is the admin listener, which changes things and tells who asked */
    public ApiRoutes(
            Builds builds,
            BuildCatalog catalog,
            BuildHistory history,
            Supplier<Dedup.Counts> dedup,
            InstantSource clock,
            LogRoutes logs,
            Images images,
            boolean admin) {
        this.builds = builds;
        this.catalog = catalog;
        this.history = history;
        this.dedup = dedup;
        this.clock = clock;
        this.logs = logs;
        this.indexes = new IndexRoutes(images, admin);
        this.json = new BuildJson(admin);
        this.admin = admin;
    }

    @Override
    public CompletionStage<HttpResponse> handle(Call call) {
        String path = call.path().startsWith(PREFIX) ? call.path().substring(PREFIX.length()) : "";
        if (path.equals("builds")) {
            // GET /api/v1/builds?repository=&revision=&platform=&phase=&n=&after=
            return call.isRead() ? list(call) : wrongMethod("GET, HEAD");
        }
        if (path.equals("queue")) {
            // GET /api/v1/queue
            if (!admin) {
                throw new Problem(
                        ProblemCode.DENIED, "the queue is shown on the admin listener (kiln.admin), not here");
            }
            return call.isRead() ? queue() : wrongMethod("GET, HEAD");
        }
        if (path.equals("dedup")) {
            // GET /api/v1/dedup
            return call.isRead() ? completed(json.dedup(dedup.get())) : wrongMethod("GET, HEAD");
        }
        if (path.equals("indexes")) {
            // GET /api/v1/indexes?repository=&tag=&platform=
            return call.isRead() ? indexes.list(call) : wrongMethod("GET, HEAD");
        }
        String[] parts = path.split("/", 4);
        if (parts[0].equals("workers") && parts.length == 3) {
            return worker(call, parts[1], parts[2]);
        }
        if (!parts[0].equals("builds") || parts.length > 3) {
            throw new Problem(ProblemCode.NOT_FOUND, "no such endpoint: see docs/http-api.md");
        }
        BuildKey key = key(parts[1]);
        if (parts.length == 2) {
            // GET /api/v1/builds/{id}
            return call.isRead() ? build(key) : wrongMethod("GET, HEAD");
        }
        return switch (parts[2]) {
            // GET /api/v1/builds/{id}/log?attempt=&follow=&offset=
            case "log" -> call.isRead() ? logs.log(call, key) : wrongMethod("GET, HEAD");
            // POST /api/v1/builds/{id}/retry
            case "retry" -> change(call, by -> builds.retry(key, by).thenApply(json::status));
            // POST /api/v1/builds/{id}/cancel
            case "cancel" -> change(call, by -> builds.cancel(key, by).thenApply(json::status));
            default -> throw new Problem(ProblemCode.NOT_FOUND, "no such endpoint: see docs/http-api.md");
        };
    }

    private static CompletionStage<HttpResponse> completed(ObjectNode json) {
        return CompletableFuture.completedFuture(ProblemDetails.json(200, json, List.of()));
    }

    private CompletionStage<HttpResponse> worker(Call call, String name, String operation) {
        if (!WORKER.matcher(name).matches()) {
            throw new Problem(ProblemCode.REQUEST_INVALID, "that is no worker's name: kiln queue shows their names");
        }
        return switch (operation) {
            // POST /api/v1/workers/{name}/drain
            case "drain" -> change(call, by -> builds.drain(name, true, by).thenApply(json::worker));
            // POST /api/v1/workers/{name}/undrain
            case "undrain" -> change(call, by -> builds.drain(name, false, by).thenApply(json::worker));
            default -> throw new Problem(ProblemCode.NOT_FOUND, "no such endpoint: see docs/http-api.md");
        };
    }

    @Override
    public HttpResponse failed(Problem problem) {
        return ProblemDetails.of(problem);
    }

    private CompletionStage<HttpResponse> list(Call call) {
        Query query = call.query();
        query.allowOnly(LIST_PARAMETERS);
        BuildCatalog.Filter filter = new BuildCatalog.Filter(
                query.one("repository")
                        .map(text -> RepositoryName.parse(text)
                                .orElseThrow(() -> invalid("repository", "a repository's name"))
                                .value()),
                query.one("revision").map(text -> {
                    if (!REVISION_PREFIX.matcher(text).matches()) {
                        throw invalid("revision", "4 to 64 lower-case hex digits");
                    }
                    return text;
                }),
                query.one("platform")
                        .map(text -> Platform.parse(text)
                                .orElseThrow(() -> invalid("platform", Platform.FORM))
                                .toString()),
                query.one("phase").map(ApiRoutes::phase));
        int limit = query.one("n").map(ApiRoutes::limit).orElse(DEFAULT_PAGE);
        Optional<String> after = query.one("after");
        if (after.isPresent() && (after.get().isEmpty() || after.get().length() > MAX_AFTER)) {
            throw invalid("after", "the \"next\" of the page before");
        }
        return catalog.list(filter, limit, after).thenCompose(page -> {
            List<BuildKey> underWay = page.builds().stream()
                    .map(BuildCatalog.Row::status)
                    .filter(status ->
                            status.phase() == BuildStatus.Phase.QUEUED || status.phase() == BuildStatus.Phase.RUNNING)
                    .map(BuildStatus::key)
                    .toList();
            return Etas.of(history, clock, underWay).thenApply(etas -> page(query, page, etas));
        });
    }

    private CompletionStage<HttpResponse> queue() {
        return builds.queue().thenCompose(queue -> {
            List<BuildKey> waiting = queue.entries().stream()
                    .filter(entry -> entry.worker().isEmpty())
                    .map(QueueStatus.Entry::key)
                    .toList();
            return Etas.of(history, clock, waiting)
                    .thenApply(etas -> ProblemDetails.json(200, json.queue(queue, etas), List.of()));
        });
    }

    private HttpResponse page(Query query, BuildCatalog.Page page, Etas etas) {
        ObjectNode body = JsonNodeFactory.instance.objectNode();
        ArrayNode array = body.putArray("builds");
        page.builds().forEach(row -> array.add(json.row(row, etas)));
        page.next().ifPresent(next -> body.put("next", next));
        List<HttpHeader> links = page.next()
                .map(next -> {
                    String rest = query.without("after");
                    return List.of(Headers.of(
                            "Link",
                            "<" + PREFIX + "builds?" + rest + (rest.isEmpty() ? "" : "&") + "after="
                                    + URLEncoder.encode(next, StandardCharsets.UTF_8) + ">; rel=\"next\""));
                })
                .orElse(List.of());
        return ProblemDetails.json(200, body, links);
    }

    private CompletionStage<HttpResponse> build(BuildKey key) {
        return builds.status(key).thenCompose(status -> {
            if (status.phase() == BuildStatus.Phase.NEW) {
                throw new Problem(ProblemCode.NOT_FOUND, "no build of that id was ever requested");
            }
            return Etas.of(history, clock, List.of(key))
                    .thenCompose(etas -> catalog.find(key)
                            .thenCombine(
                                    catalog.events(key),
                                    (row, events) -> ProblemDetails.json(
                                            200, json.build(status, row, events, etas), List.of())));
        });
    }

    private CompletionStage<HttpResponse> change(Call call, Function<String, CompletionStage<ObjectNode>> operation) {
        if (!call.isPost()) {
            return wrongMethod("POST");
        }
        if (!admin) {
            throw new Problem(
                    ProblemCode.DENIED, "what changes something is asked of the admin listener (kiln.admin), not here");
        }
        if (call.header("origin").isPresent() || call.header("sec-fetch-site").isPresent()) {
            throw new Problem(
                    ProblemCode.DENIED, "requests of a browser change nothing here: use the kiln command, or curl");
        }
        String by = call.header("x-kiln-operator")
                .map(name -> OneLine.of(name, MAX_OPERATOR))
                .filter(name -> !name.isEmpty())
                .orElse("at " + call.address());
        return operation.apply(by).thenApply(after -> ProblemDetails.json(200, after, List.of()));
    }

    private static CompletionStage<HttpResponse> wrongMethod(String allow) {
        return CompletableFuture.completedFuture(ProblemDetails.of(
                ProblemCode.UNSUPPORTED, 405, "use " + allow + " here", List.of(Headers.allow(allow))));
    }

    private static BuildKey key(String id) {
        return BuildKey.parse(id)
                .orElseThrow(() -> new Problem(
                        ProblemCode.REQUEST_INVALID,
                        "that is no build's id: it has the form team~app@<full revision>@linux~amd64"));
    }

    private static BuildStatus.Phase phase(String text) {
        for (BuildStatus.Phase phase : BuildStatus.Phase.values()) {
            if (phase.name().equalsIgnoreCase(text)) {
                return phase;
            }
        }
        throw invalid("phase", "queued, running, built or failed");
    }

    private static int limit(String text) {
        if (text.matches("[0-9]{1,6}")) {
            int n = Integer.parseInt(text);
            if (n >= 1 && n <= MAX_PAGE) {
                return n;
            }
        }
        throw invalid("n", "a whole number from 1 to " + MAX_PAGE);
    }

    private static Problem invalid(String parameter, String form) {
        return new Problem(ProblemCode.REQUEST_INVALID, "the parameter " + parameter + " must be " + form);
    }
}
