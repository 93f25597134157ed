package dev.kiln.http.registry;

import dev.kiln.build.PushToken;
import dev.kiln.client.PlatformName;
import dev.kiln.oci.Digest;
import dev.kiln.oci.Platform;
import dev.kiln.oci.RepositoryName;
import dev.kiln.oci.Tag;
import dev.kiln.problem.Problem;
import dev.kiln.problem.ProblemCode;
import java.util.Optional;
import java.util.function.Function;

/**
 * A path under /v2, read once (distribution specification, "Endpoints"). It is read undecoded and from its end: names may
 * hold slashes and words such as {@code manifests}, but no character that needs encoding. The one encoding that is
 * understood is {@code %3A} in a digest, which some clients send.
 *
 * <p>Each of them may stand below {@code /v2/p/<os>-<architecture>[-<variant>][-<feature>…]/} as well, where clients can be configured
 * to look for images; the segment is a hint ({@link #hint}) and part of no name. Below {@code /v2/b/<token>/} the image of one build is pushed ({@link #token}).
 */
public sealed interface RegistryPath {
    /** {@code /v2/} */
    record ApiVersion() implements RegistryPath {}

    /** A path of one repository. */
    sealed interface Named extends RegistryPath {
        RepositoryName name();
    }

    /** {@code /v2/<name>/manifests/<tag>} */
    record ManifestByTag(RepositoryName name, Tag tag) implements Named {}

    /** {@code /v2/<name>/manifests/<digest>} */
    record ManifestByDigest(RepositoryName name, Digest digest) implements Named {}

    /** {@code /v2/<name>/blobs/<digest>} */
    record Blob(RepositoryName name, Digest digest) implements Named {}

    /** {@code /v2/<name>/tags/list} */
    record Tags(RepositoryName name) implements Named {}

    /** {@code /v2/<name>/referrers/<digest>} */
    record Referrers(RepositoryName name, Digest digest) implements Named {}

    /** {@code /v2/<name>/blobs/uploads/} */
    record Uploads(RepositoryName name) implements Named {}

    /**
     * {@code /v2/<name>/blobs/uploads/<id>}
     *
     * @param id any text
     */
    record Upload(RepositoryName name, String id) implements Named {}

    /** {@code /v2/_catalog} */
    record Catalog() implements RegistryPath {}

    /** No endpoint, or one whose name, tag or digest is outside the grammar. */
    record Invalid(Problem problem) implements RegistryPath {}

    String PREFIX = "/v2/";
    String CATALOG = PREFIX + "_catalog";

    /** Not called what it holds: Docker takes a 404 with that word for one that says something else. */
    String HINT_PREFIX = PREFIX + "p/";

    /** What a build is given to push its image has a token behind this, and then what else stands behind {@link #PREFIX}. */
    String TOKEN_PREFIX = PREFIX + "b/";

    /** The token in a path; a segment that has not the form of one is part of a name. */
    static Optional<PushToken> token(String rawPath) {
        if (!rawPath.startsWith(TOKEN_PREFIX)) {
            return Optional.empty();
        }
        int slash = rawPath.indexOf('/', TOKEN_PREFIX.length());
        return slash < 0 ? Optional.empty() : PushToken.parse(rawPath.substring(TOKEN_PREFIX.length(), slash));
    }

    /** What a client goes on below: with the token that it came with. */
    static String root(String rawPath) {
        return token(rawPath).map(token -> TOKEN_PREFIX + token.text() + "/").orElse(PREFIX);
    }

    /** The platform that a path's segment names. */
    static Optional<Platform> hint(String rawPath) {
        if (!rawPath.startsWith(HINT_PREFIX)) {
            return Optional.empty();
        }
        return PlatformName.parse(rawPath.substring(HINT_PREFIX.length(), hintEnd(rawPath)));
    }

    private static int hintEnd(String rawPath) {
        int slash = rawPath.indexOf('/', HINT_PREFIX.length());
        return slash < 0 ? rawPath.length() : slash;
    }

