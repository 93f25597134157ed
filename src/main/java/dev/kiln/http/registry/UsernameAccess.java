package dev.kiln.http.registry;

import akka.http.javadsl.model.ContentTypes;
import akka.http.javadsl.model.HttpEntities;
import akka.http.javadsl.model.HttpHeader;
import akka.http.javadsl.model.HttpResponse;
import akka.stream.Materializer;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.kiln.client.HintTokens;
import dev.kiln.client.UsernameHint;
import dev.kiln.client.Usernames;
import dev.kiln.http.wire.Call;
import dev.kiln.http.wire.ErrorResponses;
import dev.kiln.http.wire.Form;
import dev.kiln.http.wire.Headers;
import dev.kiln.oci.RepositoryName;
import dev.kiln.problem.Problem;
import dev.kiln.problem.ProblemCode;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Base64;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.function.Supplier;

/**
 * Asks clients for a username, since none sends one unasked, and takes anyone, also somebody without one: a username may
 * name a platform ({@code hints.username}). What it says goes into a token (distribution specification's companion "Token
 * Authentication"), passwords go nowhere.
 */
public final class UsernameAccess {
    static final String PATH = "/token";

    /** Much more than any form of a client has. */
    private static final int MAX_FORM = 16 * 1024;

    private static final Duration FORM_TIME = Duration.ofSeconds(5);

    private final HintTokens tokens;
    private final Supplier<String> publicUrl;
    private final Materializer materializer;

    /**
     * One for all requests of a server.
     *
     * @param publicUrl where clients reach it, without a trailing slash; asked for each answer that needs it
     * @param materializer reads the bodies of requests for a token
     */
    public UsernameAccess(HintTokens tokens, Supplier<String> publicUrl, Materializer materializer) {
        this.tokens = tokens;
        this.publicUrl = publicUrl;
        this.materializer = materializer;
    }

    /** What becomes of a request under /v2. */
    sealed interface Admission {
        record Admitted(Optional<UsernameHint> username) implements Admission {}

        /** It has no valid credentials: the answer tells the client where to get them. */
        record Challenged(HttpResponse answer) implements Admission {}
    }

    /**
     * Reads the credentials of a request under /v2.
     *
     * @throws Problem when they are Basic and their username is a hint that cannot be read
     */
    Admission admit(Call call, Optional<RepositoryName> repository) {
        Optional<String> token = credentials(call, "Bearer ");
        if (token.isPresent()) {
            return tokens.verify(token.get())
                    .<Admission>map(valid -> new Admission.Admitted(valid.hint()))
                    .orElseGet(() -> new Admission.Challenged(
                            challenge(repository, ",error=\"invalid_token\"", "the token is not valid (any more)")));
        }
        return basic(call)
                .<Admission>map(basic -> new Admission.Admitted(read(basic)))
                .orElseGet(() ->
                        new Admission.Challenged(challenge(repository, "", "this registry takes anyone with a token")));
    }

    private HttpResponse challenge(Optional<RepositoryName> repository, String error, String what) {
        String url = publicUrl.get();
        String scope = repository
                .map(name -> ",scope=\"repository:" + name + ":pull\"")
                .orElse("");
        HttpHeader header = Headers.of(
                "WWW-Authenticate",
                "Bearer realm=\"" + url + PATH + "\",service=\"" + url.substring(url.indexOf("://") + 3) + "\"" + scope
                        + error);
        return ErrorResponses.of(
                ProblemCode.UNAUTHORIZED,
                what + ": get one at " + url + PATH + ", no password needed",
                List.of(header));
    }

    /** {@code GET /token} with Basic or nothing, {@code POST /token} with a form. */
    CompletionStage<HttpResponse> token(Call call) {
        if (call.isRead()) {
            return CompletableFuture.completedFuture(issue(basic(call).or(() -> account(call))));
        }
        if (!call.isPost()) {
            return CompletableFuture.completedFuture(ErrorResponses.of(
                    ProblemCode.UNSUPPORTED,
                    "ask for a token with GET, or POST of a form",
                    List.of(Headers.allow("GET, HEAD, POST"))));
        }
        return call.bytes(MAX_FORM, FORM_TIME, materializer).handle((body, failure) -> {
            if (failure != null) {
                throw new Problem(
                        ProblemCode.REQUEST_INVALID,
                        "the form did not come whole: it may have " + MAX_FORM + " bytes and take "
                                + FORM_TIME.toSeconds() + " s");
            }
            return issue(form(body.utf8String()).or(() -> basic(call)));
        });
    }

    private HttpResponse issue(Optional<String> credentials) {
        String token = tokens.issue(new HintTokens.Token(credentials.flatMap(UsernameAccess::read)));
        ObjectNode body = JsonNodeFactory.instance
                .objectNode()
                .put("token", token)
                .put("access_token", token)
                .put("expires_in", HintTokens.LIFE.toSeconds());
        return HttpResponse.create()
                .withHeaders(List.of(Headers.NO_STORE, Headers.NO_SNIFF))
                .withEntity(HttpEntities.create(ContentTypes.APPLICATION_JSON, ErrorResponses.bytes(body)));
    }

    private static Optional<UsernameHint> read(String credentials) {
        Usernames.Reading reading = Usernames.read(credentials);
        if (reading instanceof Usernames.Reading.Refused refused) {
            throw new Problem(ProblemCode.REQUEST_INVALID, refused.message());
        }
        return ((Usernames.Reading.Accepted) reading).hint();
    }

    /** containerd cuts the credentials at the first colon, wherever that is, and sends two fields. */
    private static Optional<String> form(String body) {
        Form form = Form.parse(body);
        return form.field("username")
                .map(user -> user + ":" + form.field("password").orElse(""));
    }

    /** What docker and podman name as the account may be cut off at a colon: it counts only when it is whole. */
    private static Optional<String> account(Call call) {
        return call.query()
                .one("account")
                .filter(account -> Usernames.read(account) instanceof Usernames.Reading.Accepted);
    }

    /** As {@code user:password}; empty also when they are not what the scheme says. */
    private static Optional<String> basic(Call call) {
        return credentials(call, "Basic ").flatMap(encoded -> {
            try {
                return Optional.of(new String(Base64.getDecoder().decode(encoded), StandardCharsets.UTF_8));
            } catch (IllegalArgumentException e) {
                return Optional.empty();
            }
        });
    }

    private static Optional<String> credentials(Call call, String scheme) {
        return call.header("authorization")
                .filter(value -> value.regionMatches(true, 0, scheme, 0, scheme.length()))
                .map(value -> value.substring(scheme.length()).strip());
    }
}
