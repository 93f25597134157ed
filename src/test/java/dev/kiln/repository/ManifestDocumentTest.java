package dev.kiln.repository;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import dev.kiln.oci.Digest;
import dev.kiln.oci.ImageManifest;
import dev.kiln.oci.MediaTypes;
import dev.kiln.problem.Problem;
import dev.kiln.problem.ProblemCode;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What is taken for a manifest, and what is said of what is none. */
class ManifestDocumentTest {
    private static final String A = "sha256:" + "a".repeat(64);
    private static final String B = "sha256:" + "b".repeat(64);
    private static final String LONG = "sha512:" + "c".repeat(128);
    private static final String CONFIG = descriptor(MediaTypes.OCI_CONFIG, A, 2);
    private static final String LAYER = descriptor(MediaTypes.OCI_LAYER_GZIP, B, 3);

    private static String descriptor(String type, String digest, long size) {
        return "{'mediaType':'" + type + "','digest':'" + digest + "','size':" + size + "}";
    }

    private static String image(String more) {
        return "{'schemaVersion':2,'mediaType':'" + MediaTypes.OCI_MANIFEST + "','config':" + CONFIG + ",'layers':["
                + LAYER + "]" + more + "}";
    }

    private static String index(String children, String more) {
        return "{'schemaVersion':2,'mediaType':'" + MediaTypes.OCI_INDEX + "','manifests':" + children + more + "}";
    }

    private static ManifestDocument parse(String json, String... contentType) {
        return ManifestDocument.parse(
                json.replace('\'', '"').getBytes(StandardCharsets.UTF_8),
                contentType.length == 0 ? Optional.empty() : Optional.of(contentType[0]));
    }

    private static Problem refused(String json, String... contentType) {
        return catchThrowableOfType(Problem.class, () -> parse(json, contentType));
    }

    @Test
    void anImageRefersToItsConfigurationAndLayers() {
        ManifestDocument image = parse(image(""), MediaTypes.OCI_MANIFEST);

        assertThat(image.mediaType()).isEqualTo(MediaTypes.OCI_MANIFEST);
        assertThat(image.references())
                .extracting(r -> r.descriptor().digest().value() + " " + r.manifest())
                .containsExactly(A + " false", B + " false");
        assertThat(image.subject()).isEmpty();
        assertThat(image.artifactType()).as("its configuration's type").contains(MediaTypes.OCI_CONFIG);
        assertThat(image.pushed(new Digest(LONG), 77).descriptor().size()).isEqualTo(77);
    }

    @Test
    void anIndexRefersToManifestsAndItsOwnTypeIsItsOnlyOne() {
        String children =
                "[" + descriptor(MediaTypes.OCI_INDEX, A, 2) + "," + descriptor(MediaTypes.OCI_MANIFEST, LONG, 3) + "]";

        assertThat(parse(index(children, "")).references())
                .extracting(r -> r.descriptor().digest().value() + " " + r.manifest())
                .containsExactly(A + " true", LONG + " true");
        assertThat(parse(index(children, "")).artifactType()).isEmpty();
        assertThat(parse(index("[]", ",'artifactType':'a/b'")).artifactType()).contains("a/b");
        assertThat(parse(index("null", "")).references()).isEmpty();
    }

    /** BuildKit's cache in a registry is one. */
    @Test
    void anIndexMayListBlobs() {
        String cache = descriptor("application/vnd.buildkit.cacheconfig.v0", A, 2);

        assertThat(parse(index("[" + LAYER + "," + cache + "]", "")).references())
                .extracting(r -> r.descriptor().digest().value() + " " + r.manifest())
                .containsExactly(B + " false", A + " false");
    }

    @Test
    void aSubjectIsNoReference() {
        ManifestDocument signature =
                parse(image(",'artifactType':'x/sig','subject':" + descriptor(MediaTypes.OCI_INDEX, LONG, 5)));

        assertThat(signature.subject()).contains(new Digest(LONG));
        assertThat(signature.artifactType()).contains("x/sig");
        assertThat(signature.references()).hasSize(2);
    }

