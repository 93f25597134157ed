package dev.kiln.http.registry;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kiln.source.Sources;
import org.junit.jupiter.api.Test;

class TagRoutesTest {
    @Test
    void theLongestPageIsAskedForWithOneTagMoreThatSaysWhetherThereAreOthers() {
        assertThat(TagRoutes.MAX_PAGE + 1).isLessThanOrEqualTo(Sources.MAX_TAGS);
    }
}
