package dev.kiln.testing;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;

/** A certificate authority of a test's own, and the certificate it gave to a server on 127.0.0.1. */
public final class TestAuthority {
    private static final String PASSWORD = "changeit";

    private final Path directory;
    private final Path certificate;
    private final SSLContext server;

    private final Path serverPem;

    private TestAuthority(Path directory, Path certificate, SSLContext server, Path serverPem) {
        this.directory = directory;
        this.certificate = certificate;
        this.server = server;
        this.serverPem = serverPem;
    }

    public static TestAuthority create(Path directory) {
        Path keys = directory.resolve("keys.p12");
        keytool(keys, "ca", "EC", "-dname", "CN=Authority of a test", "-ext", "bc:critical=ca:true");
        keytool(keys, "server", "EC", "-dname", "CN=git", "-ext", "san=ip:127.0.0.1", "-signer", "ca");
        try (InputStream in = Files.newInputStream(keys)) {
            KeyStore store = KeyStore.getInstance("PKCS12");
            store.load(in, PASSWORD.toCharArray());
            String authority = pem("CERTIFICATE", store.getCertificate("ca").getEncoded());
            Path certificate = write(directory.resolve("authority.pem"), authority);
            Path serverPem = write(
                    directory.resolve("server.pem"),
                    pem(
                                    "PRIVATE KEY",
                                    store.getKey("server", PASSWORD.toCharArray())
                                            .getEncoded())
                            + pem("CERTIFICATE", store.getCertificate("server").getEncoded())
                            + authority);
            store.deleteEntry("ca");
            KeyManagerFactory managers = KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
            managers.init(store, PASSWORD.toCharArray());
            SSLContext server = SSLContext.getInstance("TLS");
            server.init(managers.getKeyManagers(), null, null);
            return new TestAuthority(directory, certificate, server, serverPem);
        } catch (IOException | GeneralSecurityException e) {
            throw new IllegalStateException(e);
        }
    }

    private static String pem(String what, byte[] encoded) {
        return "-----BEGIN " + what + "-----\n" + Base64.getMimeEncoder().encodeToString(encoded) + "\n-----END " + what
                + "-----\n";
    }

    private static void keytool(Path keys, String alias, String algorithm, String... more) {
        List<String> command = new ArrayList<>(List.of(
                Path.of(System.getProperty("java.home"), "bin", "keytool").toString(),
                "-genkeypair",
                "-alias",
                alias,
                "-keyalg",
                algorithm,
                "-validity",
                "2",
                "-storetype",
                "PKCS12",
                "-keystore",
                keys.toString(),
                "-storepass",
                PASSWORD));
        command.addAll(List.of(more));
        try {
            Process process =
                    new ProcessBuilder(command).redirectErrorStream(true).start();
            process.getOutputStream().close();
            String printed = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
            if (process.waitFor() != 0) {
                throw new IllegalStateException(printed);
            }
        } catch (IOException e) {
            throw new IllegalStateException(e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException(e);
        }
    }

    private static Path write(Path file, String text) throws IOException {
        return Files.writeString(file, text, StandardCharsets.US_ASCII);
    }

    /** Files in PEM form. */
    public record Identity(Path key, Path certificate) {}

    /** A new RSA key, and this authority's certificate for it. */
    public Identity issue(String subject) {
        Path keys = directory.resolve("keys.p12");
        keytool(keys, subject, "RSA", "-dname", "CN=" + subject, "-signer", "ca");
        try (InputStream in = Files.newInputStream(keys)) {
            KeyStore store = KeyStore.getInstance("PKCS12");
            store.load(in, PASSWORD.toCharArray());
            return new Identity(
                    write(
                            directory.resolve(subject + ".key.pem"),
                            pem(
                                    "PRIVATE KEY",
                                    store.getKey(subject, PASSWORD.toCharArray())
                                            .getEncoded())),
                    write(
                            directory.resolve(subject + ".pem"),
                            pem("CERTIFICATE", store.getCertificate(subject).getEncoded())));
        } catch (IOException | GeneralSecurityException e) {
            throw new IllegalStateException(e);
        }
    }

    /** The authority's own certificate, in PEM. */
    public Path certificate() {
        return certificate;
    }

    /** For a server on 127.0.0.1, and no other name. */
    public SSLContext server() {
        return server;
    }

    /** The same in a file: key, certificate and the authority's, in PEM. */
    public Path serverPem() {
        return serverPem;
    }
}
