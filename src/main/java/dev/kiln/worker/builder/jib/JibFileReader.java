package dev.kiln.worker.builder.jib;

import com.google.cloud.tools.jib.api.buildplan.AbsoluteUnixPath;
import com.google.cloud.tools.jib.api.buildplan.FilePermissions;
import com.google.cloud.tools.jib.api.buildplan.Port;
import dev.kiln.oci.Platform;
import dev.kiln.worker.builder.jib.JibFile.Copy;
import dev.kiln.worker.builder.jib.JibFile.Layer;
import dev.kiln.worker.builder.jib.JibFile.Properties;
import java.io.StringReader;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.time.DateTimeException;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.yaml.snakeyaml.LoaderOptions;
import org.yaml.snakeyaml.Yaml;
import org.yaml.snakeyaml.constructor.SafeConstructor;
import org.yaml.snakeyaml.error.Mark;
import org.yaml.snakeyaml.error.MarkedYAMLException;
import org.yaml.snakeyaml.error.YAMLException;
import org.yaml.snakeyaml.nodes.Node;

/** Reads a {@code jib.yaml}. All bytes are a stranger's: bounded in size, depth and number, no aliases, no unknown keys. */
final class JibFileReader {
    static final String FILE = "jib.yaml";
    static final int MAX_SIZE = 1024 * 1024;

    /** Overlay file systems and clients stop at 127 layers; a base image needs some. */
    static final int MAX_LAYERS = 64;

    private static final int MAX_DEPTH = 16;
    private static final Pattern PERMISSIONS = Pattern.compile("[0-7]{3}");
    private static final Pattern PORT = Pattern.compile("([0-9]{1,5})(?:/(tcp|udp))?");
    private static final Pattern OWNER = Pattern.compile("[a-z0-9_][a-z0-9_.-]{0,31}");
    private static final Pattern MILLISECONDS = Pattern.compile("[0-9]{1,15}");

    private JibFileReader() {}

    /** @throws JibFailure of the source's class, naming the line, when {@code bytes} are not such a file */
    static JibFile read(byte[] bytes) throws JibFailure {
        YamlMap file = YamlMap.of(compose(bytes), "")
                .only(
                        "apiVersion",
                        "kind",
                        "from",
                        "creationTime",
                        "format",
                        "environment",
                        "labels",
                        "volumes",
                        "exposedPorts",
                        "user",
                        "workingDirectory",
                        "entrypoint",
                        "cmd",
                        "layers");
        oneOf(file, "apiVersion", file.requiredText("apiVersion"), "jib/v1alpha1");
        oneOf(file, "kind", file.requiredText("kind"), "BuildFile");
        Optional<String> format = file.text("format");
        if (format.isPresent()) {
            oneOf(file, "format", format.get(), "OCI", "Docker");
        }
        Optional<YamlMap> from = file.map("from");
        Optional<String> base = Optional.empty();
        List<Platform> platforms = new ArrayList<>();
        if (from.isPresent()) {
            base = Optional.of(from.get().only("image", "platforms").requiredText("image"))
                    .filter(image -> !image.equals("scratch"));
            for (YamlMap platform : from.get().maps("platforms")) {
                platforms.add(platform(platform));
            }
        }
        return new JibFile(
                base,
                platforms,
                time(file, "creationTime"),
                environment(file),
                file.textMap("labels"),
                volumes(file),
                ports(file),
                file.text("user"),
                path(file, "workingDirectory", file.text("workingDirectory")),
                file.texts("entrypoint"),
                file.texts("cmd"),
                layers(file));
    }

