package dev.kiln.worker.builder;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.kiln.testing.BuildUsers;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class IsolationTest {
    @TempDir
    Path root;

    @Test
    void saysWhatItLacks() throws Exception {
        Isolation isolation = Isolation.probe(root.resolve("work"), BuildUsers.next(), 2);
        assertThat(isolation.root()).isEqualTo(Attempts.root());
        assertThat(isolation.lacks().isEmpty()).isEqualTo(isolation.root() && isolation.namespaces());
        assertThat(root.resolve("work")).isEmptyDirectory();
    }

    @Test
    void refusesUserIdsOfOthers() {
        assumeTrue(Attempts.root(), "needs root");
        assertThatThrownBy(() -> Isolation.probe(root, 65_533, 2))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("nobody has the id 65534");
        assertThatThrownBy(() -> Isolation.probe(root, 0, 2))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("worker.uid-base is 0");
    }

    @Test
    void whatSteersProgramsIsNotInheritedByThoseThatRunAsRoot() {
        assertThat(Isolation.inherited(
                        Map.of("LD_PRELOAD", "x", "ENV", "x", "odd.name", "x", "TOKEN", "x", "PATH", "x")))
                .containsOnlyKeys("TOKEN", "PATH");
    }
}
