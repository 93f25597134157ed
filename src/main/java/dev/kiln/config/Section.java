package dev.kiln.config;

import com.typesafe.config.Config;
import com.typesafe.config.ConfigException;
import com.typesafe.config.ConfigFactory;
import com.typesafe.config.ConfigList;
import com.typesafe.config.ConfigObject;
import com.typesafe.config.ConfigOrigin;
import com.typesafe.config.ConfigUtil;
import com.typesafe.config.ConfigValue;
import com.typesafe.config.ConfigValueType;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.TreeSet;
import java.util.function.Function;
import java.util.function.Predicate;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * One object of the configuration, read key by key. A value that is missing or wrong becomes an error and an empty
 * answer, so that reading goes on; {@link #end} makes an error of every key that was never asked for.
 */
final class Section {
    private static final Predicate<String> ONE_LINE = text -> text.chars().noneMatch(c -> c < ' ' || c == 0x7f);

    private static final Predicate<String> PRINTABLE = ONE_LINE.and(text -> !text.isBlank());

    private final ConfigObject object;
    private final Config values;
    private final String path;
    private final ConfigOrigin origin;
    private final ConfigObject defaults;
    private final String defaultsPath;
    private final Findings findings;
    private final TreeSet<String> asked = new TreeSet<>();

    Section(ConfigObject object, String path, Findings findings) {
        this(object, path, object.origin(), ConfigFactory.empty().root(), "", findings);
    }

    private Section(
            ConfigObject object,
            String path,
            ConfigOrigin origin,
            ConfigObject defaults,
            String defaultsPath,
            Findings findings) {
        this.object = object;
        this.values = object.toConfig();
        this.path = path;
        this.origin = origin;
        this.defaults = defaults;
        this.defaultsPath = defaultsPath;
        this.findings = findings;
    }

    Optional<Duration> duration(String key, Duration min, Duration max) {
        String allowed = "a duration (with its unit) from " + Texts.of(min) + " to " + Texts.of(max);
        return read(key, allowed, values::getDuration, value -> value.compareTo(min) >= 0 && value.compareTo(max) <= 0);
    }

    Optional<Long> bytes(String key, long min) {
        String allowed = "a size of at least " + min + " bytes, such as 20GiB";
        return read(key, allowed, values::getBytes, value -> value >= min);
    }

    Optional<Integer> integer(String key, int min, int max) {
        String allowed = "a whole number from " + min + " to " + max;
        return read(key, allowed, values::getInt, value -> value >= min && value <= max);
    }

    Optional<Boolean> flag(String key) {
        return read(key, "true or false", values::getBoolean, value -> true);
    }

    Optional<String> text(String key, String allowed, Predicate<String> fits) {
        return read(key, allowed, values::getString, PRINTABLE.and(fits));
    }

    /** As {@link #text}, but no message ever shows the value. */
    Optional<String> secret(String key, String allowed, Predicate<String> fits) {
        return read(key, allowed, values::getString, fits, false);
    }

    <E extends Enum<E>> Optional<E> choice(String key, Class<E> type) {
        String allowed = Stream.of(type.getEnumConstants()).map(Section::word).collect(Collectors.joining(" or "));
        return text(key, allowed, value -> constant(type, value).isPresent()).flatMap(value -> constant(type, value));
    }

    <E extends Enum<E>> List<E> choices(String key, Class<E> type) {
        String allowed = Stream.of(type.getEnumConstants()).map(Section::word).collect(Collectors.joining(", "));
        return texts(key, "a list of " + allowed, value -> constant(type, value).isPresent()).stream()
                .flatMap(value -> constant(type, value).stream())
                .toList();
    }

    private static <E extends Enum<E>> Optional<E> constant(Class<E> type, String value) {
        return Stream.of(type.getEnumConstants())
                .filter(constant -> word(constant).equals(value))
                .findFirst();
    }

    private static String word(Enum<?> constant) {
        return constant.name().toLowerCase(Locale.ROOT);
    }

    /** Absolute and normal; a relative one is relative to the working directory. */
    Optional<Path> path(String key) {
        return text(key, "the path of a file or folder", value -> true)
                .map(value -> Path.of(value).toAbsolutePath().normalize());
    }

    /** Elements that are wrong are left out and reported; a list must not be empty. */
    List<String> texts(String key, String allowed, Predicate<String> fits) {
        return texts(key, allowed, fits, list -> !list.isEmpty());
    }

    /** As {@link #texts}, but the list may be empty. */
    List<String> textsOrNone(String key, String allowed, Predicate<String> fits) {
        return texts(key, allowed, fits, list -> true);
    }

    private List<String> texts(
            String key, String allowed, Predicate<String> fits, Predicate<List<? extends ConfigValue>> fitsList) {
        List<ConfigValue> elements = read(key, allowed, values::getList, fitsList::test)
                .<List<ConfigValue>>map(ArrayList::new)
                .orElse(List.of());
        List<String> texts = new ArrayList<>();
        for (ConfigValue element : elements) {
            String text = isScalar(element) ? String.valueOf(element.unwrapped()) : "";
            if (PRINTABLE.and(fits).test(text)) {
                texts.add(text);
            } else {
                String wrong = ONE_LINE.test(text)
                        ? " must be " + allowed + shown(element)
                        : " has an element with a line break or another control character; each must be one line";
                findings.error(element.origin(), name(key) + wrong);
            }
        }
        return texts;
    }

    /** What stands there, each element as text; nothing is reported. */
    List<String> quietTexts(String key) {
        ConfigValue value = object.get(key);
        if (value == null || value.valueType() == ConfigValueType.NULL) {
            return List.of();
        }
        return value instanceof ConfigList list
                ? list.stream()
                        .map(element -> String.valueOf(element.unwrapped()))
                        .toList()
                : List.of(String.valueOf(value.unwrapped()));
    }

    boolean isSet(String key) {
        asked.add(key);
        ConfigValue value = object.get(key);
        return value != null && value.valueType() != ConfigValueType.NULL;
    }

    /** Whether the value is the one that {@code reference.conf} gives. */
    boolean isDefault(String key) {
        return where(key).resource() != null;
    }

    boolean isList(String key) {
        return isSet(key) && object.get(key).valueType() == ConfigValueType.LIST;
    }

    /** The object under {@code key}; an empty one, whose keys are all missing, when there is none. */
    Section section(String key) {
        Optional<ConfigObject> child = read(key, "an object { … }", values::getObject, value -> true);
        ConfigObject from = defaults.get(key) instanceof ConfigObject own
                ? own
                : ConfigFactory.empty().root();
        return new Section(
                child.orElse(ConfigFactory.empty().root()),
                path + "." + key,
                child.<ConfigOrigin>map(ConfigValue::origin).orElse(origin),
                from,
                defaultsPath + "." + key,
                child.isPresent() ? findings : new Findings());
    }

    /** The objects of a list, each on top of {@code fallback}. */
    List<Section> sections(String key, Section fallback) {
        List<Section> sections = new ArrayList<>();
        List<ConfigValue> elements = read(key, "a list of objects [ { … } ]", values::getList, value -> true)
                .<List<ConfigValue>>map(ArrayList::new)
                .orElse(List.of());
        for (ConfigValue element : elements) {
            String name = key + "[" + sections.size() + "]";
            if (element instanceof ConfigObject entry) {
                sections.add(merged(entry, name, fallback));
            } else {
                findings.error(element.origin(), path + "." + name + " must be an object { … }");
            }
        }
        return sections;
    }

    /** The object under {@code key} on top of {@code fallback}. */
    Section section(String key, Section fallback) {
        Section own = section(key);
        return merged(own.object, key, fallback);
    }

    private Section merged(ConfigObject entry, String name, Section fallback) {
        return new Section(
                entry.withFallback(fallback.object),
                path + "." + name,
                entry.origin(),
                fallback.object,
                fallback.path,
                findings);
    }

    /** The keys of an object whose keys are names, all of them known; those that do not fit are reported. */
    List<String> names(String allowed, Predicate<String> fits) {
        List<String> names = new ArrayList<>();
        for (String name : new TreeSet<>(object.keySet())) {
            asked.add(name);
            if (fits.test(name)) {
                names.add(name);
            } else {
                error(name, "is not " + allowed);
            }
        }
        return names;
    }

    /** Names and texts; values are never shown in messages, since they may be secrets. */
    Map<String, String> texts(String allowedName, Predicate<String> fitsName) {
        Map<String, String> texts = new LinkedHashMap<>();
        for (String name : names(allowedName, fitsName)) {
            secret(name, "a text without NUL", text -> text.indexOf('\0') < 0).ifPresent(v -> texts.put(name, v));
        }
        return texts;
    }

    /** Reports {@code text}, which follows the key's name, where the key's value stands. */
    void error(String key, String text) {
        findings.error(where(key), name(key) + " " + text);
    }

    void warning(String key, String text) {
        findings.warning(where(key), name(key) + " " + text);
    }

    /** Every key that nobody asked for is unknown. */
    void end() {
        for (String key : object.keySet()) {
            if (!asked.contains(key)) {
                String closest = Texts.closest(key, asked)
                        .map(known -> "; did you mean " + known + "?")
                        .orElse("; known here: " + String.join(", ", asked));
                error(key, "is not a key of Kiln" + closest);
            }
        }
    }

    private <T> Optional<T> read(String key, String allowed, Function<String, T> getter, Predicate<T> fits) {
        return read(key, allowed, getter, fits, true);
    }

    private <T> Optional<T> read(
            String key, String allowed, Function<String, T> getter, Predicate<T> fits, boolean show) {
        if (!isSet(key)) {
            error(key, "is missing; it must be " + allowed);
            return Optional.empty();
        }
        try {
            T value = getter.apply(ConfigUtil.joinPath(key));
            if (fits.test(value)) {
                return Optional.of(value);
            }
        } catch (ConfigException | ArithmeticException e) {
            // of another type: reported below, in our own words, which never hold a secret
        }
        error(key, "must be " + allowed + (show ? shown(object.get(key)) : ""));
        return Optional.empty();
    }

    private static String shown(ConfigValue value) {
        String text = isScalar(value) ? String.valueOf(value.unwrapped()) : "";
        return PRINTABLE.test(text) && text.length() <= 60 ? ", not \"" + text + "\"" : "";
    }

    private static boolean isScalar(ConfigValue value) {
        return switch (value.valueType()) {
            case STRING, NUMBER, BOOLEAN -> true;
            default -> false;
        };
    }

    private ConfigOrigin where(String key) {
        ConfigValue value = object.get(key);
        return value == null ? origin : value.origin();
    }

    /** The key as the operator wrote it: where the value is inherited, the name it is inherited from. */
    private String name(String key) {
        ConfigValue value = object.get(key);
        ConfigValue inherited = defaults.get(key);
        boolean isInherited =
                value != null && inherited != null && value.origin().equals(inherited.origin());
        return (isInherited ? defaultsPath : path) + "." + ConfigUtil.joinPath(key);
    }
}