    private static Node compose(byte[] bytes) throws JibFailure {
        LoaderOptions options = new LoaderOptions();
        options.setMaxAliasesForCollections(0);
        options.setNestingDepthLimit(MAX_DEPTH);
        options.setCodePointLimit(MAX_SIZE);
        options.setAllowDuplicateKeys(false);
        try {
            String text = StandardCharsets.UTF_8
                    .newDecoder()
                    .decode(ByteBuffer.wrap(bytes))
                    .toString();
            Node node = new Yaml(new SafeConstructor(options)).compose(new StringReader(text));
            if (node == null) {
                throw JibFailure.source(FILE + " is empty");
            }
            return node;
        } catch (CharacterCodingException e) {
            throw JibFailure.source(FILE + " is not UTF-8", e);
        } catch (MarkedYAMLException e) {
            Mark mark = e.getProblemMark();
            throw YamlMap.failure(mark == null ? 1 : mark.getLine() + 1, "it is not valid YAML: " + e.getProblem());
        } catch (YAMLException e) {
            throw JibFailure.source(
                    FILE + " is not YAML that Kiln reads (at most " + MAX_DEPTH
                            + " levels, no aliases of lists or mappings): " + e.getMessage(),
                    e);
        }
    }

    private static Platform platform(YamlMap map) throws JibFailure {
        map.only("os", "architecture");
        return Platform.parse(map.requiredText("os") + "/" + map.requiredText("architecture"))
                .orElseThrow(() -> YamlMap.failure(map.line(), "'platforms' has an entry that is not a platform"));
    }

    private static Map<String, String> environment(YamlMap file) throws JibFailure {
        Map<String, String> environment = file.textMap("environment");
        for (String name : environment.keySet()) {
            if (name.isEmpty() || name.indexOf('=') >= 0) {
                throw file.failure("environment", "'" + name + "' cannot be the name of an environment variable");
            }
        }
        return environment;
    }

    private static Set<AbsoluteUnixPath> volumes(YamlMap file) throws JibFailure {
        Set<AbsoluteUnixPath> volumes = new LinkedHashSet<>();
        for (String volume : file.texts("volumes").orElse(List.of())) {
            path(file, "volumes", Optional.of(volume)).ifPresent(volumes::add);
        }
        return volumes;
    }

    private static Set<Port> ports(YamlMap file) throws JibFailure {
        Set<Port> ports = new LinkedHashSet<>();
        for (String text : file.texts("exposedPorts").orElse(List.of())) {
            Matcher matcher = PORT.matcher(text);
            int number = matcher.matches() ? Integer.parseInt(matcher.group(1)) : 0;
            if (number < 1 || number > 65535) {
                throw file.failure("exposedPorts", "'" + text + "' is not a port such as 8080, 8080/tcp or 53/udp");
            }
            ports.add("udp".equals(matcher.group(2)) ? Port.udp(number) : Port.tcp(number));
        }
        return ports;
    }

    private static List<Layer> layers(YamlMap file) throws JibFailure {
        List<Layer> layers = new ArrayList<>();
        Optional<YamlMap> section = file.map("layers");
        if (section.isEmpty()) {
            return layers;
        }
        Properties outer = properties(section.get().only("entries", "properties"), Properties.DEFAULT);
        List<YamlMap> entries = section.get().maps("entries");
        if (entries.size() > MAX_LAYERS) {
            throw section.get().failure("entries", "there are more than " + MAX_LAYERS + " layers");
        }
        for (YamlMap entry : entries) {
            entry.only("name", "files", "properties");
            Properties properties = properties(entry, outer);
            List<Copy> copies = new ArrayList<>();
            for (YamlMap copy : entry.maps("files")) {
                copies.add(copy(copy, properties));
            }
            if (copies.isEmpty()) {
                throw entry.missing("files");
            }
            layers.add(new Layer(entry.requiredText("name"), copies));
        }
        return layers;
    }

    private static Copy copy(YamlMap map, Properties outer) throws JibFailure {
        map.only("src", "dest", "includes", "excludes", "properties");
        String source = map.requiredText("src");
        if (source.isEmpty() || source.startsWith("/") || segments(source).contains("..") || hasControl(source)) {
            throw map.failure("src", "'src' is not a path inside the source, relative to it and without '..'");
        }
        String destination = map.requiredText("dest");
        path(map, "dest", Optional.of(destination));
        return new Copy(
                source,
                destination,
                globs(map, "includes"),
                globs(map, "excludes"),
                properties(map, outer),
                map.line());
    }

