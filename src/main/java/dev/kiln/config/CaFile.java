package dev.kiln.config;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.cert.CertificateException;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.util.List;

/**
 * Certificate authorities that an operator trusts, read once, at the start.
 *
 * @param path where they were read
 * @param certificates never empty
 */
public record CaFile(Path path, List<X509Certificate> certificates) {
    private static final long MAX_BYTES = 16L * 1024 * 1024;

    public CaFile {
        certificates = List.copyOf(certificates);
    }

    /** @throws IOException also when {@code path} holds no certificates in PEM */
    static CaFile read(Path path) throws IOException {
        if (Files.size(path) > MAX_BYTES) {
            throw new IOException(path + " is longer than " + MAX_BYTES + " bytes");
        }
        try (InputStream in = Files.newInputStream(path)) {
            List<X509Certificate> certificates =
                    CertificateFactory.getInstance("X.509").generateCertificates(in).stream()
                            .map(X509Certificate.class::cast)
                            .toList();
            if (certificates.isEmpty()) {
                throw new IOException(path + " holds no certificates");
            }
            return new CaFile(path, certificates);
        } catch (CertificateException e) {
            throw new IOException(path + " holds no certificates in PEM", e);
        }
    }
}