    @Test
    void layersThatAreHadElsewhereAreNotNeeded() {
        String elsewhere = descriptor("application/vnd.oci.image.layer.nondistributable.v1.tar+gzip", B, 3);
        String foreign = descriptor("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", B, 3);
        String url = LAYER.replace("}", ",'urls':['https://example.com/x']}");

        for (String layer : new String[] {elsewhere, foreign, url}) {
            ManifestDocument image = parse(image("").replace(LAYER, layer));
            assertThat(image.references())
                    .extracting(ManifestDocument.Reference::optional)
                    .containsExactly(false, true);
            assertThat(image.pushed(new Digest(LONG), 77).references())
                    .as("one that was pushed all the same stays")
                    .contains(new Digest(B));
            assertThat(parse(image("").replace(LAYER, layer + "," + LAYER)).references())
                    .as("needed as well")
                    .noneMatch(ManifestDocument.Reference::optional);
        }
    }

    @Test
    void oneThatSaysNothingOfItselfIsWhatTheClientSays() {
        String bare = "{'schemaVersion':2,'config':" + CONFIG + ",'layers':[]}";

        assertThat(parse(bare).mediaType()).isEqualTo(MediaTypes.OCI_MANIFEST);
        assertThat(parse(bare, MediaTypes.DOCKER_MANIFEST).mediaType()).isEqualTo(MediaTypes.DOCKER_MANIFEST);
        assertThat(parse("{'schemaVersion':2,'manifests':[]}").mediaType()).isEqualTo(MediaTypes.OCI_INDEX);
    }

