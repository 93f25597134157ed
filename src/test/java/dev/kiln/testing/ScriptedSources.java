package dev.kiln.testing;

import dev.kiln.oci.RepositoryName;
import dev.kiln.oci.Revision;
import dev.kiln.oci.Tag;
import dev.kiln.source.Meaning;
import dev.kiln.source.Sources;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;

/** What git says, as a test has it say. Where nothing is said yet, whoever asks waits. Thread-safe. */
public final class ScriptedSources implements Sources {
    private final Map<Tag, CompletableFuture<Meaning>> meanings = new ConcurrentHashMap<>();
    private final Map<Revision, CompletableFuture<ArchiveAnswer>> archives = new ConcurrentHashMap<>();
    private final AtomicInteger resolved = new AtomicInteger();

    /** From now on. */
    public void says(String tag, Meaning meaning) {
        CompletableFuture<Meaning> before = meanings.put(new Tag(tag), CompletableFuture.completedFuture(meaning));
        if (before != null) {
            before.complete(meaning);
        }
    }

    /** From now on. */
    public void archives(Revision revision, ArchiveAnswer answer) {
        CompletableFuture<ArchiveAnswer> before = archives.put(revision, CompletableFuture.completedFuture(answer));
        if (before != null) {
            before.complete(answer);
        }
    }

    /** How often somebody asked what a tag means. */
    public int resolved() {
        return resolved.get();
    }

    @Override
    public CompletionStage<Meaning> resolve(RepositoryName repository, Tag tag, Duration timeout) {
        resolved.incrementAndGet();
        return within(meanings.computeIfAbsent(tag, unused -> new CompletableFuture<>()), timeout);
    }

    @Override
    public CompletionStage<ArchiveAnswer> archive(RepositoryName repository, Revision revision, Duration timeout) {
        return within(archives.computeIfAbsent(revision, unused -> new CompletableFuture<>()), timeout);
    }

    @Override
    public CompletionStage<TagsAnswer> tags(RepositoryName repository, String after, int limit, Duration timeout) {
        return CompletableFuture.completedFuture(new TagsAnswer.Listed(meanings.keySet().stream()
                .filter(tag -> tag.value().compareTo(after) > 0)
                .sorted()
                .limit(limit)
                .toList()));
    }

    private static <A> CompletionStage<A> within(CompletableFuture<A> answer, Duration timeout) {
        return answer.copy().orTimeout(timeout.toMillis(), TimeUnit.MILLISECONDS);
    }
}
