package dev.kiln.testing;

import dev.kiln.oci.BuildKey;
import dev.kiln.oci.Descriptor;
import dev.kiln.oci.Digest;
import dev.kiln.oci.Platform;
import dev.kiln.oci.RepositoryName;
import dev.kiln.oci.Revision;
import dev.kiln.oci.Tag;
import java.lang.reflect.Constructor;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.ParameterizedType;
import java.lang.reflect.RecordComponent;
import java.lang.reflect.Type;
import java.time.Duration;
import java.time.Instant;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Stream;

/** Makes one object of a type, whatever it is made of: nothing in it is empty. */
public final class Specimens {
    private static final Digest DIGEST = Digest.sha256(new byte[] {1});
    private static final Platform PLATFORM = Platform.parse("linux/arm64/v8").orElseThrow();
    private static final Revision REVISION = new Revision("a".repeat(40));
    private static final RepositoryName NAME = new RepositoryName("team/app");

    private final Map<Class<?>, Object> leaves = new HashMap<>(Map.ofEntries(
            Map.entry(boolean.class, true),
            Map.entry(int.class, 2),
            Map.entry(long.class, 3L),
            Map.entry(byte[].class, new byte[] {4}),
            Map.entry(Boolean.class, true),
            Map.entry(Integer.class, 5),
            Map.entry(Long.class, 6L),
            Map.entry(String.class, "text"),
            Map.entry(Duration.class, Duration.ofSeconds(7)),
            Map.entry(Instant.class, Instant.ofEpochSecond(8)),
            Map.entry(Digest.class, DIGEST),
            Map.entry(Platform.class, PLATFORM),
            Map.entry(Revision.class, REVISION),
            Map.entry(RepositoryName.class, NAME),
            Map.entry(Tag.class, new Tag("main")),
            Map.entry(BuildKey.class, new BuildKey(NAME, REVISION, PLATFORM)),
            Map.entry(Descriptor.class, new Descriptor("application/json", DIGEST, 9))));

    /** What every component of this type is; for those that no constructor alone can make. */
    public Specimens with(Class<?> type, Object specimen) {
        leaves.put(type, specimen);
        return this;
    }

    /** The classes of which an object of {@code type} may be: itself, or all that a sealed type permits. */
    public static Stream<Class<?>> kinds(Class<?> type) {
        return type.isSealed()
                ? Arrays.stream(type.getPermittedSubclasses()).flatMap(Specimens::kinds)
                : Stream.of(type);
    }

    public Object of(Type type) {
        if (type instanceof ParameterizedType made) {
            return of(made);
        }
        Class<?> raw = (Class<?>) type;
        if (leaves.containsKey(raw)) {
            return leaves.get(raw);
        }
        if (raw.isEnum()) {
            return raw.getEnumConstants()[0];
        }
        return raw.isSealed() ? of(kinds(raw).findFirst().orElseThrow()) : record(raw);
    }

    private Object of(ParameterizedType made) {
        Class<?> raw = (Class<?>) made.getRawType();
        Type[] of = made.getActualTypeArguments();
        if (raw == Optional.class) {
            return Optional.of(of(of[0]));
        } else if (raw == List.class) {
            return List.of(of(of[0]));
        } else if (raw == Set.class) {
            return Set.of(of(of[0]));
        } else if (raw == Map.class) {
            return Map.of(of(of[0]), of(of[1]));
        }
        return of(raw);
    }

    private Object record(Class<?> type) {
        if (!type.isRecord()) {
            throw new IllegalArgumentException(type + " is no record: say what one looks like");
        }
        RecordComponent[] components = type.getRecordComponents();
        Object[] values = Arrays.stream(components)
                .map(component -> of(component.getGenericType()))
                .toArray();
        try {
            Constructor<?> constructor = type.getDeclaredConstructor(
                    Arrays.stream(components).map(RecordComponent::getType).toArray(Class<?>[]::new));
            constructor.setAccessible(true);
            return constructor.newInstance(values);
        } catch (InvocationTargetException e) {
            throw new IllegalArgumentException(type + " cannot be made of " + Arrays.toString(values), e.getCause());
        } catch (ReflectiveOperationException e) {
            throw new IllegalArgumentException(type + " cannot be made", e);
        }
    }
}
