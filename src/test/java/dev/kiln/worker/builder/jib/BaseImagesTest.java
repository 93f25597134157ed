package dev.kiln.worker.builder.jib;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.sun.net.httpserver.HttpExchange;
import dev.kiln.build.FailureClass;
import dev.kiln.oci.BuildKey;
import dev.kiln.oci.Digest;
import dev.kiln.oci.ImageManifest;
import dev.kiln.oci.MediaTypes;
import dev.kiln.testing.MemoryBlobStore;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

@Timeout(60)
class BaseImagesTest {
    private static final String REVISION = "0123456789".repeat(4);

    @TempDir
    Path directory;

    private final MemoryBlobStore store = new MemoryBlobStore();
    private FakeRegistry registry;

    @BeforeEach
    void start() throws IOException {
        registry = new FakeRegistry();
    }

    @AfterEach
    void stop() {
        registry.close();
    }

    @Test
    void anAnonymousTokenIsFetchedFromTheRegistryItself() throws Exception {
        Digest digest = registry.publish("1", "linux", "amd64", "a");
        registry.bend(FakeRegistry.challenge(exchange -> "http://" + registry.host() + "/token"));

        assertThat(fetch("linux/amd64", registry.image("1")).digest()).isEqualTo(digest);
        assertThat(registry.requests)
                .contains("/token?service=here&scope=repository%3Abase%2Fimage%3Apull")
                .filteredOn(request -> request.startsWith("/token"))
                .hasSize(1);
    }

    @Test
    void aTokenRealmOnAnotherHostIsNeverAsked() throws Exception {
        try (FakeRegistry thief = new FakeRegistry()) {
            registry.publish("1", "linux", "amd64", "a");
            for (String realm : new String[] {
                "http://" + thief.host() + "/token",
                "http://" + registry.host().replace("127.0.0.1", "localhost") + "/token",
                "https://" + registry.host() + "/token",
                "http://user@" + registry.host() + "/token",
                "http://" + registry.host() + "@" + thief.host() + "/token",
                "https://auth.docker.io/token",
                "/token",
                "::"
            }) {
                registry.bend(FakeRegistry.challenge(exchange -> realm));
                assertFailure(FailureClass.SOURCE, "another host for tokens", registry.image("1"));
            }
            assertThat(thief.requests).isEmpty();
        }
    }

    @Test
    void aRegistryThatWantsAPasswordOrDeniesIsTheSourcesFault() {
        registry.bend(exchange -> {
            exchange.getResponseHeaders().add("WWW-Authenticate", "Basic realm=\"x\"");
            return answer(exchange, 401);
        });
        assertFailure(FailureClass.SOURCE, "asks for a password", registry.image("1"));
        registry.bend(FakeRegistry.challenge(exchange -> "http://" + registry.host() + "/elsewhere"));
        assertFailure(FailureClass.SOURCE, "denies it to anonymous clients (status 401)", registry.image("1"));
    }

    @ParameterizedTest
    @CsvSource({
        "404, SOURCE",
        "403, SOURCE",
        "400, SOURCE",
        "429, INFRASTRUCTURE",
        "500, INFRASTRUCTURE",
        "503, INFRASTRUCTURE"
    })
    void aStatusDecidesWhoseFaultItIs(int status, FailureClass failureClass) {
        registry.bend(exchange -> answer(exchange, status));

        assertFailure(failureClass, "status " + status, registry.image("1"));
    }

