package dev.kiln.clients;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kiln.testing.KilnProcess;
import dev.kiln.testing.Wire;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.stream.Stream;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * The last line that each client prints when there is no image: what the person has to go by. docs/clients.md shows the
 * same texts.
 */
@Tag("clients")
final class WhatPeopleSeeIT {
    /** The build's command ended with exit code 1. */
    private static final Map<String, String> FAILED =
            texts("""
            docker:  Error response from daemon: manifest for {image} not found: manifest unknown: {failed}; log: {log}
            podman:  Error: initializing source docker://{image}: reading manifest main in {name}: manifest unknown: {failed}; log: {log}
            buildah: Error: initializing source docker://{image}: reading manifest main in {name}: manifest unknown: {failed}; log: {log}
            skopeo:  time="…" level=fatal msg="initializing source docker://{image}: reading manifest main in {name}: manifest unknown: {failed}; log: {log}"
            ctr:     ctr: failed to resolve reference "{image}": pulling from host {host} failed with status code [manifests main]: 424 {failed}
            """.replace("{failed}", "build failed for linux/amd64: the command ended with exit code 1"));

    /** The source has what Kiln does not build from; {@code refused} says what. */
    private static final Map<String, String> REFUSED = texts("""
            docker:  Error response from daemon: manifest for {image} not found: manifest unknown: {refused}
            podman:  Error: initializing source docker://{image}: reading manifest main in {name}: manifest unknown: {refused}
            buildah: Error: initializing source docker://{image}: reading manifest main in {name}: manifest unknown: {refused}
            skopeo:  time="…" level=fatal msg="initializing source docker://{image}: reading manifest main in {name}: manifest unknown: {refused}"
            ctr:     ctr: failed to resolve reference "{image}": pulling from host {host} failed with status code [manifests main]: 424 {refused}
            """);

    private static final String SUBMODULE = "cannot be built: submodules are not supported, add the files: library";
    private static final String LFS = "cannot be built: Git LFS is not supported, add the file itself: model.bin";

    /** No branch, git tag or commit has that name. */
    private static final Map<String, String> NO_SUCH_TAG =
            texts("""
            docker:  Error response from daemon: manifest for {image} not found: manifest unknown: {unknown}
            podman:  Error: initializing source docker://{image}: reading manifest nosuch in {name}: manifest unknown: {unknown}
            buildah: Error: initializing source docker://{image}: reading manifest nosuch in {name}: manifest unknown: {unknown}
            skopeo:  time="…" level=fatal msg="initializing source docker://{image}: reading manifest nosuch in {name}: manifest unknown: {unknown}"
            ctr:     ctr: failed to resolve reference "{image}": {image}: not found
            """.replace("{unknown}", "no allowed branch, git tag or commit is called nosuch"));

    /** No repository of that name is configured. */
    private static final Map<String, String> NO_SUCH_REPOSITORY =
            texts("""
            docker:  Error response from daemon: repository {name} not found: name unknown: {unknown}
            podman:  Error: initializing source docker://{image}: reading manifest main in {name}: name unknown: {unknown}
            buildah: Error: initializing source docker://{image}: reading manifest main in {name}: name unknown: {unknown}
            skopeo:  time="…" level=fatal msg="initializing source docker://{image}: reading manifest main in {name}: name unknown: {unknown}"
            ctr:     ctr: failed to resolve reference "{image}": {image}: not found
            """.replace("{unknown}", "no repository is configured for this name: check its spelling"));

    /** The client wants arm64, has not said so to the registry, and the index lists amd64 alone so far. */
    private static final Map<String, String> NOT_LISTED_YET = texts("""
            docker:  no matching manifest for linux/arm64 in the manifest list entries
            podman:  Error: choosing an image from manifest list docker://{image}: no image found in image index for architecture arm64, variant "", OS linux
            buildah: Error: choosing an image from manifest list docker://{image}: no image found in image index for architecture arm64, variant "", OS linux
            skopeo:  time="…" level=fatal msg="choosing an image from manifest list docker://{image}: no image found in image index for architecture arm64, variant \\"\\", OS linux"
            ctr:     ctr: no match for platform in manifest sha256:{index}: not found
            """);

