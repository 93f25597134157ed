package dev.kiln.http.registry;

import akka.http.javadsl.model.ContentType;
import akka.http.javadsl.model.ContentTypes;
import akka.http.javadsl.model.HttpEntities;
import akka.http.javadsl.model.HttpHeader;
import akka.http.javadsl.model.HttpResponse;
import akka.http.javadsl.model.StatusCodes;
import com.github.benmanes.caffeine.cache.Cache;
import com.github.benmanes.caffeine.cache.Caffeine;
import dev.kiln.build.Cause;
import dev.kiln.client.Hint;
import dev.kiln.client.Hints;
import dev.kiln.client.PlatformName;
import dev.kiln.client.Preference;
import dev.kiln.client.UsernameHint;
import dev.kiln.client.WaitPlan;
import dev.kiln.client.WaitPlan.FinalAnswer;
import dev.kiln.client.WaitPlan.Situation;
import dev.kiln.config.KilnConfig;
import dev.kiln.config.RepositoryConfig;
import dev.kiln.http.registry.RegistryPath.ManifestByTag;
import dev.kiln.http.wire.Accept;
import dev.kiln.http.wire.Call;
import dev.kiln.http.wire.EntityTags;
import dev.kiln.http.wire.ErrorResponses;
import dev.kiln.http.wire.Forwarding;
import dev.kiln.http.wire.Headers;
import dev.kiln.http.wire.OneLine;
import dev.kiln.image.Images;
import dev.kiln.image.Pull;
import dev.kiln.image.PullAnswer;
import dev.kiln.image.PullAnswer.BuildFailed;
import dev.kiln.image.PullAnswer.KeepWaiting;
import dev.kiln.image.PullAnswer.NotYet;
import dev.kiln.image.PullAnswer.Served;
import dev.kiln.image.PushedImages;
import dev.kiln.image.UnknownTag;
import dev.kiln.oci.BuildKey;
import dev.kiln.oci.Digest;
import dev.kiln.oci.ImageForm;
import dev.kiln.oci.MediaTypes;
import dev.kiln.oci.Platform;
import dev.kiln.oci.RepositoryName;
import dev.kiln.oci.Tag;
import dev.kiln.problem.Problem;
import dev.kiln.problem.ProblemCode;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;
import java.util.function.Function;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** Manifests by tag, which may build and wait, and by digest, which never do. */
final class ManifestRoutes {
    /** How much later than its hop a held request is given up: the answer at the end of the hop has its own way to go. */
    static final Duration GRACE = Duration.ofSeconds(10);

    private static final String HOP = "w";
    private static final int MAX_HOP = 1024;

    /** As a platform's name: every one, or no answer. */
    private static final String ALL = "all";

    private static final String HEADER = Hints.HEADER.toLowerCase(Locale.ROOT);
    private static final String META_HEADER = Hints.META_HEADER.toLowerCase(Locale.ROOT);

    private static final HttpHeader REVALIDATE = Headers.of("Cache-Control", "private, no-cache");

    /** Who pushed it may delete it. */
    private static final HttpHeader ANYBODYS_REVALIDATE = Headers.of("Cache-Control", "no-cache");

    private static final Map<String, ContentType> CONTENT_TYPES = Stream.of(
                    MediaTypes.OCI_INDEX, MediaTypes.OCI_MANIFEST, MediaTypes.DOCKER_LIST, MediaTypes.DOCKER_MANIFEST)
            .collect(Collectors.toUnmodifiableMap(Function.identity(), ContentTypes::parse));

    private final Images images;
    private final Supplier<String> publicUrl;
    private final Optional<String> publicHost;
    private final Forwarding forwarding;
    private final List<HttpHeader> caching;
    private final Pushing pushing;
    private final PushedImages pushed;

    /** The answers to hits, which are always the same. Each lives no longer than what it was made of. */
    private final Cache<Served, HttpResponse> byTag = answers();

