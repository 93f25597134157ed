package dev.kiln.image;

import dev.kiln.build.Cause;
import dev.kiln.client.Hint;
import dev.kiln.client.WaitPlan;
import dev.kiln.oci.ImageForm;
import dev.kiln.oci.RepositoryName;
import dev.kiln.oci.Tag;
import java.util.Optional;
import java.util.concurrent.CompletionStage;
import java.util.function.Supplier;

/**
 * One GET or HEAD of a manifest by tag.
 *
 * @param hop the {@code w} parameter as it came; an invalid one is as if absent
 * @param form what the client's {@code Accept} lines take
 * @param plan how long it may wait, of its kind of client and within the repository's limits
 * @param otherwise what is pulled instead when the source has no such tag
 * @param gone completed when nobody waits for the answer any more: then it is not waited for here either
 * @param cause asked for when the pull causes anything, which a hit does not
 */
public record Pull(
        RepositoryName repository,
        Tag tag,
        Optional<Hint> hint,
        Optional<String> hop,
        ImageForm form,
        WaitPlan plan,
        CompletionStage<Void> gone,
        Supplier<Cause> cause,
        Optional<Pull> otherwise) {
    public Pull otherwise(Optional<Pull> pull) {
        return new Pull(repository, tag, hint, hop, form, plan, gone, cause, pull);
    }

    boolean acceptsIndex() {
        return form.isIndex();
    }

    Wish wish() {
        return new Wish(hint, acceptsIndex(), plan.wholeIndex());
    }
}
