package dev.kiln.testing;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.lang.reflect.RecordComponent;
import java.util.Arrays;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;

/** What this version of Kiln has written, as a later one might: with fields that are not known yet. */
public final class LaterVersion {
    private LaterVersion() {}

    /**
     * Adds a field to {@code written}, and to all that it is made of; but not to the maps of {@code type}, where every name
     * means something.
     *
     * @return {@code written}
     */
    public static JsonNode of(JsonNode written, Class<?> type) {
        Set<String> maps = type.isRecord()
                ? Arrays.stream(type.getRecordComponents())
                        .filter(component -> component.getType() == Map.class)
                        .map(RecordComponent::getName)
                        .collect(Collectors.toSet())
                : Set.of();
        add(written, maps);
        return written;
    }

    private static void add(JsonNode node, Set<String> maps) {
        if (node instanceof ObjectNode object) {
            object.properties().stream()
                    .filter(field -> !maps.contains(field.getKey()))
                    .forEach(field -> add(field.getValue(), maps));
            object.putObject("ofALaterVersion").put("x", 1);
        } else {
            node.forEach(child -> add(child, maps));
        }
    }
}