    private final Cache<Served, HttpResponse> byDigest = answers();

    ManifestRoutes(
            Images images, Pushing pushing, KilnConfig.Http http, Forwarding forwarding, Supplier<String> publicUrl) {
        this.images = images;
        this.pushing = pushing;
        this.pushed = pushing.images();
        this.publicUrl = publicUrl;
        this.publicHost = http.publicHost();
        this.forwarding = forwarding;
        this.caching = List.of(REVALIDATE, Headers.of("Vary", vary(forwarding)));
    }

    /** Every header that may change an answer. */
    private static String vary(Forwarding forwarding) {
        return "Accept, Authorization, User-Agent, " + Hints.HEADER + ", " + Hints.META_HEADER
                + (forwarding.isUsed() ? ", Forwarded, X-Forwarded-Host" : "");
    }

    private static Cache<Served, HttpResponse> answers() {
        return Caffeine.newBuilder().weakKeys().maximumSize(10_000).build();
    }

    /** The source's tag, and where it has none, the pushed one. */
    CompletionStage<HttpResponse> byTag(
            Call call, RepositoryConfig config, ManifestByTag path, Optional<UsernameHint> username) {
        if (!config.push()) {
            return ofSource(call, config, path, username);
        }
        if (config.source().isEmpty() || path.tag().isReferrersFallback()) {
            return ofPush(
                    call,
                    config,
                    path,
                    new Problem(ProblemCode.MANIFEST_UNKNOWN, "no such tag was pushed to this repository"));
        }
        return ofSource(call, config, path, username).exceptionallyCompose(failure -> {
            Throwable cause =
                    failure instanceof CompletionException && failure.getCause() != null ? failure.getCause() : failure;
            return cause instanceof UnknownTag unknown
                    ? ofPush(call, config, path, unknown)
                    : CompletableFuture.failedFuture(cause);
        });
    }

    /** As it was pushed, whatever {@code Accept} and hints say. */
    private CompletionStage<HttpResponse> ofPush(
            Call call, RepositoryConfig config, ManifestByTag path, Problem unknown) {
        allowHop(call, config);
        return pushed.find(path.name(), path.tag())
                .thenApply(served -> render(call, served.orElseThrow(() -> unknown), byTag, caching));
    }

    private CompletionStage<HttpResponse> ofSource(
            Call call, RepositoryConfig config, ManifestByTag path, Optional<UsernameHint> username) {
        Hints.Reading.Accepted said = hints(call, config, path.tag(), username);
        Optional<String> hop =
                call.query().all(HOP).stream().findFirst().filter(w -> !w.isEmpty() && w.length() <= MAX_HOP);
        Function<Hints.Asked, Supplier<Cause>> cause = asked -> () -> new Cause(
                call.header("user-agent").orElse(""),
                forwarding.origin(call).address(),
                asked.hint().map(Hint::toString).orElse(""),
                path.tag().value());
        ImageForm form = Accept.form(call.headers("accept"));
        Optional<Preference> preference = Preference.read(call.headers("prefer"));
        WaitPlan plan = plan(call, config, preference);
        Function<Hints.Asked, Pull> pull = asked -> new Pull(
                path.name(),
                asked.tag(),
                asked.hint(),
                hop,
                form,
                plan,
                call.gone(),
                cause.apply(asked),
                Optional.empty());
        CompletableFuture<PullAnswer> answer = images.pull(
                        pull.apply(said.asked()).otherwise(said.otherwise().map(pull)))
                .toCompletableFuture();
        if (!answer.isDone()) {
            allowHop(call, config);
        }
        return answer.thenApply(a -> {
            HttpResponse response = render(call, plan, a);
            return preference
                    .filter(p -> !(a instanceof Served) && p.isAppliedBy(plan))
                    .map(p -> response.addHeader(Headers.of("Preference-Applied", p.applied())))
                    .orElse(response);
        });
    }

