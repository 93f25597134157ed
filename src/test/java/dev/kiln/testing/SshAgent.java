package dev.kiln.testing;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.awaitility.Awaitility;

/** OpenSSH's agent, without keys at first. Tests that need it are skipped where it is not installed. */
public final class SshAgent implements AutoCloseable {
    private static final Path PROGRAM = Path.of("/usr/bin/ssh-agent");

    private final Process process;
    private final Path socket;

    private SshAgent(Process process, Path socket) {
        this.process = process;
        this.socket = socket;
    }

    public static SshAgent start(Path folder) throws IOException {
        assumeTrue(Files.isExecutable(PROGRAM), "there is no ssh-agent here");
        Path socket = folder.resolve("agent");
        Process process = new ProcessBuilder(PROGRAM.toString(), "-D", "-a", socket.toString())
                .redirectErrorStream(true)
                .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                .start();
        Awaitility.await().until(() -> Files.exists(socket));
        return new SshAgent(process, socket);
    }

    public Path socket() {
        return socket;
    }

    /** Lets it know the private key of a file, which it needs no more then. */
    public void add(Path key) throws IOException, InterruptedException {
        ProcessBuilder add = new ProcessBuilder("ssh-add", key.toString());
        add.environment().put("SSH_AUTH_SOCK", socket.toString());
        assertThat(add.start().waitFor()).isZero();
    }

    @Override
    public void close() {
        process.destroy();
        process.onExit().join();
    }
}