    /** Patience has passed. */
    private static final Map<String, String> NOT_YET = texts("""
            docker:  Error response from daemon: toomanyrequests: linux/amd64 building for {n} s, ETA unknown; pull again; log: {log}
            podman:  Error: initializing source docker://{image}: reading manifest main in {name}: toomanyrequests: linux/amd64 building for {n} s, ETA unknown; pull again; log: {log}
            buildah: Error: initializing source docker://{image}: reading manifest main in {name}: toomanyrequests: linux/amd64 building for {n} s, ETA unknown; pull again; log: {log}
            skopeo:  time="…" level=fatal msg="initializing source docker://{image}: reading manifest main in {name}: toomanyrequests: linux/amd64 building for {n} s, ETA unknown; pull again; log: {log}"
            ctr:     ctr: failed to resolve reference "{image}": pulling from host {host} failed with status code [manifests main]: 503 linux/amd64 building for {n} s, ETA unknown; pull again
            """);

    /** There is no room in the queue. */
    private static final Map<String, String> FULL =
            texts("""
            docker:  Error response from daemon: toomanyrequests: {full}; log: {log}
            podman:  Error: initializing source docker://{image}: reading manifest main in {name}: toomanyrequests: {full}; log: {log}
            buildah: Error: initializing source docker://{image}: reading manifest main in {name}: toomanyrequests: {full}; log: {log}
            skopeo:  time="…" level=fatal msg="initializing source docker://{image}: reading manifest main in {name}: toomanyrequests: {full}; log: {log}"
            ctr:     ctr: failed to resolve reference "{image}": pulling from host {host} failed with status code [manifests main]: 503 {full}
            """.replace("{full}", "the build queue is full; pull again in some minutes"));

    private static final String LOG = "http://{host}/api/v1/builds/{id}@{revision}@linux~amd64/log";

    private static final Gate NEVER = Gate.closed();

    @TempDir
    static Path temp;

    private static KilnProcess server;
    private static Team team;

    @BeforeAll
    static void start() {
        team = Team.create(
                temp,
                "app",
                Map.of(
                        "fails.sh",
                        "echo main.c:3: error; exit 1\n",
                        "half.sh",
                        "[ \"$KILN_ARCH\" = amd64 ] || exit 1\n" + Team.IMAGE,
                        "never.sh",
                        Gate.await("GATE")));
        String pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:%s\nsize 12345\n";
        Team large = Team.create(temp, "large", Map.of("model.bin", pointer.formatted("a".repeat(64))));
        Team nested = Team.withSubmodule(temp, "nested");
        server = KilnProcess.start(temp, """
                kiln.builders {
                  fails { type = command, command = [sh, fails.sh] }
                  half { type = command, command = [sh, half.sh] }
                  never { type = command, command = [bash, never.sh], environment { GATE = "%s" } }
                }
                # five passes, four times over
                kiln.clients.containers-image.nothing-ready.retry-after = 1s
                kiln.repository-defaults { source.url = "%s", platforms = ["linux/amd64", "linux/arm64"] }
                kiln.repositories = [
                  { name = "team/fails", builder = fails }
                  { name = "team/half", builder = half }
                  { name = "team/never", builder = never, platforms = ["linux/amd64"], hop = 1s, patience = 2s }
                  { name = "team/nested", builder = fails, source.url = "%s" }
                  { name = "team/large", builder = fails, source.url = "%s" }
                ]
                """.formatted(NEVER.number(), team.url(), nested.url(), large.url()));
    }

    @AfterAll
    static void stop() {
        server.close();
        NEVER.close();
    }

