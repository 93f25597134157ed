package dev.kiln.http.registry;

import akka.http.javadsl.model.ContentTypes;
import akka.http.javadsl.model.HttpEntities;
import akka.http.javadsl.model.HttpHeader;
import akka.http.javadsl.model.HttpResponse;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.kiln.http.wire.Call;
import dev.kiln.http.wire.ErrorResponses;
import dev.kiln.http.wire.Headers;
import dev.kiln.image.Images;
import dev.kiln.oci.RepositoryName;
import dev.kiln.oci.Tag;
import dev.kiln.problem.Problem;
import dev.kiln.problem.ProblemCode;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletionStage;

/** A repository's tags, in pages (distribution specification, "Listing Tags"). */
final class TagRoutes {
    /** The most one answer lists; a client that follows {@code Link} sees them all. */
    static final int MAX_PAGE = 10_000;

    private final Images images;

    TagRoutes(Images images) {
        this.images = images;
    }

    CompletionStage<HttpResponse> list(Call call, RepositoryName name) {
        int limit = call.query().one("n").map(TagRoutes::limit).orElse(MAX_PAGE);
        Optional<String> last = call.query().one("last");
        return images.tags(name).thenApply(tags -> page(call.path(), name, tags, limit, last));
    }

    private static int limit(String n) {
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