    @Test
    void dataMustBeWhatTheDescriptorSays() {
        String json = Base64.getEncoder().encodeToString("{}".getBytes(StandardCharsets.US_ASCII));
        String digest = Digest.sha256("{}".getBytes(StandardCharsets.US_ASCII)).value();
        String good = descriptor(MediaTypes.OCI_CONFIG, digest, 2).replace("}", ",'data':'" + json + "'}");

        assertThat(parse(image("").replace(CONFIG, good)).references()).hasSize(2);
        assertThat(refused(image("").replace(CONFIG, good.replace(digest, B))).code())
                .isEqualTo(ProblemCode.MANIFEST_INVALID);
        assertThat(refused(image("").replace(CONFIG, good.replace(json, "?"))).code())
                .isEqualTo(ProblemCode.MANIFEST_INVALID);
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', quoteCharacter = '`', textBlock = """
            not JSON                       | MANIFEST_INVALID | hello
            no object                      | MANIFEST_INVALID | [1]
            cut off                        | MANIFEST_INVALID | {'schemaVersion':2
            a member twice                 | MANIFEST_INVALID | {'schemaVersion':2,'schemaVersion':2,'manifests':[]}
            no version                     | MANIFEST_INVALID | {'mediaType':'INDEX','manifests':[]}
            version 1                      | MANIFEST_INVALID | {'schemaVersion':1,'manifests':[]}
            a version that is text         | MANIFEST_INVALID | {'schemaVersion':'2','manifests':[]}
            an unknown type                | MANIFEST_INVALID | {'schemaVersion':2,'mediaType':'a/b','manifests':[]}
            a type that is a number        | MANIFEST_INVALID | {'schemaVersion':2,'mediaType':7,'manifests':[]}
            an image without configuration | MANIFEST_INVALID | {'schemaVersion':2,'layers':[]}
            an image without layers        | MANIFEST_INVALID | {'schemaVersion':2,'config':CONFIG}
            layers that are no list        | MANIFEST_INVALID | {'schemaVersion':2,'config':CONFIG,'layers':{}}
            an index without manifests     | MANIFEST_INVALID | {'schemaVersion':2,'mediaType':'INDEX'}
            both an index and an image     | MANIFEST_INVALID | {'schemaVersion':2,'mediaType':'INDEX','manifests':[],'layers':[]}
            both an image and an index     | MANIFEST_INVALID | {'schemaVersion':2,'mediaType':'IMAGE','config':CONFIG,'layers':[],'manifests':[]}
            a child that is no object      | MANIFEST_INVALID | {'schemaVersion':2,'mediaType':'INDEX','manifests':[7]}
            annotations that are no object | MANIFEST_INVALID | {'schemaVersion':2,'mediaType':'INDEX','manifests':[],'annotations':[]}
            an annotation that is no text  | MANIFEST_INVALID | {'schemaVersion':2,'mediaType':'INDEX','manifests':[],'annotations':{'a':1}}
            an artifact type that is none  | MANIFEST_INVALID | {'schemaVersion':2,'mediaType':'INDEX','manifests':[],'artifactType':'no type'}
            a subject that is no object    | MANIFEST_INVALID | {'schemaVersion':2,'mediaType':'INDEX','manifests':[],'subject':'x'}
            a child without a type         | MANIFEST_INVALID | {'schemaVersion':2,'mediaType':'INDEX','manifests':[{'digest':'A','size':1}]}
            a child without a digest       | DIGEST_INVALID   | {'schemaVersion':2,'mediaType':'INDEX','manifests':[{'mediaType':'a/b','size':1}]}
            a digest of another kind       | DIGEST_INVALID   | {'schemaVersion':2,'mediaType':'INDEX','manifests':[{'mediaType':'a/b','digest':'md5:00','size':1}]}
            a digest in upper case         | DIGEST_INVALID   | {'schemaVersion':2,'mediaType':'INDEX','manifests':[{'mediaType':'a/b','digest':'SHA','size':1}]}
            a negative size                | SIZE_INVALID     | {'schemaVersion':2,'mediaType':'INDEX','manifests':[{'mediaType':'a/b','digest':'A','size':-1}]}
            a size with a fraction         | SIZE_INVALID     | {'schemaVersion':2,'mediaType':'INDEX','manifests':[{'mediaType':'a/b','digest':'A','size':1.5}]}
            a size no disk has             | SIZE_INVALID     | {'schemaVersion':2,'mediaType':'INDEX','manifests':[{'mediaType':'a/b','digest':'A','size':99999999999999999999}]}
            two sizes of one thing         | SIZE_INVALID     | {'schemaVersion':2,'mediaType':'INDEX','manifests':[{'mediaType':'a/b','digest':'A','size':1},{'mediaType':'a/b','digest':'A','size':2}]}
            """)
    void whatIsNoManifestIsRefusedByTheCodeOfItsMistake(String what, ProblemCode code, String json) {
        String text = json.replace("'INDEX'", "'" + MediaTypes.OCI_INDEX + "'")
                .replace("'IMAGE'", "'" + MediaTypes.OCI_MANIFEST + "'")
                .replace("CONFIG", CONFIG)
                .replace("'A'", "'" + A + "'")
                .replace("'SHA'", "'" + A.toUpperCase(java.util.Locale.ROOT) + "'");

        Problem problem = refused(text);

        assertThat(problem).as(what).isNotNull();
        assertThat(problem.code()).as(what).isEqualTo(code);
        assertThat(problem.status()).isEqualTo(400);
    }

    @Test
    void whatTheClientCallsItMustBeWhatItCallsItself() {
        assertThat(refused(image(""), MediaTypes.DOCKER_MANIFEST).code()).isEqualTo(ProblemCode.MANIFEST_INVALID);
    }

    @Test
    void sizeNestingAndReferencesAreBounded() {
        String deep = "[".repeat(40) + "]".repeat(40);
        assertThat(refused(image(",'x':" + deep)).code()).isEqualTo(ProblemCode.MANIFEST_INVALID);

        String large = image(",'x':'" + "y".repeat(ImageManifest.MAX_SIZE) + "'");
        assertThat(refused(large).getMessage()).contains("larger than 4 MiB");

        StringBuilder children = new StringBuilder();
        for (int i = 0; i < RepositoryCommand.MAX_DIGESTS; i++) {
            children.append(i == 0 ? "" : ",")
                    .append(descriptor(
                            "a/b",
                            Digest.sha256(new byte[] {(byte) i, (byte) (i >> 8)})
                                    .value(),
                            1));
        }
        assertThat(refused(index("[" + children + "]", "")).getMessage()).contains("at most 1499");
    }
}