    static Stream<Client> clients() {
        return Client.all(temp).stream();
    }

    /** Without the three that ask again, as told, some times before they give up: a minute in all. */
    static Stream<Client> impatient() {
        return Stream.of(Client.docker(temp), Client.ctr(temp));
    }

    @ParameterizedTest
    @MethodSource("clients")
    void aBuildFailed(Client client) {
        Outcome pull = client.pull(image("team/fails:main"), "amd64").mustFail();

        assertThat(pull.lastLine()).isEqualTo(expected(FAILED, client, "team/fails:main"));
    }

    @ParameterizedTest
    @MethodSource("clients")
    void aSourceHasASubmodule(Client client) {
        Outcome pull = client.pull(image("team/nested:main"), "amd64").mustFail();

        assertThat(pull.lastLine())
                .isEqualTo(expected(REFUSED, client, "team/nested:main").replace("{refused}", SUBMODULE));
    }

    @ParameterizedTest
    @MethodSource("clients")
    void aSourceHasAFileInGitLfs(Client client) {
        Outcome pull = client.pull(image("team/large:main"), "amd64").mustFail();

        assertThat(pull.lastLine())
                .isEqualTo(expected(REFUSED, client, "team/large:main").replace("{refused}", LFS));
    }

    @ParameterizedTest
    @MethodSource("clients")
    void aTagNamesNothing(Client client) {
        Outcome pull = client.pull(image("team/fails:nosuch"), "amd64").mustFail();

        assertThat(pull.lastLine()).isEqualTo(expected(NO_SUCH_TAG, client, "team/fails:nosuch"));
    }

    @ParameterizedTest
    @MethodSource("clients")
    void aRepositoryIsNotConfigured(Client client) {
        Outcome pull = client.pull(image("team/misspelt:main"), "amd64").mustFail();

        assertThat(pull.lastLine()).isEqualTo(expected(NO_SUCH_REPOSITORY, client, "team/misspelt:main"));
    }

    @ParameterizedTest
    @MethodSource("clients")
    void aPlatformIsMissingAndTheOtherIsNotHiddenByIt(Client client) {
        client.pull(image("team/half:main"), "amd64").mustSucceed();

        Outcome pull = client.pull(image("team/half:main"), "arm64").mustFail();

        assertThat(pull.lastLine().replaceAll("sha256:[0-9a-f]{64}", "sha256:{index}"))
                .isEqualTo(expected(NOT_LISTED_YET, client, "team/half:main"));
    }

    @ParameterizedTest
    @MethodSource("impatient")
    void aBuildTakesLongerThanTheRegistryHoldsAPull(Client client) {
        aBuildGoesOn(client);
    }

    @Test
    void aBuildTakesLongerThanPatientClientsWait() {
        List<CompletableFuture<Void>> pulls = Stream.of(Client.podman(temp), Client.buildah(temp), Client.skopeo(temp))
                .map(client -> CompletableFuture.runAsync(() -> aBuildGoesOn(client)))
                .toList();
        pulls.forEach(CompletableFuture::join);
    }

