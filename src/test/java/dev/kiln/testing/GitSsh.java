package dev.kiln.testing;

import java.io.IOException;
import java.io.OutputStream;
import java.net.InetAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.GeneralSecurityException;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.util.List;
import org.apache.sshd.common.config.keys.KeyUtils;
import org.apache.sshd.common.config.keys.PublicKeyEntry;
import org.apache.sshd.common.config.keys.writer.openssh.OpenSSHKeyPairResourceWriter;
import org.apache.sshd.common.keyprovider.KeyPairProvider;
import org.apache.sshd.server.SshServer;
import org.apache.sshd.server.command.AbstractCommandSupport;
import org.eclipse.jgit.lib.Repository;
import org.eclipse.jgit.storage.file.FileRepositoryBuilder;
import org.eclipse.jgit.transport.UploadPack;

/** A git server over ssh, serving the bare repositories of a folder to the holder of one key. */
public final class GitSsh implements AutoCloseable {
    private final SshServer server = SshServer.setUpDefaultServer();
    private final KeyPair hostKey = newKey();
    private final KeyPair clientKey = newKey();
    private final Path root;

    public GitSsh(Path root) throws IOException, GeneralSecurityException {
        this.root = root;
        server.setHost(InetAddress.getLoopbackAddress().getHostAddress());
        server.setKeyPairProvider(KeyPairProvider.wrap(hostKey));
        server.setPublickeyAuthenticator((user, key, session) -> KeyUtils.compareKeys(key, clientKey.getPublic()));
        server.setCommandFactory((channel, command) -> new Upload(command));
        server.start();
    }

    private static KeyPair newKey() throws GeneralSecurityException {
        KeyPairGenerator generator = KeyPairGenerator.getInstance("EC");
        generator.initialize(256);
        return generator.generateKeyPair();
    }

    public int port() {
        return server.getPort();
    }

    public String url(String path) {
        return "ssh://git@127.0.0.1:" + server.getPort() + path;
    }

    /** A file with the private key that the server lets in. */
    public Path privateKey(Path file) throws IOException, GeneralSecurityException {
        try (OutputStream out = Files.newOutputStream(file)) {
            OpenSSHKeyPairResourceWriter.INSTANCE.writePrivateKey(clientKey, "test", null, out);
        }
        Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rw-------"));
        return file;
    }

    /** A file that trusts this server, or at the same address one with another key. */
    public Path knownHosts(Path file, boolean right) throws IOException, GeneralSecurityException {
        String key = PublicKeyEntry.toString((right ? hostKey : newKey()).getPublic());
        return Files.write(file, List.of("[127.0.0.1]:" + server.getPort() + " " + key));
    }

    private final class Upload extends AbstractCommandSupport {
        Upload(String command) {
            super(command, null);
        }

        @Override
        public void run() {
            String command = getCommand();
            Path directory = root.resolve(command.replaceAll("^git-upload-pack '/|'$", ""));
            int exit = 0;
            try {
                if (Files.exists(directory)) {
                    try (Repository repository = new FileRepositoryBuilder()
                            .setGitDir(directory.toFile())
                            .setBare()
                            .build()) {
                        new UploadPack(repository).upload(getInputStream(), getOutputStream(), getErrorStream());
                    }
                } else {
                    getErrorStream().write("ERROR: Repository not found.\n".getBytes(StandardCharsets.UTF_8));
                    getErrorStream().flush();
                    exit = 1;
                }
            } catch (IOException e) {
                exit = 2;
            }
            onExit(exit);
        }
    }

    @Override
    public void close() throws IOException {
        server.close(true);
    }
}
