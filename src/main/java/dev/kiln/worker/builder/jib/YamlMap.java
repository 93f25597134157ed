package dev.kiln.worker.builder.jib;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.yaml.snakeyaml.nodes.MappingNode;
import org.yaml.snakeyaml.nodes.Node;
import org.yaml.snakeyaml.nodes.NodeTuple;
import org.yaml.snakeyaml.nodes.ScalarNode;
import org.yaml.snakeyaml.nodes.SequenceNode;
import org.yaml.snakeyaml.nodes.Tag;

/**
 * A mapping of {@code jib.yaml} that is read key by key. Every complaint names the file's line. A scalar is its text as
 * written ({@code 0644} stays {@code 0644}); nothing is ever constructed from a YAML tag.
 */
final class YamlMap {
    private static final Set<Tag> TEXTS =
            Set.of(Tag.STR, Tag.INT, Tag.FLOAT, Tag.BOOL, Tag.TIMESTAMP, Tag.MERGE, new Tag("!"));

    private final String name;
    private final int line;
    private final Map<String, Node> values = new LinkedHashMap<>();

    private YamlMap(String name, int line) {
        this.name = name;
        this.line = line;
    }

    /** @param name what the mapping is called in messages; empty for the whole file */
    static YamlMap of(Node node, String name) throws JibFailure {
        if (!(node instanceof MappingNode mapping)) {
            throw failure(node, subject(name) + " is not a mapping of keys to values");
        }
        YamlMap map = new YamlMap(name, line(node));
        for (NodeTuple tuple : mapping.getValue()) {
            String key = text(tuple.getKeyNode(), "a key");
            if (map.values.put(key, tuple.getValueNode()) != null) {
                throw failure(tuple.getKeyNode(), "the key '" + key + "' is there twice");
            }
        }
        return map;
    }

    /** @throws JibFailure when there is any other key: what Kiln does not know it must not silently leave out */
    YamlMap only(String... known) throws JibFailure {
        for (Map.Entry<String, Node> entry : values.entrySet()) {
            if (!List.of(known).contains(entry.getKey())) {
                throw failure(
                        entry.getValue(),
                        "the key '" + entry.getKey() + "' is unknown " + (name.isEmpty() ? "here" : "in " + name)
                                + "; known are " + String.join(", ", known));
            }
        }
        return this;
    }

    int line() {
        return line;
    }

    int line(String key) {
        return values.containsKey(key) ? line(values.get(key)) : line;
    }

    Optional<String> text(String key) throws JibFailure {
        return values.containsKey(key) ? Optional.of(text(values.get(key), quoted(key))) : Optional.empty();
    }

    String requiredText(String key) throws JibFailure {
        return text(key).orElseThrow(() -> missing(key));
    }

    Optional<List<String>> texts(String key) throws JibFailure {
        if (!values.containsKey(key)) {
            return Optional.empty();
        }
        List<String> texts = new ArrayList<>();
        for (Node item : items(key)) {
            texts.add(text(item, "an entry of " + quoted(key)));
        }
        return Optional.of(texts);
    }

    Map<String, String> textMap(String key) throws JibFailure {
        Map<String, String> texts = new LinkedHashMap<>();
        Optional<YamlMap> map = map(key);
        if (map.isPresent()) {
            for (String name : map.get().values.keySet()) {
                texts.put(name, map.get().requiredText(name));
            }
        }
        return texts;
    }

    Optional<YamlMap> map(String key) throws JibFailure {
        return values.containsKey(key) ? Optional.of(of(values.get(key), quoted(key))) : Optional.empty();
    }

    List<YamlMap> maps(String key) throws JibFailure {
        List<YamlMap> maps = new ArrayList<>();
        if (values.containsKey(key)) {
            for (Node item : items(key)) {
                maps.add(of(item, "an entry of " + quoted(key)));
            }
        }
        return maps;
    }

    JibFailure failure(String key, String message) {
        return values.containsKey(key) ? failure(values.get(key), message) : failure(line, message);
    }

    JibFailure missing(String key) {
        return failure(line, subject(name) + " lacks the key '" + key + "'");
    }

    static JibFailure failure(int line, String message) {
        return JibFailure.source(JibFileReader.FILE + " line " + line + ": " + message);
    }

    private static JibFailure failure(Node node, String message) {
        return failure(line(node), message);
    }

    private List<Node> items(String key) throws JibFailure {
        if (!(values.get(key) instanceof SequenceNode sequence)) {
            throw failure(key, quoted(key) + " is not a list");
        }
        return sequence.getValue();
    }

    private static String text(Node node, String what) throws JibFailure {
        if (!(node instanceof ScalarNode scalar) || !TEXTS.contains(node.getTag())) {
            throw failure(node, what + " is not a text");
        }
        return scalar.getValue();
    }

    private static int line(Node node) {
        return node.getStartMark().getLine() + 1;
    }

    private static String quoted(String key) {
        return "'" + key + "'";
    }

    private static String subject(String name) {
        return name.isEmpty() ? "the file" : name;
    }
}