    private static List<Glob> globs(YamlMap map, String key) throws JibFailure {
        List<Glob> globs = new ArrayList<>();
        for (String pattern : map.texts(key).orElse(List.of())) {
            if (pattern.isEmpty() || pattern.startsWith("/")) {
                throw map.failure(key, "a pattern of '" + key + "' is empty or absolute; it is relative to 'src'");
            }
            globs.add(Glob.of(pattern));
        }
        if (globs.size() > 1000) {
            throw map.failure(key, "there are more than 1000 patterns");
        }
        return globs;
    }

    private static Properties properties(YamlMap owner, Properties outer) throws JibFailure {
        Optional<YamlMap> found = owner.map("properties");
        if (found.isEmpty()) {
            return outer;
        }
        YamlMap map = found.get().only("filePermissions", "directoryPermissions", "user", "group", "timestamp");
        return new Properties(
                permissions(map, "filePermissions", outer.filePermissions()),
                permissions(map, "directoryPermissions", outer.directoryPermissions()),
                owner(map, "user", outer.user()),
                owner(map, "group", outer.group()),
                time(map, "timestamp").orElse(outer.timestamp()));
    }

    private static FilePermissions permissions(YamlMap map, String key, FilePermissions outer) throws JibFailure {
        Optional<String> text = map.text(key);
        if (text.isPresent() && !PERMISSIONS.matcher(text.get()).matches()) {
            throw map.failure(key, "'" + key + "' is not three octal digits such as 644");
        }
        return text.map(FilePermissions::fromOctalString).orElse(outer);
    }

    private static String owner(YamlMap map, String key, String outer) throws JibFailure {
        Optional<String> text = map.text(key);
        if (text.isPresent() && !OWNER.matcher(text.get()).matches()) {
            throw map.failure(key, "'" + key + "' is neither a number nor a name");
        }
        return text.orElse(outer);
    }

    private static Optional<Instant> time(YamlMap map, String key) throws JibFailure {
        Optional<String> text = map.text(key);
        if (text.isEmpty()) {
            return Optional.empty();
        }
        try {
            Instant time = MILLISECONDS.matcher(text.get()).matches()
                    ? Instant.ofEpochMilli(Long.parseLong(text.get()))
                    : OffsetDateTime.parse(text.get()).toInstant();
            if (time.isBefore(Instant.EPOCH) || time.isAfter(Instant.ofEpochSecond(253402300799L))) {
                throw new DateTimeException("before 1970 or after 9999");
            }
            return Optional.of(time);
        } catch (DateTimeException e) {
            throw map.failure(
                    key, "'" + key + "' is neither milliseconds since 1970 nor a time such as 2024-05-01T12:00:00Z");
        }
    }

    private static Optional<AbsoluteUnixPath> path(YamlMap map, String key, Optional<String> text) throws JibFailure {
        if (text.isEmpty()) {
            return Optional.empty();
        }
        String path = text.get();
        List<String> segments = segments(path);
        if (!path.startsWith("/") || segments.contains("..") || segments.contains(".") || hasControl(path)) {
            throw map.failure(key, "'" + key + "' is not an absolute path without '.' and '..'");
        }
        return Optional.of(AbsoluteUnixPath.get(path));
    }

    private static List<String> segments(String path) {
        return List.of(path.split("/"));
    }

    private static boolean hasControl(String text) {
        return text.chars().anyMatch(c -> c < 0x20 || c == 0x7f);
    }

    private static void oneOf(YamlMap map, String key, String value, String... allowed) throws JibFailure {
        if (!List.of(allowed).contains(value)) {
            throw map.failure(key, "'" + key + "' is not " + String.join(" or ", allowed));
        }
    }
}