    /** @param rawPath undecoded, {@code /v2} or beginning with {@code /v2/} */
    static RegistryPath parse(String rawPath) {
        if (hint(rawPath).isPresent()) {
            int end = hintEnd(rawPath);
            return parsePlain(PREFIX + rawPath.substring(Math.min(rawPath.length(), end + 1)));
        }
        int root = root(rawPath).length();
        return parsePlain(root == PREFIX.length() ? rawPath : PREFIX + rawPath.substring(root));
    }

    private static RegistryPath parsePlain(String rawPath) {
        if (rawPath.length() <= PREFIX.length()) {
            return new ApiVersion();
        }
        if (rawPath.equals(CATALOG)) {
            return new Catalog();
        }
        int last = rawPath.lastIndexOf('/');
        int before = rawPath.lastIndexOf('/', last - 1);
        if (last < PREFIX.length() || before < PREFIX.length() - 1) {
            return noEndpoint();
        }
        String reference = rawPath.substring(last + 1);
        int keyword = before + 1;
        int length = last - keyword;
        if (isAt(rawPath, keyword, length, "uploads") && rawPath.startsWith("/blobs", before - "/blobs".length())) {
            return named(
                    rawPath,
                    before - "/blobs".length(),
                    name -> reference.isEmpty() ? new Uploads(name) : new Upload(name, reference));
        }
        if (isAt(rawPath, keyword, length, "manifests")) {
            return named(rawPath, before, name -> manifest(name, reference));
        }
        if (isAt(rawPath, keyword, length, "blobs")) {
            return reference.equals("uploads")
                    ? named(rawPath, before, Uploads::new)
                    : named(rawPath, before, name -> digest(reference, digest -> new Blob(name, digest)));
        }
        if (isAt(rawPath, keyword, length, "tags") && reference.equals("list")) {
            return named(rawPath, before, Tags::new);
        }
        if (isAt(rawPath, keyword, length, "referrers")) {
            return named(rawPath, before, name -> digest(reference, digest -> new Referrers(name, digest)));
        }
        return noEndpoint();
    }

    private static boolean isAt(String path, int begin, int length, String word) {
        return length == word.length() && path.startsWith(word, begin);
    }

    private static RegistryPath named(String path, int end, Function<RepositoryName, RegistryPath> then) {
        String text = end <= PREFIX.length() ? "" : path.substring(PREFIX.length(), end);
        Optional<RepositoryName> name = RepositoryName.parse(text);
        return name.isPresent()
                ? then.apply(name.get())
                : invalid(
                        ProblemCode.NAME_INVALID,
                        "the repository name is outside the grammar: lower-case letters, digits, single separators"
                                + " . _ - and /, at most 255 characters");
    }

    private static RegistryPath manifest(RepositoryName name, String reference) {
        if (reference.indexOf(':') >= 0 || reference.indexOf('%') >= 0) {
            return digest(reference, digest -> new ManifestByDigest(name, digest));
        }
        Optional<Tag> tag = Tag.parse(reference);
        return tag.isPresent()
                ? new ManifestByTag(name, tag.get())
                : invalid(
                        ProblemCode.NAME_INVALID,
                        "the tag is outside the grammar: letters, digits, . _ -, not beginning with . or -, at most"
                                + " 128 characters");
    }

    private static RegistryPath digest(String text, Function<Digest, RegistryPath> then) {
        // Longer than any digest is none; it is not searched for encodings.
        String plain = text.length() > 150 ? "" : text.replace("%3A", ":").replace("%3a", ":");
        Optional<Digest> digest = Digest.parse(plain);
        return digest.isPresent()
                ? then.apply(digest.get())
                : invalid(
                        ProblemCode.DIGEST_INVALID,
                        "the digest is not of the form sha256:<64 lower-case hex digits> or sha512:<128>");
    }

    private static RegistryPath noEndpoint() {
        return new Invalid(new Problem(
                ProblemCode.UNSUPPORTED,
                404,
                "no such endpoint: use /v2/<name>/ with manifests/<reference>, blobs/<digest>, tags/list or"
                        + " referrers/<digest>"));
    }

    private static RegistryPath invalid(ProblemCode code, String message) {
        return new Invalid(new Problem(code, message));
    }
}