    @Test
    void aRegistryThatIsNotThereIsTheInfrastructuresFault() {
        String image = registry.image("1");
        registry.close();

        assertFailure(FailureClass.INFRASTRUCTURE, "does not answer", image);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "http://169.254.169.254/latest/meta-data",
                "https://169.254.169.254/latest/meta-data",
                "https://[fe80::1]/",
                "https://[::]/",
                "https://0.0.0.0/"
            })
    void aRedirectToALinkLocalAddressIsRefusedEvenWherePrivateOnesAreAllowed(String location) {
        registry.publish("1", "linux", "amd64", "a");
        registry.bend(FakeRegistry.redirect("/blobs/", location));

        assertFailure(FailureClass.SOURCE, "an address in a range", registry.image("1"));
    }

    @Test
    void aRedirectedBlobIsFetchedWithoutTheToken() throws Exception {
        try (FakeRegistry elsewhere = new FakeRegistry()) {
            Digest digest = registry.publish("1", "linux", "amd64", "a");
            elsewhere.publish("1", "linux", "amd64", "a");
            AtomicInteger shown = new AtomicInteger();
            elsewhere.bend(exchange -> {
                shown.addAndGet(exchange.getRequestHeaders().containsKey("Authorization") ? 1 : 0);
                return false;
            });
            FakeRegistry.Bend challenge = FakeRegistry.challenge(exchange -> "http://" + registry.host() + "/token");
            registry.bend(exchange -> challenge.answer(exchange)
                    || FakeRegistry.redirect("/blobs/", "http://" + elsewhere.host() + exchange.getRequestURI())
                            .answer(exchange));

            assertThat(fetch("linux/amd64", registry.image("1")).digest()).isEqualTo(digest);
            assertThat(elsewhere.requests).hasSize(2);
            assertThat(shown).hasValue(0);
        }
    }

    @Test
    void endlessRedirectsEnd() {
        registry.bend(FakeRegistry.redirect("/", "/again"));

        assertFailure(FailureClass.SOURCE, "redirects too often", registry.image("1"));
        assertThat(registry.requests).hasSizeLessThan(10);
    }

    @Test
    void privateAddressesAreRefusedUnlessAllowed() {
        BaseImages closed = new BaseImages(store, pins(), false);
        for (String image : new String[] {registry.image("1"), "localhost/a/b", "10.0.0.1/a/b", "[::1]:5000/a/b"}) {
            assertThatThrownBy(() -> fetch(closed, "linux/amd64", image))
                    .isInstanceOf(JibFailure.class)
                    .hasMessageContaining("an address in a range");
        }
        assertThat(registry.requests).isEmpty();
    }

    @Test
    void bytesOfAnotherDigestAreNotTaken() {
        Digest digest = registry.publish("1", "linux", "amd64", "a");
        registry.bend(exchange -> exchange.getRequestURI().getPath().contains("/manifests/sha256:")
                && answer(exchange, "{\"schemaVersion\":2}"));
        assertFailure(
                FailureClass.INFRASTRUCTURE,
                "other bytes than those of " + digest,
                registry.host() + "/" + FakeRegistry.REPOSITORY + "@" + digest);

        registry.bend(exchange -> exchange.getRequestURI().getPath().contains("/blobs/") && answer(exchange, "{}"));
        assertFailure(FailureClass.INFRASTRUCTURE, "only a part of", registry.image("1"));

        String lies = "{\"mediaType\":\"" + MediaTypes.OCI_CONFIG + "\",\"digest\":\"sha256:" + "0".repeat(64)
                + "\",\"size\":2}";
        registry.publish(
                "2", ("{\"schemaVersion\":2,\"config\":" + lies + ",\"layers\":[]}").getBytes(StandardCharsets.UTF_8));
        assertFailure(FailureClass.INFRASTRUCTURE, "other bytes than those of sha256:000", registry.image("2"));
    }

    @Test
    void moreBytesThanPromisedAreNotRead() {
        registry.publish("1", "linux", "amd64", "a");
        registry.bend(exchange ->
                exchange.getRequestURI().getPath().contains("/blobs/") && answer(exchange, "x".repeat(100_000)));
        assertFailure(FailureClass.SOURCE, "more than it promised", registry.image("1"));

        registry.bend(exchange -> answer(exchange, "x".repeat(ImageManifest.MAX_SIZE + 1)));
        assertFailure(FailureClass.SOURCE, "more than it promised", registry.image("2"));
    }

    @Test
    void thePlatformIsChosenFromAnIndex() throws Exception {
        Map<String, Digest> entries = new LinkedHashMap<>();
        entries.put("linux/amd64", registry.publish("a", "linux", "amd64", "a"));
        entries.put("unknown/unknown", entries.get("linux/amd64"));
        entries.put("linux/arm64", registry.publish("b", "linux", "arm64", "b"));
        entries.put("linux/arm/v6", registry.publish("c", "linux", "arm", "c"));
        registry.publishIndex("1", entries);

        assertThat(fetch("linux/arm64/v8", registry.image("1")).digest()).isEqualTo(entries.get("linux/arm64"));
        assertThat(fetch("linux/arm/v6", registry.image("1")).digest()).isEqualTo(entries.get("linux/arm/v6"));
        assertThatThrownBy(() -> fetch("linux/s390x", registry.image("1")))
                .hasMessageEndingWith(" is not there for linux/s390x, only for linux/amd64, unknown/unknown,"
                        + " linux/arm64/v8, linux/arm/v6");
    }

    @Test
    void anImageForAnotherPlatformIsRefused() {
        registry.publish("1", "linux", "arm64", "a");

        assertFailure(FailureClass.SOURCE, "is for linux/arm64/v8, not for linux/amd64", registry.image("1"));
    }

    @Test
    void allPlatformsOfARevisionUseWhatTheFirstSaw() throws Exception {
        Digest amd64 = registry.publish("a", "linux", "amd64", "a");
        Digest arm64 = registry.publish("b", "linux", "arm64", "b");
        registry.publishIndex("1", Map.of("linux/amd64", amd64, "linux/arm64", arm64));
        fetch("linux/amd64", registry.image("1"));
        registry.publishIndex("1", Map.of("linux/arm64", registry.publish("c", "linux", "arm64", "newer")));

        assertThat(fetch("linux/arm64/v8", registry.image("1")).digest()).isEqualTo(arm64);
    }

    @Test
    void aDigestInTheStoreIsOnlyForWhoeverHadItFromItsRegistry() throws Exception {
        // somebody else's image, in the store but never served by this registry
        try (FakeRegistry secret = new FakeRegistry()) {
            Digest digest = secret.publish("1", "linux", "amd64", "secret");
            fetch("linux/amd64", secret.image("1"));

            assertFailure(
                    FailureClass.SOURCE, "status 404", registry.host() + "/" + FakeRegistry.REPOSITORY + "@" + digest);
        }
    }

    @Test
    void layersThatAreTooManyOrTooLargeAreRefusedBeforeTheyAreFetched() throws Exception {
        registry.publish("1", "linux", "amd64", "a");
        assertThatThrownBy(() -> new BaseImages(store, pins(), true)
                        .fetch(key("linux/amd64"), registry.image("1"), 10, log(), new Cancellation()))
                .hasMessageContaining("too large for the build's max-output");
        assertThat(registry.requests).filteredOn(r -> r.contains("/blobs/")).hasSize(1);

        String layer = "{\"mediaType\":\"" + MediaTypes.OCI_LAYER + "\",\"digest\":\"sha256:" + "0".repeat(64)
                + "\",\"size\":1}";
        registry.publish(
                "2",
                ("{\"schemaVersion\":2,\"config\":" + layer + ",\"layers\":[" + (layer + ",").repeat(100) + layer
                                + "]}")
                        .getBytes(StandardCharsets.UTF_8));
        assertFailure(FailureClass.SOURCE, "more than 63 layers", registry.image("2"));
    }

    @ParameterizedTest
    @ValueSource(strings = {"not json", "{}", "{\"schemaVersion\":1}", "{\"manifests\":[{}]}", "[]"})
    void whatIsNoManifestIsRefused(String manifest) {
        registry.publish("1", manifest.getBytes(StandardCharsets.UTF_8));

        assertFailure(FailureClass.SOURCE, "the base image", registry.image("1"));
    }

    private void assertFailure(FailureClass failureClass, String message, String image) {
        ThrowingCallable fetch = () -> fetch("linux/amd64", image);
        assertThatThrownBy(fetch)
                .isInstanceOfSatisfying(
                        JibFailure.class, e -> assertThat(e.failureClass()).isEqualTo(failureClass))
                .hasMessageContaining(message);
    }

    private BaseImage fetch(String platform, String image) throws Exception {
        return fetch(new BaseImages(store, pins(), true), platform, image);
    }

    private BaseImage fetch(BaseImages images, String platform, String image) throws Exception {
        return images.fetch(key(platform), image, 1 << 20, log(), new Cancellation());
    }

    private static BuildKey key(String platform) {
        return BuildKey.of("team/app@" + REVISION + "@" + platform);
    }

    private AttemptLog log() {
        return new AttemptLog(new ByteArrayOutputStream(), directory, 1 << 20);
    }

    private BaseImagePins pins() {
        return new FileBaseImagePins(directory.resolve("pins"));
    }

    private static boolean answer(HttpExchange exchange, int status) throws IOException {
        FakeRegistry.answer(exchange, status, new byte[0]);
        return true;
    }

    private static boolean answer(HttpExchange exchange, String body) throws IOException {
        FakeRegistry.answer(exchange, 200, body.getBytes(StandardCharsets.UTF_8));
        return true;
    }
}