    /** What another node has built or pushed at the end of a hop may show late. */
    private void allowHop(Call call, RepositoryConfig config) {
        call.allow(config.hop().plus(pushing.settling()).plus(GRACE));
    }

    private static WaitPlan plan(Call call, RepositoryConfig config, Optional<Preference> preference) {
        WaitPlan ofClient = config.clients().plan(call.header("user-agent"));
        WaitPlan ofCall =
                preference.map(p -> ofClient.waitingAtMost(p.longestWait())).orElse(ofClient);
        return wantsWholeIndex(call) ? ofCall.forWholeIndex() : ofCall;
    }

    private static boolean wantsWholeIndex(Call call) {
        return call.query().all(Hints.PARAMETER).equals(List.of(ALL));
    }

    /** @param pushes whether clients push to this repository, whose owner then knows what is there */
    CompletionStage<HttpResponse> byDigest(Call call, RepositoryName name, Digest digest, boolean pushes) {
        CompletableFuture<Optional<Served>> answer = images.manifest(name, digest)
                .thenCompose(served -> pushes && served.map(Served::pushed).orElse(true)
                        ? pushed.find(name, digest)
                        : CompletableFuture.completedFuture(served))
                .toCompletableFuture();
        if (!answer.isDone()) {
            pushing.allowSettling(call);
        }
        return answer.thenApply(found -> {
            Served served = found.orElseThrow(
                    () -> new Problem(ProblemCode.MANIFEST_UNKNOWN, "this repository has no manifest of that digest"));
            return render(call, served, byDigest, List.of(served.pushed() ? ANYBODYS_REVALIDATE : Headers.IMMUTABLE));
        });
    }

    private Hints.Reading.Accepted hints(Call call, RepositoryConfig config, Tag tag, Optional<UsernameHint> username) {
        Hints.Said said = new Hints.Said(
                tag,
                RegistryPath.hint(call.path()),
                publicHost.flatMap(
                        name -> forwarding.origin(call).host().flatMap(host -> PlatformName.ofHost(host, name))),
                wantsWholeIndex(call) ? List.of() : call.query().all(Hints.PARAMETER),
                call.headers(HEADER),
                call.headers(META_HEADER),
                username,
                call.header("user-agent"));
        Hints.Reading reading = Hints.read(said, config.platforms());
        if (reading instanceof Hints.Reading.Refused refused) {
            throw new Problem(ProblemCode.REQUEST_INVALID, refused.message());
        }
        return (Hints.Reading.Accepted) reading;
    }

    private HttpResponse render(Call call, WaitPlan plan, PullAnswer answer) {
        if (answer instanceof Served served) {
            return render(call, served, byTag, caching);
        }
        if (answer instanceof KeepWaiting waiting) {
            return redirect(call, waiting);
        }
        if (answer instanceof NotYet notYet) {
            return explained(plan.answer(notYet.situation()), notYet.message(), notYet.build(), notYet.eta());
        }
        BuildFailed failed = (BuildFailed) answer;
        return explained(plan.answer(Situation.FAILED), failed.message(), failed.build(), Optional.empty());
    }

    private static HttpResponse render(
            Call call, Served served, Cache<Served, HttpResponse> answers, List<HttpHeader> caching) {
        HttpResponse whole = answers.get(served, s -> whole(s, caching));
        List<String> ifNoneMatch = call.headers("if-none-match");
        if (!ifNoneMatch.isEmpty() && EntityTags.named(ifNoneMatch, entityTag(served))) {
            return HttpResponse.create().withStatus(StatusCodes.NOT_MODIFIED).withHeaders(whole.getHeaders());
        }
        return whole;
    }

    private static String entityTag(Served served) {
        return '"' + served.descriptor().digest().value() + '"';
    }

