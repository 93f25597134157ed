package dev.kiln.source;

import dev.kiln.oci.Digest;
import dev.kiln.oci.Tag;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.regex.Pattern;
import org.eclipse.jgit.lib.ObjectId;

/**
 * The allowed refs of a git repository, as one complete answer of git told them, and the tags they make. A branch or git
 * tag is pulled by its name; one with slashes by {@code --} in their place, unless that is ambiguous. Immutable.
 */
final class RefTable {
    /** What a ref points at: directly, and with annotated tags followed to their end. */
    record Pointer(ObjectId object, ObjectId target) {}

    /** A ref by its full name, and the end of what it points at. */
    record Named(String ref, ObjectId target) {}

    /** What a tag means among the refs. */
    sealed interface Reading {
        record One(Named named) implements Reading {}

        /** @param reason why a ref of that name is not pulled by it */
        record Refused(String reason) implements Reading {}

        record None() implements Reading {}
    }

    private static final String TAGS = "refs/tags/";
    private static final String BRANCHES = "refs/heads/";
    private static final Pattern FULL_ID = Pattern.compile("[0-9a-fA-F]{40}|[0-9a-fA-F]{64}");
    private static final Pattern COMMIT_ID = Pattern.compile("[0-9a-fA-F]{7,40}|[0-9a-fA-F]{64}");

    private final SortedMap<String, Pointer> pointers;
    /** Refs with a slash in their short name, by the tag they make. */
    private final Map<String, List<String>> respelled = new HashMap<>();

    private final Set<ObjectId> tips = new HashSet<>();
    private final Set<ObjectId> branchTips = new HashSet<>();
    private final List<Tag> tags;
    /** Made when it is first asked for, perhaps more than once: most tables are dropped for an earlier one with the same refs. */
    private volatile Digest digest;

    /** @param pointers by full ref name */
    RefTable(Map<String, Pointer> pointers) {
        this.pointers = Collections.unmodifiableSortedMap(new TreeMap<>(pointers));
        this.pointers.forEach((ref, pointer) -> {
            tips.add(pointer.target());
            if (ref.startsWith(BRANCHES)) {
                branchTips.add(pointer.target());
            }
        });
        Set<String> candidates = new HashSet<>();
        for (String ref : this.pointers.keySet()) {
            shortName(ref).ifPresent(name -> {
                if (name.indexOf('/') >= 0) {
                    respelled
                            .computeIfAbsent(name.replace("/", "--"), unused -> new ArrayList<>())
                            .add(ref);
                }
                candidates.add(name.replace("/", "--"));
            });
        }
        List<Tag> listed = new ArrayList<>();
        for (String candidate : candidates) {
            Tag.parse(candidate)
                    .filter(tag -> !tag.isReferrersFallback() && read(tag) instanceof Reading.One)
                    .ifPresent(listed::add);
        }
        Collections.sort(listed);
        this.tags = List.copyOf(listed);
    }

    /**
     * The ref that {@code tag} names: a git tag before a branch, a literal name before one with slashes. A branch that could
     * be taken for a commit id is refused, and a git tag that could be taken for a full one: many a git tag is a date.
     */
    Reading read(Tag tag) {
        String name = tag.value();
        boolean asTag = pointers.containsKey(TAGS + name);
        if (asTag || pointers.containsKey(BRANCHES + name)) {
            if ((asTag ? FULL_ID : COMMIT_ID).matcher(name).matches()) {
                return new Reading.Refused("the " + (asTag ? "git tag " : "branch ") + name
                        + " looks like a commit id and is not pulled by that name: pull its commit id, or rename it");
            }
            return one((asTag ? TAGS : BRANCHES) + name);
        }
        List<String> refs = respelled.getOrDefault(name, List.of());
        return switch (refs.size()) {
            case 0 -> new Reading.None();
            case 1 -> one(refs.get(0));
            default ->
                new Reading.Refused(name + " is ambiguous: it could be " + refs.get(0) + " or " + refs.get(1)
                        + "; pull a commit id instead");
        };
    }

    private Reading one(String ref) {
        return new Reading.One(new Named(ref, pointers.get(ref).target()));
    }

    /** Whether a branch points at {@code id}, which is then certainly a commit. */
    boolean isBranchTip(ObjectId id) {
        return branchTips.contains(id);
    }

    /** What the refs point at in the end. */
    Set<ObjectId> tips() {
        return Collections.unmodifiableSet(tips);
    }

    /** In byte order, none twice; each of them is read as one ref. */
    List<Tag> tags() {
        return tags;
    }

    /** By full ref name. */
    SortedMap<String, Pointer> pointers() {
        return pointers;
    }

    int size() {
        return pointers.size();
    }

    /** The same for tables with the same refs, in whatever process. */
    Digest digest() {
        Digest made = digest;
        if (made == null) {
            MessageDigest hash = Digest.newMessageDigest("sha256");
            pointers.forEach((ref, pointer) -> {
                // A ref's name holds no line break.
                String line = pointer.object().name() + " " + pointer.target().name() + " " + ref + "\n";
                hash.update(line.getBytes(StandardCharsets.UTF_8));
            });
            made = Digest.of("sha256", hash.digest());
            digest = made;
        }
        return made;
    }

    private static Optional<String> shortName(String ref) {
        if (ref.startsWith(TAGS)) {
            return Optional.of(ref.substring(TAGS.length()));
        }
        return ref.startsWith(BRANCHES) ? Optional.of(ref.substring(BRANCHES.length())) : Optional.empty();
    }

    /** Whether {@code other} has the same refs. Tables are else compared as objects, which costs nothing. */
    boolean hasRefsOf(RefTable other) {
        return pointers.equals(other.pointers);
    }
}