    /** One build goes on for ever, and there is room for no other. */
    @Test
    void theQueueIsFull() throws IOException {
        try (KilnProcess small = KilnProcess.start(
                Files.createDirectory(temp.resolve("small")), """
                kiln.builders.never { type = command, command = [bash, never.sh], environment { GATE = "%s" } }
                kiln.queue.limit = 1
                kiln.clients.containers-image.queue-full.retry-after = 1s
                kiln.repositories = [
                  { name = "team/*", source.url = "%s", builder = never, platforms = ["linux/amd64"], hop = 1s, patience = 1s }
                ]
                """.formatted(NEVER.number(), team.url()))) {
            Client.ctr(temp).pull(small.host() + "/team/first:main", "amd64").mustFail();
            // A first pull may have ended before the source was here.
            try (Wire registry = new Wire(small.registry().getPort());
                    Wire admin = new Wire(small.admin().getPort())) {
                Awaitility.await("the one place is taken")
                        .atMost(Duration.ofMinutes(1))
                        .until(() -> {
                            registry.request("GET", "/v2/team/first/manifests/main", "Prefer: respond-async");
                            return admin.request("GET", "/api/v1/queue")
                                    .text()
                                    .contains("\"repository\":\"team/first\"");
                        });
                Awaitility.await("the other one's source is here")
                        .atMost(Duration.ofMinutes(1))
                        .until(() -> registry.request("GET", "/v2/team/second/manifests/main")
                                .text()
                                .contains("the build queue is full"));
            }

            List<CompletableFuture<Void>> pulls = clients()
                    .map(client -> CompletableFuture.runAsync(() -> {
                        Outcome pull = client.pull(small.host() + "/team/second:main", "amd64")
                                .mustFail();
                        assertThat(pull.lastLine().replaceAll("; log: .*?/log", "; log: {log}"))
                                .isEqualTo(FULL.get(client.toString())
                                        .replace("{image}", small.host() + "/team/second:main")
                                        .replace("{name}", small.host() + "/team/second")
                                        .replace("{host}", small.host()));
                    }))
                    .toList();
            pulls.forEach(CompletableFuture::join);
        }
    }

    private static void aBuildGoesOn(Client client) {
        Outcome pull = client.pull(image("team/never:main"), "amd64").mustFail();

        assertThat(pull.lastLine().replaceAll("for \\d+ s", "for {n} s"))
                .isEqualTo(expected(NOT_YET, client, "team/never:main"));
    }

    private static String image(String nameAndTag) {
        return server.host() + "/" + nameAndTag;
    }

    private static String expected(Map<String, String> texts, Client client, String nameAndTag) {
        String name = nameAndTag.substring(0, nameAndTag.indexOf(':'));
        return texts.get(client.toString())
                .replace("{log}", LOG)
                .replace("{image}", image(nameAndTag))
                .replace("{name}", server.host() + "/" + name)
                .replace("{host}", server.host())
                .replace("{id}", name.replace('/', '~'))
                .replace("{revision}", team.revision());
    }

    @Test
    void theManualShowsTheSameTexts() throws IOException {
        String manual = Files.readString(Path.of("docs/clients.md"));
        for (Map<String, String> texts : List.of(FAILED, NO_SUCH_TAG, NOT_LISTED_YET, NOT_YET)) {
            texts.forEach((client, text) -> assertThat(manual).contains(manualLine(client, text)));
        }
        assertThat(manual)
                .contains(manualLine("docker", NO_SUCH_REPOSITORY.get("docker")))
                .contains(manualLine("skopeo", REFUSED.get("skopeo")).replace("{refused}", LFS));
        String full = FULL.get("ctr");
        assertThat(manual).contains("    " + full.substring(full.indexOf("503 ") + 4) + "\n");
    }

    /** With words in capitals for what is everybody's own. */
    private static String manualLine(String client, String text) {
        String general = text.replace("{image}", "HOST/NAME:TAG")
                .replaceAll("reading manifest (main|nosuch)", "reading manifest TAG")
                .replaceAll("\\[manifests (main|nosuch)]", "[manifests TAG]")
                .replace("is called nosuch", "is called TAG")
                .replace("{name}", "HOST/NAME")
                .replace("{host}", "HOST")
                .replace("{log}", "URL")
                .replace("{n} s", "4 min")
                .replace("{index}", "…")
                .replace("time=\"…\"", "…");
        return "    %-8s %s\n".formatted(client + ":", general);
    }

    private static Map<String, String> texts(String table) {
        Map<String, String> texts = new LinkedHashMap<>();
        table.lines().forEach(line -> {
            int end = line.indexOf(':');
            texts.put(line.substring(0, end), line.substring(end + 1).strip());
        });
        return texts;
    }
}