    private static HttpResponse whole(Served served, List<HttpHeader> caching) {
        List<HttpHeader> headers = new ArrayList<>(8);
        headers.add(
                Headers.of("Docker-Content-Digest", served.descriptor().digest().value()));
        headers.add(Headers.of("ETag", entityTag(served)));
        headers.addAll(caching);
        headers.add(Headers.NO_SNIFF);
        if (!served.missing().isEmpty()) {
            String missing = served.missing().stream().map(Platform::toString).collect(Collectors.joining(", "));
            headers.add(Headers.of("X-Kiln-Missing-Platforms", missing));
            headers.add(Headers.warning(
                    OneLine.of("this index is incomplete: it lacks " + missing, ErrorResponses.MAX_MESSAGE)));
        }
        return HttpResponse.create()
                .withHeaders(headers)
                .withEntity(HttpEntities.create(contentType(served.descriptor().mediaType()), served.bytes()));
    }

    /** To the same path with every other parameter as it came, so that hints survive; by path alone, so that the name does. */
    private static HttpResponse redirect(Call call, KeepWaiting waiting) {
        String rest = call.query().without(HOP);
        String location = call.path() + "?" + (rest.isEmpty() ? "" : rest + "&") + HOP + "="
                + URLEncoder.encode(waiting.hop(), StandardCharsets.UTF_8);
        return HttpResponse.create()
                .withStatus(StatusCodes.TEMPORARY_REDIRECT)
                .withHeaders(List.of(
                        Headers.of("Location", location),
                        Headers.NO_STORE,
                        Headers.warning(OneLine.of(waiting.progress(), ErrorResponses.MAX_MESSAGE))));
    }

    /** An answer that sends people to a build: what happened and, where it fits, the address of the log. */
    private HttpResponse explained(
            FinalAnswer answer, String message, Optional<BuildKey> build, Optional<Duration> eta) {
        List<HttpHeader> headers = answer.retryAfter(eta).stream()
                .map(time -> Headers.of("Retry-After", Long.toString(Math.max(1, time.toSeconds()))))
                .toList();
        ProblemCode code = code(answer.status());
        if (build.isEmpty()) {
            return ErrorResponses.of(code, answer.status(), message, Map.of(), headers);
        }
        String id = build.get().id();
        String log = publicUrl.get() + "/api/v1/builds/" + id + "/log";
        String suffix = "; log: " + log;
        // An address that is cut off helps nobody: then it stands in the detail alone.
        int room = ErrorResponses.MAX_MESSAGE - suffix.length();
        String text = room >= 40 ? OneLine.of(message, room) + suffix : message;
        return ErrorResponses.of(
                code, answer.status(), reason(message), text, Map.of("build", id, "log", log), headers);
    }

    /** Some clients show nothing but the reason phrase: of a list it says the first, and always what to do. */
    private static String reason(String message) {
        int first = message.indexOf("; ");
        int last = message.lastIndexOf("; ");
        return message.length() <= ErrorResponses.MAX_REASON || first == last
                ? message
                : message.substring(0, first) + message.substring(last);
    }

    /** Clients of containers/image decide by the code, not by the status, whether to ask again (docs/clients.md). */
    private static ProblemCode code(int status) {
        return switch (status) {
            case 403 -> ProblemCode.DENIED;
            case 404, 424 -> ProblemCode.MANIFEST_UNKNOWN;
            case 429 -> ProblemCode.TOOMANYREQUESTS;
            case 503 -> ProblemCode.UNAVAILABLE;
            default -> throw new IllegalStateException("no plan has a final answer of " + status);
        };
    }

    /** The exact type, without a charset; what nobody can parse is served as bytes. */
    static ContentType contentType(String mediaType) {
        ContentType known = CONTENT_TYPES.get(mediaType);
        if (known != null) {
            return known;
        }
        try {
            return ContentTypes.parse(mediaType);
        } catch (IllegalArgumentException e) {
            return ContentTypes.APPLICATION_OCTET_STREAM;
        }
    }
}
