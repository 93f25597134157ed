package dev.kiln.blob;

import dev.kiln.oci.Digest;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/**
 * The digests of one algorithm that begin with the same byte: the contents of one folder, of which each kind of file has 512.
 *
 * @param algorithm {@code sha256} or {@code sha512}
 * @param begin two hex digits
 */
public record Shard(String algorithm, String begin) {
    private static final int PREFIX = 2;

    static Shard of(Digest digest) {
        return new Shard(digest.algorithm(), digest.hex().substring(0, PREFIX));
    }

    public static List<Shard> all() {
        return Stream.of("sha256", "sha512")
                .flatMap(algorithm ->
                        IntStream.range(0, 256).mapToObj(first -> new Shard(algorithm, String.format("%02x", first))))
                .toList();
    }

    /** {@code folder/sha256/ab} */
    Path of(Path folder) {
        return folder.resolve(algorithm).resolve(begin);
    }
}
