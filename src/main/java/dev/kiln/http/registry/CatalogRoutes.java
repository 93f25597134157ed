package dev.kiln.http.registry;

import akka.http.javadsl.model.ContentTypes;
import akka.http.javadsl.model.HttpEntities;
import akka.http.javadsl.model.HttpHeader;
import akka.http.javadsl.model.HttpResponse;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.kiln.catalog.RepositoryNames;
import dev.kiln.http.wire.Call;
import dev.kiln.http.wire.ErrorResponses;
import dev.kiln.http.wire.Headers;
import dev.kiln.oci.RepositoryName;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletionStage;

/** The repositories, in pages: no part of the specification, but reserved by it and known to many tools. */
final class CatalogRoutes {
    private static final int MAX_PAGE = 1000;

    private final RepositoryNames names;

    CatalogRoutes(RepositoryNames names) {
        this.names = names;
    }

    /** {@code GET /v2/_catalog[?n=<number>][&last=<name>]} */
    CompletionStage<HttpResponse> list(Call call) {
        int limit =
                Math.min(MAX_PAGE, call.query().one("n").map(TagRoutes::limit).orElse(MAX_PAGE));
        String last = call.query().one("last").orElse("");
        return names.list(last, limit + 1).thenApply(found -> page(call.path(), found, limit));
    }

    private static HttpResponse page(String path, List<RepositoryName> names, int limit) {
        ObjectNode body = JsonNodeFactory.instance.objectNode();
        ArrayNode listed = body.putArray("repositories");
        List<RepositoryName> page = names.subList(0, Math.min(limit, names.size()));
        page.forEach(name -> listed.add(name.value()));
        List<HttpHeader> headers = new ArrayList<>(List.of(Headers.NO_STORE, Headers.NO_SNIFF));
        if (names.size() > limit && limit > 0) {
            headers.add(Headers.of(
                    "Link",
                    "<" + path + "?n=" + limit + "&last="
                            + URLEncoder.encode(page.get(page.size() - 1).value(), StandardCharsets.UTF_8)
                            + ">; rel=\"next\""));
        }
        return HttpResponse.create()
                .withHeaders(headers)
                .withEntity(HttpEntities.create(ContentTypes.APPLICATION_JSON, ErrorResponses.bytes(body)));
    }
}
