package dev.kiln.http.registry;

import akka.http.javadsl.model.ContentTypes;
import akka.http.javadsl.model.HttpEntities;
import akka.http.javadsl.model.HttpHeader;
import akka.http.javadsl.model.HttpResponse;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.kiln.config.RepositoryConfig;
import dev.kiln.http.wire.Call;
import dev.kiln.http.wire.ErrorResponses;
import dev.kiln.http.wire.Headers;
import dev.kiln.http.wire.OneLine;
import dev.kiln.image.Images;
import dev.kiln.oci.RepositoryName;
import dev.kiln.oci.Tag;
import dev.kiln.problem.Problem;
import dev.kiln.problem.ProblemCode;
import dev.kiln.repository.Repositories;
import dev.kiln.repository.RepositoryCommand;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;
import java.util.stream.Stream;

/** A repository's tags, in pages (distribution specification, "Listing Tags"). */
final class TagRoutes {
    /** The most one answer lists; a client that follows {@code Link} sees them all. */
    static final int MAX_PAGE = 10_000;

    private static final int MAX_SHADOWED = 20;

    private final Images images;
    private final Repositories repositories;

    TagRoutes(Images images, Repositories repositories) {
        this.images = images;
        this.repositories = repositories;
    }

    CompletionStage<HttpResponse> list(Call call, RepositoryConfig config, RepositoryName name) {
        int limit = call.query().one("n").map(TagRoutes::limit).orElse(MAX_PAGE);
        Optional<String> last = call.query().one("last");
        // One more than is listed says that there are more.
        CompletionStage<List<Tag>> ofSource = config.source().isPresent()
                ? images.tags(name, last.orElse(""), limit + 1)
                : CompletableFuture.completedFuture(List.of());
        if (!config.push()) {
            return ofSource.thenApply(tags -> page(call.path(), name, tags, limit, last));
        }
        return ofSource.exceptionallyCompose(TagRoutes::orNone)
                .thenCombine(pushed(name, last.orElse(""), limit, List.of()), (tags, pushed) -> {
                    List<Tag> both = Stream.concat(tags.stream(), pushed.stream())
                            .distinct()
                            .sorted()
                            .toList();
                    return shadowing(page(call.path(), name, both, limit, last), tags, pushed);
                });
    }

    /** Something may be pushed though the source does not exist. */
    private static CompletionStage<List<Tag>> orNone(Throwable failure) {
        Throwable cause =
                failure instanceof CompletionException && failure.getCause() != null ? failure.getCause() : failure;
        return cause instanceof Problem problem && problem.code() == ProblemCode.NAME_UNKNOWN
                ? CompletableFuture.completedFuture(List.of())
                : CompletableFuture.failedFuture(cause);
    }

    /** Pushed tags after {@code after}, one more than is listed. */
    private CompletionStage<List<Tag>> pushed(RepositoryName name, String after, int limit, List<Tag> before) {
        return repositories.tags(name, after).thenCompose(more -> {
            List<Tag> all = Stream.concat(before.stream(), more.stream()).toList();
            return more.size() < RepositoryCommand.MAX_PAGE || all.size() > limit
                    ? CompletableFuture.completedFuture(all)
                    : pushed(name, more.get(more.size() - 1).value(), limit, all);
        });
    }

    /** Says which pushed tags are not what a pull of them gets, since the source has them now. */
    private static HttpResponse shadowing(HttpResponse page, List<Tag> ofSource, List<Tag> pushed) {
        Set<Tag> source = Set.copyOf(ofSource);
        List<String> shadowed =
                pushed.stream().filter(source::contains).map(Tag::value).toList();
        if (shadowed.isEmpty()) {
            return page;
        }
        String some = String.join(", ", shadowed.subList(0, Math.min(MAX_SHADOWED, shadowed.size())));
        return page.addHeaders(List.of(
                Headers.of("X-Kiln-Shadowed-Tags", some),
                Headers.warning(OneLine.of(
                        "the source has what was pushed as " + some + " too, and a pull gets the source's",
                        ErrorResponses.MAX_MESSAGE))));
    }

    /** What the parameter {@code n} says, and no more than {@link #MAX_PAGE}. */
    static int limit(String n) {
        if (n.isEmpty() || n.length() > 18 || !n.chars().allMatch(c -> c >= '0' && c <= '9')) {
            throw new Problem(ProblemCode.REQUEST_INVALID, "the parameter n must be a whole number, 0 or more");
        }
        return (int) Math.min(MAX_PAGE, Long.parseLong(n));
    }

    private static HttpResponse page(
            String path, RepositoryName name, List<Tag> tags, int limit, Optional<String> last) {
        ObjectNode body = JsonNodeFactory.instance.objectNode().put("name", name.value());
        ArrayNode page = body.putArray("tags");
        boolean more = false;
        String end = "";
        for (Tag tag : tags) {
            // Tags are ASCII, so that the order of their characters is that of their bytes.
            if (last.isPresent() && tag.value().compareTo(last.get()) <= 0) {
                continue;
            }
            if (page.size() == limit) {
                more = limit > 0;
                break;
            }
            end = tag.value();
            page.add(end);
        }
        List<HttpHeader> headers = new ArrayList<>(List.of(Headers.NO_STORE, Headers.NO_SNIFF));
        if (more) {
            headers.add(Headers.of(
                    "Link",
                    "<" + path + "?n=" + limit + "&last=" + URLEncoder.encode(end, StandardCharsets.UTF_8)
                            + ">; rel=\"next\""));
        }
        return HttpResponse.create()
                .withHeaders(headers)
                .withEntity(HttpEntities.create(ContentTypes.APPLICATION_JSON, ErrorResponses.bytes(body)));
    }
}
