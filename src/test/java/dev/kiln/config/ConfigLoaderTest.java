package dev.kiln.config;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import dev.kiln.config.RepositoryConfig.AnswerWhen;
import dev.kiln.config.RepositoryConfig.Build;
import dev.kiln.config.RepositoryConfig.Credentials;
import dev.kiln.config.RepositoryConfig.GitSourceConfig;
import dev.kiln.config.RepositoryConfig.Ssh;
import dev.kiln.config.RepositoryConfig.Start;
import dev.kiln.oci.Platform;
import dev.kiln.oci.RepositoryName;
import dev.kiln.testing.TestAuthority;
import java.io.IOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.time.Duration;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Properties;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class ConfigLoaderTest {
    private static final long MIB = 1024 * 1024;
    private static final Platform AMD64 = Platform.of("linux/amd64");
    private static final Platform ARM64 = Platform.of("linux/arm64");

    /** One repository that is right, for tests of what is beside it. */
    private static final String REPOSITORY =
            "name = app, source.url = \"https://git.example.com/app.git\", platforms = [linux/amd64], builder = demo";

    @TempDir
    Path dir;

    @Test
    void everyDefault() {
        Path here = Path.of("").toAbsolutePath();
        Path data = here.resolve("data");

        LoadedConfig loaded = ConfigLoader.load(Optional.empty(), new Properties());

        assertThat(loaded.kiln())
                .isEqualTo(new KilnConfig(
                        Set.of(KilnConfig.Role.REGISTRY, KilnConfig.Role.BUILDER),
                        data,
                        here.resolve("work"),
                        1024 * MIB,
                        Optional.empty(),
                        new KilnConfig.Database(
                                "jdbc:h2:file:" + data
                                        + "/journal;MODE=PostgreSQL;DATABASE_TO_LOWER=TRUE;WRITE_DELAY=0;DB_CLOSE_ON_EXIT=FALSE",
                                "kiln",
                                "",
                                16),
                        new KilnConfig.Store(data.resolve("store"), 1024 * MIB, Duration.ofSeconds(5)),
                        new KilnConfig.Http("127.0.0.1", 8080, Optional.empty(), List.of()),
                        new KilnConfig.Admin("127.0.0.1", 8081),
                        new KilnConfig.Cache(Duration.ofSeconds(10), Duration.ofSeconds(2), 64 * MIB),
                        List.of(new RepositoryConfig(
                                new NamePattern("demo/hello"),
                                Optional.of(new GitSourceConfig(
                                        data + "/demo/hello.git",
                                        List.of("refs/heads/*", "refs/tags/*"),
                                        Duration.ofSeconds(10),
                                        Duration.ofSeconds(20),
                                        Optional.empty(),
                                        Optional.empty(),
                                        Optional.empty())),
                                List.of(AMD64, ARM64),
                                Optional.of(AMD64),
                                Optional.of("demo"),
                                Start.ALL,
                                new AnswerWhen.Hinted(),
                                Duration.ofSeconds(5),
                                Duration.ofSeconds(25),
                                Duration.ofSeconds(250),
                                loaded.kiln().repositories().get(0).clients(),
                                new Build(
                                        Duration.ofMinutes(30),
                                        3,
                                        Duration.ofHours(1),
                                        Duration.ofSeconds(5),
                                        20 * 1024 * MIB,
                                        64 * MIB),
                                false)),
                        Map.of(
                                "demo",
                                new BuilderConfig.Command(
                                        List.of("sh", "build.sh"),
                                        Map.of(),
                                        "/usr/local/bin:/usr/bin:/bin",
                                        BuilderConfig.User.AUTO,
                                        4096)),
                        new KilnConfig.Worker(2, List.of("*"), List.of("*"), 60_000, Duration.ofSeconds(2)),
                        new KilnConfig.Queue(10_000, 1_000, Duration.ofSeconds(120), Duration.ofSeconds(3)),
                        new KilnConfig.Experimental(false),
                        new KilnConfig.Hints(false),
                        ClusterConfig.ALONE,
                        new ClusterConfig.Leaving(Duration.ofSeconds(10), Duration.ofSeconds(20)),
                        new KilnConfig.Push(
                                Duration.ofHours(1), Duration.ofHours(24), Duration.ofHours(1), 20_000, false)));
        assertThat(loaded.warnings()).isEmpty();
        assertThat(loaded.kiln().demoRepository()).contains(data.resolve("demo/hello.git"));
        assertThat(loaded.akka().getString("akka-persistence-jdbc.shared-databases.main.db.url"))
                .isEqualTo(loaded.kiln().database().url());
    }

    @Test
    void everyKeySetToSomethingElse() throws IOException {
        Path key = Files.createFile(dir.resolve("id_ed25519"));
        Path tlsKey = Files.writeString(dir.resolve("tls.key"), "-----BEGIN RSA PRIVATE KEY-----");
        Files.setPosixFilePermissions(tlsKey, PosixFilePermissions.fromString("r--------"));
        Path hosts = Files.createFile(dir.resolve("known_hosts"));
        CaFile authorities = CaFile.read(TestAuthority.create(dir).certificate());
        String all = """
                kiln {
                  roles = [registry]
                  data-dir = "/srv/kiln/data"
                  work-dir = "/srv/kiln/work"
                  data-dir-min-free = 2MiB
                  secret = "sixteen letters!"
                  database { url = "jdbc:postgresql://db/kiln", user = u, password = p, connections = 5 }
                  store { type = files, dir = "/srv/store", min-free = 3MiB, settle = 1s }
                  http { host = "0.0.0.0", port = 80, public-url = "https://registry.example.com/", trusted-proxies = ["10.0.0.0/8", "2001:db8::1"] }
                  hints { username = true }
                  admin { host = "::1", port = 81 }
                  cache { max-life = 4s, partial-life = 1s, max-bytes = 1MiB }
                  repositories = [{
                    name = "team/**"
                    source {
                      type = git, url = "ssh://git@git.example.com/{name}.git", allowed-refs = ["refs/heads/main"]
                      refresh = 1s, timeout = 2s
                      credentials { user = bot, password = hunter2 }
                      ca-file = "AUTHORITY"
                      ssh { private-key = "KEY", known-hosts = "HOSTS" }
                    }
                    platforms = ["linux/aarch64", "linux/amd64"]
                    default-platform = "linux/amd64"
                    builder = jib
                    start = hinted
                    answer-when = ["linux/arm64"]
                    partial-after = 3s
                    hop = 4s
                    patience = 5s
                    build { timeout = 6s, attempts = 7, failure-memory = 8s, backoff = 9s, max-output = 10MiB, max-log = 11MiB }
                    push = true
                  }]
                  builders {
                    jib { type = jib, allow-private-registries = true }
                    make { type = command, command = [make, 3], environment { A_1 = b }, path = "/bin", user = root, max-processes = 5 }
                    farm { type = push, command = [order], environment { A_1 = hunter2 }, path = "/bin", max-processes = 6 }
                    hook { type = push, webhook = "https://farm.example.com:1/hunter2?key=hunter2", headers { Authorization = "Bearer hunter2" } }
                  }
                  worker { slots = 3, platforms = ["linux/x86_64"], builders = [make], uid-base = 70000, output-check = 1s }
                  queue { limit = 10, limit-per-repository = 5, lease = 61s, ask = 1s }
                  experimental { url-pointers = true }
                  cluster {
                    discovery = config, host = "10.0.0.2", bind-host = "0.0.0.0", port = 9, management-port = 10
                    contact-points = ["10.0.0.1:8558", "[2001:db8::1]:1"], dns-name = "kiln.internal"
                    kubernetes { namespace = kiln, pod-label-selector = "a=b" }
                    tls { key = "TLS", certificate = "HOSTS", ca = "HOSTS" }
                  }
                  shutdown { unready = 7s, builds = 8s }
                  push { upload-expiry = 9s, grace = 2h, sweep = 10s, max-manifests = 11, sparse = true }
                }
                """.replace("KEY", key.toString())
                .replace("TLS", tlsKey.toString())
                .replace("HOSTS", hosts.toString())
                .replace("AUTHORITY", authorities.path().toString());

        LoadedConfig loaded = load(all);

        KilnConfig kiln = loaded.kiln();
        BuilderConfig demo = kiln.builders().get("demo");
        assertThat(kiln)
                .isEqualTo(new KilnConfig(
                        Set.of(KilnConfig.Role.REGISTRY),
                        Path.of("/srv/kiln/data"),
                        Path.of("/srv/kiln/work"),
                        2 * MIB,
                        Optional.of("sixteen letters!"),
                        new KilnConfig.Database("jdbc:postgresql://db/kiln", "u", "p", 5),
                        new KilnConfig.Store(Path.of("/srv/store"), 3 * MIB, Duration.ofSeconds(1)),
                        new KilnConfig.Http(
                                "0.0.0.0",
                                80,
                                Optional.of("https://registry.example.com"),
                                List.of(
                                        AddressRange.parse("10.0.0.0/8").orElseThrow(),
                                        AddressRange.parse("2001:db8::1/128").orElseThrow())),
                        new KilnConfig.Admin("::1", 81),
                        new KilnConfig.Cache(Duration.ofSeconds(4), Duration.ofSeconds(1), MIB),
                        List.of(new RepositoryConfig(
                                new NamePattern("team/**"),
                                Optional.of(new GitSourceConfig(
                                        "ssh://git@git.example.com/{name}.git",
                                        List.of("refs/heads/main"),
                                        Duration.ofSeconds(1),
                                        Duration.ofSeconds(2),
                                        Optional.of(new Credentials("bot", "hunter2")),
                                        Optional.of(authorities),
                                        Optional.of(new Ssh(Optional.of(key), hosts)))),
                                List.of(ARM64, AMD64),
                                Optional.of(AMD64),
                                Optional.of("jib"),
                                Start.HINTED,
                                new AnswerWhen.Listed(List.of(ARM64)),
                                Duration.ofSeconds(3),
                                Duration.ofSeconds(4),
                                Duration.ofSeconds(5),
                                loaded.kiln().repositories().get(0).clients(),
                                new Build(
                                        Duration.ofSeconds(6),
                                        7,
                                        Duration.ofSeconds(8),
                                        Duration.ofSeconds(9),
                                        10 * MIB,
                                        11 * MIB),
                                true)),
                        Map.of(
                                "demo",
                                demo,
                                "jib",
                                new BuilderConfig.Jib(true),
                                "make",
                                new BuilderConfig.Command(
                                        List.of("make", "3"), Map.of("A_1", "b"), "/bin", BuilderConfig.User.ROOT, 5),
                                "farm",
                                new BuilderConfig.Push(new BuilderConfig.OrderByCommand(new BuilderConfig.Command(
                                        List.of("order"),
                                        Map.of("A_1", "hunter2"),
                                        "/bin",
                                        BuilderConfig.User.AUTO,
                                        6))),
                                "hook",
                                new BuilderConfig.Push(new BuilderConfig.Webhook(
                                        URI.create("https://farm.example.com:1/hunter2?key=hunter2"),
                                        Map.of("Authorization", "Bearer hunter2")))),
                        new KilnConfig.Worker(
                                3, List.of("linux/amd64"), List.of("make"), 70_000, Duration.ofSeconds(1)),
                        new KilnConfig.Queue(10, 5, Duration.ofSeconds(61), Duration.ofSeconds(1)),
                        new KilnConfig.Experimental(true),
                        new KilnConfig.Hints(true),
                        new ClusterConfig(
                                Optional.of(new ClusterConfig.Discovery.Listed(
                                        List.of("10.0.0.1:8558", "[2001:db8::1]:1"))),
                                "10.0.0.2",
                                "0.0.0.0",
                                9,
                                10,
                                Optional.of(new ClusterConfig.Tls(tlsKey, hosts, hosts))),
                        new ClusterConfig.Leaving(Duration.ofSeconds(7), Duration.ofSeconds(8)),
                        new KilnConfig.Push(
                                Duration.ofSeconds(9), Duration.ofHours(2), Duration.ofSeconds(10), 11, true)));
        assertThat(kiln.demoRepository()).isEmpty();
        assertThat(loaded.akka().hasPath("kiln")).isFalse();
        assertThat(loaded.toString() + kiln + kiln.repositories())
                .doesNotContain("hunter2")
                .doesNotContain("sixteen");
        assertThat(loaded.warnings())
                .hasSize(2)
                .anyMatch(text -> text.contains("kiln.conf:35: kiln.builders.make.user is root"))
                .anyMatch(text -> text.contains("hop is shorter than 10s"));
    }

    @Test
    void aRepositoryWithoutASourceIsAPlainRegistry() throws IOException {
        RepositoryConfig plain = load("kiln.repositories = [{ name = \"plain/**\", push = true }]")
                .kiln()
                .repositories()
                .get(0);

        assertThat(plain.source()).isEmpty();
        assertThat(plain.platforms()).isEmpty();
        assertThat(plain.push()).isTrue();
        assertThat(mistakes("kiln.repositories = [{ name = plain, push = true, builder = demo, source.refesh = 1s }]"))
                .anyMatch(text -> text.contains("builder is of no effect without source.url"))
                .anyMatch(text -> text.contains("refesh is not a key of Kiln"));
        assertThat(mistakes("kiln.repositories = [{ name = plain }]"))
                .anyMatch(text -> text.contains("source.url is missing"));
    }

    @Test
    void everyMistakeIsListedWithItsLine() throws IOException {
        assertThat(mistakes("""
                        kiln {
                          htpp { port = 1 }
                          http { port = 70000 }
                          repositories = [{
                            name = app
                            source { url = "https://git.example.com/app.git", refesh = 1s }
                            platforms = [linux/amd64]
                            default-platform = linux/arm64
                          }]
                        }
                        """))
                .containsExactly(
                        file() + ":2: kiln.htpp is not a key of Kiln; did you mean http?",
                        file() + ":3: kiln.http.port must be a whole number from 0 to 65535, not \"70000\"",
                        file()
                                + ":4: kiln.repositories[0].builder is missing; it must be a key of kiln.builders (demo)",
                        file() + ":6: kiln.repositories[0].source.refesh is not a key of Kiln; did you mean refresh?",
                        file()
                                + ":8: kiln.repositories[0].default-platform names linux/arm64/v8, which is not one of the"
                                + " entry's platforms [linux/amd64]");
    }

    @Test
    void aMistakeInTheDefaultsIsToldOnce() throws IOException {
        assertThat(mistakes("kiln { repository-defaults { hop = 60s, build.timout = 3s }\n repositories = [{"
                        + REPOSITORY + "}, {" + REPOSITORY.replace("app,", "app2,") + "}] }"))
                .containsExactly(
                        file()
                                + ":1: kiln.repository-defaults.hop must be shorter than akka.http.server.idle-timeout (60s),"
                                + " which would cut the held request",
                        file()
                                + ":1: kiln.repository-defaults.build.timout is not a key of Kiln; did you mean timeout?");
    }

    /** Akka reads no other, and says so only when the first node connects. */
    @Test
    void aTlsKeyThatIsNoRsaKeyIsAMistake() throws Exception {
        KeyPairGenerator curve = KeyPairGenerator.getInstance("EC");
        for (KeyPair pair : List.of(
                curve.generateKeyPair(), KeyPairGenerator.getInstance("RSA").generateKeyPair())) {
            Path key = Files.writeString(
                    dir.resolve("key.pem"),
                    "-----BEGIN PRIVATE KEY-----\n"
                            + Base64.getMimeEncoder()
                                    .encodeToString(pair.getPrivate().getEncoded())
                            + "\n-----END PRIVATE KEY-----\n");
            String tls =
                    "kiln.cluster.tls { key = \"K\", certificate = \"K\", ca = \"K\" }".replace("K", key.toString());
            if (pair.getPrivate().getAlgorithm().equals("EC")) {
                assertThatThrownBy(() -> load(tls))
                        .hasMessageContaining("kiln.cluster.tls.key must be an RSA private key");
            } else {
                load(tls);
            }
        }
    }

    @ParameterizedTest
    @CsvSource({"rw-r--r--, true", "r--------, false", "rw-r-----, false"})
    void aKeyThatEverybodyMayReadIsWarnedOf(String mode, boolean warned) throws IOException {
        Path key = Files.writeString(dir.resolve("key.pem"), "-----BEGIN RSA PRIVATE KEY-----");
        Files.setPosixFilePermissions(key, PosixFilePermissions.fromString(mode));
        String tls = "kiln.cluster.tls { key = \"K\", certificate = \"K\", ca = \"K\" }".replace("K", key.toString());
        assertThat(load(tls).warnings().stream()
                        .anyMatch(warning -> warning.contains("kiln.cluster.tls.key may be read by every user")))
                .isEqualTo(warned);
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
            roles = []                              | kiln.roles must be a list of registry, builder
            roles = [reader]                        | kiln.roles must be a list of registry, builder, not "reader"
            data-dir = "a;b"                        | kiln.data-dir must not hold any of ; { }
            work-dir = data/work                    | kiln.work-dir must be neither inside data-dir nor around it
            work-dir = "."                          | kiln.work-dir must be neither inside data-dir nor around it
            store.dir = work/store                  | kiln.store.dir must not be inside work-dir
            store.type = s3                         | kiln.store.type must be files, not "s3"
            store.min-free = -1                     | kiln.store.min-free must be a size
            store.settle = soon                     | kiln.store.settle must be a duration (with its unit) from 0s to 60s, not "soon"
            http.trusted-proxies = [proxy]          | kiln.http.trusted-proxies must be a list of IP addresses and ranges such as 10.0.0.0/8, not "proxy"
            http.trusted-proxies = "10.0.0.0/8"     | kiln.http.trusted-proxies must be a list of IP addresses
            hints.username = maybe                  | kiln.hints.username must be true or false, not "maybe"
            hints.user = true                       | kiln.hints.user is not a key of Kiln; known here: username
            secret = short                          | kiln.secret must be a text of at least 16 characters
            http.host = "http://x"                  | kiln.http.host must be a host name
            http.port = 8081                        | kiln.http.port must not be the port of the other listener
            http.public-url = "https://x/registry"  | kiln.http.public-url must be an address
            http.public-url = "ftp://x"             | kiln.http.public-url must be an address
            http = 8080                             | kiln.http must be an object
            cache.partial-life = 11s                | kiln.cache.partial-life must be at most max-life (10s)
            database.url = "jdbc:mysql://x/y"       | kiln.database.url must be jdbc:h2:file:/… or jdbc:postgresql:
            database.url = "jdbc:h2:file:/x/y"      | kiln.database.url lacks ;MODE=POSTGRESQL;DATABASE_TO_LOWER=TRUE;WRITE_DELAY=0
            database.url = "jdbc:h2:mem:x"          | kiln.database.url must be jdbc:h2:file:/…
            database.connections = 0                | kiln.database.connections must be a whole number from 4
            worker.platforms = [linux]              | kiln.worker.platforms must be a list of platforms
            worker.builders = [make]                | kiln.worker.builders must be a list of keys of kiln.builders (demo)
            worker.uid-base = 0                     | kiln.worker.uid-base must be a whole number from 1000
            queue.lease = 2s                        | kiln.queue.lease must be at least three times ask: 9s
            builders.Make = {}                      | kiln.builders.Make is not a builder's name
            builders.x.type = make                  | kiln.builders.x.type must be command or jib or push, not "make"
            builders.x.type = command               | kiln.builders.x.command is missing
            builders.demo.command = "sh build.sh"   | kiln.builders.demo.command must be a list of a program and its arguments, such as ["sh", "build.sh"], not "sh build.sh"
            builders.demo.command = "sh\\nbuild.sh"  | kiln.builders.demo.command must be a list of a program and its arguments, such as ["sh", "build.sh"]
            builders.demo.command = [sh, "a\\nb"]   | kiln.builders.demo.command has an element with a line break
            builders.demo.command = [sh, ""]        | kiln.builders.demo.command must be a list of a program
            builders.x { type = push, command = [a] } | kiln.builders.x.type is push, which needs http.public-url
            builders.x { type = push }              | kiln.builders.x.type is push, which needs a command or a webhook, one of the two
            builders.x { type = push, command = [a], webhook = "http://a/" } | kiln.builders.x.type is push, which needs a command or a webhook, one of the two
            builders.x { type = push, command = [a], headers {} } | kiln.builders.x.headers is not a key of Kiln
            builders.x { type = push, webhook = "http://a/", user = root } | kiln.builders.x.user is not a key of Kiln
            builders.x { type = push, webhook = "ftp://a/" } | kiln.builders.x.webhook must be an address https://… or http://…, without a user
            builders.x { type = push, webhook = "http://b:c@a/" } | kiln.builders.x.webhook must be an address
            builders.x { type = push, webhook = "http://a/", headers { Host = x } } | kiln.builders.x.headers.Host is not a header
            builders.x { type = push, webhook = "http://a/", headers { A = "x\\ny" } } | kiln.builders.x.headers must have values of printable ASCII, and A has not
            builders.x { type = jib, user = root }  | kiln.builders.x.user is not a key of Kiln
            builders.demo.path = bin                | kiln.builders.demo.path must be absolute folders
            builders.demo.environment.KILN_TAG = x  | kiln.builders.demo.environment.KILN_TAG is not a variable
            roles = [builder]                       | kiln.roles must hold registry, since this node is a cluster of itself
            cluster.discovery = multicast           | kiln.cluster.discovery must be none or config or dns or kubernetes, not "multicast"
            cluster.discovery = dns                 | kiln.cluster.discovery must be none: kiln.database.url is an embedded database
            cluster.discovery = dns                 | kiln.cluster.discovery is dns, so dns-name must be
            cluster.discovery = config              | kiln.cluster.discovery is config, so contact-points must name
            cluster.contact-points = ["10.0.0.1"]   | kiln.cluster.contact-points must be a list of host:port
            cluster.contact-points = ["a:70000"]    | kiln.cluster.contact-points must be a list of host:port
            cluster.host = "a:1"                    | kiln.cluster.host must be a host name
            cluster.management-port = 25520         | kiln.cluster.management-port must not be cluster.port
            cluster.tls.key = /none                 | kiln.cluster.tls.key must be a file that can be read, which /none is not
            cluster.tls.key = /none                 | kiln.cluster.tls.ca is missing
            push.grace = 0s                         | kiln.push.grace must be a duration
            push.max-manifests = 0                  | kiln.push.max-manifests must be a whole number from 1 to
            shutdown.builds = 2h                    | kiln.shutdown.builds must be a duration
            repositories = [1]                      | kiln.repositories[0] must be an object
            """)
    void refused(String line, String message) throws IOException {
        assertThat(mistakes("kiln {\n" + line + "\n}"))
                .anySatisfy(mistake -> assertThat(mistake).contains(message).startsWith(file() + ":"));
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
            name = "Team/*"                        | .name must be a pattern such as team/**, not "Team/*"
            source.type = svn                      | .source.type must be git
            source.allowed-refs = [main]           | .source.allowed-refs must be a list of refs
            source.allowed-refs = []               | .source.allowed-refs must be a list of refs
            source.credentials.user = bot          | .source.credentials.password is missing
            platforms = []                         | .platforms must be a list of platforms
            platforms = [linux/arm64, linux/arm64/v8] | .platforms names linux/arm64/v8 twice
            platforms = ["linux/amd64+sse4", "linux/amd64+SSE4"] | .platforms names linux/amd64+sse4 twice
            platforms = ["linux/amd64+sse4"]       | .platforms must have a platform without features, such as linux/amd64
            default-platform = "linux/amd64+sse4"  | .default-platform names linux/amd64+sse4, which is not one of
            answer-when = ["linux/amd64+sse4"]     | .answer-when names linux/amd64+sse4, which is not one of
            builder = make                         | .builder must be a key of kiln.builders (demo), not "make"
            answer-when = [linux/s390x]            | .answer-when names linux/s390x, which is not one of
            answer-when = first                    | .answer-when must be hinted, any, all or a list of platforms
            hop = 25                               | .hop must be a duration (with its unit) from 100ms
            hop = 60s                              | .hop must be shorter than akka.http.server.idle-timeout (60s)
            patience = 10s                         | .patience must be at least hop (25s)
            build.attempts = 0                     | .build.attempts must be a whole number from 1 to 100
            push = maybe                           | .push must be true or false
            """)
    void refusedInARepository(String line, String message) throws IOException {
        assertThat(mistakes("kiln.repositories = [{" + REPOSITORY + "\n" + line + "\n}]"))
                .anySatisfy(mistake -> assertThat(mistake)
                        .contains("kiln.repositories[0]" + message)
                        .startsWith(file() + ":"));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "https://git.example.com/{name}.git",
                "https://[::1]:8443/x",
                "http://127.0.0.1:3000/{name}",
                "file:///srv/git/{name}.git",
                "/srv/my repositories/{name}.git"
            })
    void urlsThatAreAllowed(String url) throws IOException {
        assertThat(load(withUrl(url))
                        .kiln()
                        .repositories()
                        .get(0)
                        .source()
                        .orElseThrow()
                        .url())
                .isEqualTo(url);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "no certificate",
                "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n",
                "-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----\n"
            })
    void aFileOfAuthoritiesMustHoldCertificates(String content) throws IOException {
        Path file = Files.writeString(dir.resolve("ca.pem"), content);

        assertThat(mistakes("kiln.repository-defaults.source.ca-file = \"" + file + "\"\n"
                        + withUrl("https://git.example.com/{name}")))
                .singleElement()
                .asString()
                .contains("ca-file is not a file of certificates in PEM that can be read: " + file);
    }

    @Test
    void aFileOfAuthoritiesMustBeThere() throws IOException {
        assertThat(mistakes("kiln.repository-defaults.source.ca-file = /no/such/file\n"
                        + withUrl("https://git.example.com/{name}")))
                .singleElement()
                .asString()
                .contains("ca-file is not a file of certificates in PEM that can be read");
    }

    /** A farm's machines run what strangers wrote: nothing has to be there that opens a source. */
    @Test
    void aNodeThatBuildsAndDoesNothingElseReadsNoSecretsOfSources() throws IOException {
        String sources = """
                kiln.repository-defaults.source {
                  credentials { user = bot }
                  ca-file = /no/such/file
                  ssh.known-hosts = /no/such/file
                }
                """ + withUrl("git@git.example.com:{name}.git");
        KilnConfig builder = load("""
                        kiln.roles = [builder]
                        kiln.cluster { discovery = config, contact-points = ["registry-1:8558"] }
                        """ + sources).kiln();
        assertThat(builder.repositories().get(0).source().orElseThrow()).satisfies(source -> {
            assertThat(source.credentials()).isEmpty();
            assertThat(source.ssh()).isEmpty();
        });
        assertThat(mistakes(sources)).hasSize(3);
    }

    @ParameterizedTest
    @ValueSource(strings = {"ssh://git@git.example.com:2222/{name}", "git@git.example.com:{name}.git", "host:path"})
    void sshUrlsNeedKnownHosts(String url) throws IOException {
        assertThat(mistakes("kiln.repository-defaults.source.ssh.known-hosts = /no/such/file\n" + withUrl(url)))
                .singleElement()
                .asString()
                .contains("ssh.known-hosts is not a file that can be read");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "../app.git",
                "ext::sh -c whoami",
                "git://git.example.com/x",
                "ssh://-oProxyCommand=x/y",
                "-oProxyCommand=x:y",
                "https://git.example.com/{repo}.git",
                "https://git.example.com/x?y",
                "https:///x",
                "file://host/x",
                ""
            })
    void urlsThatAreNot(String url) throws IOException {
        assertThat(mistakes(withUrl(url)))
                .singleElement()
                .asString()
                .startsWith(file() + ":1: kiln.repositories[0].source.url m");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "https://bot:hunter2@git.example.com/x",
                "https://hunter2@git.example.com/x",
                "ssh://bot:hunter2@git.example.com/x",
                "ftp://bot:hunter2@git.example.com/x",
                "bot:hunter2@git.example.com:x"
            })
    void aSecretInAUrlIsRefusedAndNeverShown(String url) throws IOException {
        assertThat(mistakes(withUrl(url)))
                .singleElement()
                .asString()
                .contains("source.url must")
                .doesNotContain("hunter2");
    }

    @Test
    void noSecretInAnyMessage() throws IOException {
        assertThat(String.join("\n", mistakes("""
                        kiln {
                          secret = hunter2
                          database { url = "jdbc:postgresql://db/kiln?password=hunter2", password = [hunter2] }
                          builders.demo.environment { TOKEN = [hunter2] }
                        }
                        """)))
                .contains("kiln.secret must", "kiln.database.url must not hold", "kiln.database.password must")
                .contains("kiln.builders.demo.environment.TOKEN must")
                .doesNotContain("hunter2");
    }

    @Test
    void aSyntaxErrorNamesItsLineAndNoWordsOfTheFile() throws IOException {
        assertThat(mistakes("kiln {\n  database.password = \"a\"\n  secret { hunter2\n}\n"))
                .singleElement()
                .asString()
                .startsWith(file() + ":")
                .doesNotContain("hunter2");
        assertThat(mistakes("kiln {\n  http.port = ${nothing}\n}\n"))
                .singleElement()
                .asString()
                .startsWith(file() + ":2: ");
    }

    @Test
    void aFileThatIsNotThere() {
        assertThatThrownBy(() -> ConfigLoader.load(Optional.of(dir.resolve("none")), new Properties()))
                .isInstanceOf(InvalidConfiguration.class)
                .hasMessageContaining("is not a file that can be read");
    }

    @Test
    void morePatienceThanTenHopsIsCutWithAWarning() throws IOException {
        LoadedConfig loaded = load("kiln.repositories = [{" + REPOSITORY + "\nhop = 12s\npatience = 10m }]");

        assertThat(loaded.kiln().repositories().get(0).patience()).isEqualTo(Duration.ofMinutes(2));
        assertThat(loaded.warnings())
                .containsExactly(
                        file() + ":3: kiln.repositories[0].patience is cut from 600s to 120s: clients follow ten"
                                + " hops of 12s and no more");
    }

    @Test
    void usernamesNeedAnAddressToSendClientsTo() throws IOException {
        String on = "kiln.hints.username = true\n";
        assertThat(load(on).warnings())
                .containsExactly(file() + ":1: kiln.hints.username sends clients for a token to the address that"
                        + " http.host and port make; set http.public-url to the one they know");
        assertThat(load(on + "kiln.http.public-url = \"https://registry.example.com\"")
                        .warnings())
                .isEmpty();
    }

    @Test
    void doubtfulThingsAreWarnedOf() throws IOException {
        LoadedConfig loaded = load("""
                kilm.http.port = 1
                kiln.admin.host = "0.0.0.0"
                kiln.repositories = [
                  {REPOSITORY}
                  {REPOSITORY}
                  {REPOSITORY, source.url = "http://git/x", source.credentials { user = u, password = p } }
                ]
                """.replace("REPOSITORY", REPOSITORY));

        assertThat(loaded.warnings()).hasSize(5);
        assertThat(loaded.warnings().get(0)).startsWith(file() + ":1: kilm is read by nothing");
        assertThat(loaded.warnings().get(1)).startsWith(file() + ":2: kiln.admin.host is not loopback");
        assertThat(loaded.warnings().get(2)).startsWith(file() + ":5: kiln.repositories[1].name is never reached");
        assertThat(loaded.warnings().subList(3, 5))
                .anySatisfy(warning -> assertThat(warning).contains("credentials travel over http in the clear"));
    }

    @Test
    void theLeaseOutlivesASplitUnlessTheNodeIsByItself() throws IOException {
        assertThat(load("kiln.queue.lease = 10s").kiln().queue().lease()).isEqualTo(Duration.ofSeconds(10));
        assertThat(mistakes("kiln.queue.lease = 59s, kiln.database.url = \"jdbc:postgresql://db/kiln\""))
                .singleElement()
                .asString()
                .contains("kiln.queue.lease must be at least three times")
                .endsWith("60s");
        assertThat(mistakes("akka.cluster.seed-nodes = [\"akka://kiln@a:1\", \"akka://kiln@b:1\"]"))
                .singleElement()
                .asString()
                .contains("embedded database, which only one node can use");
    }

    @Test
    void propertiesComeLast() throws IOException {
        Path file = write("kiln.http.port = 1, kiln.data-dir = \"" + dir.resolve("d") + "\"");
        Properties properties = new Properties();
        properties.setProperty("kiln.http.port", "0");
        properties.setProperty("akka.http.server.idle-timeout", "20s");
        properties.setProperty("user.name", "nobody");

        assertThatThrownBy(() -> ConfigLoader.load(Optional.of(file), properties))
                .hasMessageContaining("hop must be shorter than akka.http.server.idle-timeout (20s)");
        properties.setProperty("kiln.repository-defaults.hop", "3s");
        LoadedConfig loaded = ConfigLoader.load(Optional.of(file), properties);
        assertThat(loaded.kiln().http().port()).isZero();
        assertThat(loaded.kiln().store().dir()).isEqualTo(dir.resolve("d/store"));
        properties.setProperty("kiln.htp.port", "1");
        assertThatThrownBy(() -> ConfigLoader.load(Optional.of(file), properties))
                .hasMessageContaining("system property: kiln.htp is not a key of Kiln; did you mean http?");
    }

    @Test
    void theFirstMatchWins() throws IOException {
        KilnConfig kiln = load("kiln.repositories = [{" + REPOSITORY + ", name = \"team/app\" }, {" + REPOSITORY
                        + ", name = \"team/**\", hop = 5s }]")
                .kiln();

        assertThat(kiln.repository(new RepositoryName("team/app")))
                .contains(kiln.repositories().get(0));
        assertThat(kiln.repository(new RepositoryName("team/a/b")))
                .contains(kiln.repositories().get(1));
        assertThat(kiln.repository(new RepositoryName("other"))).isEmpty();
    }

    private static String withUrl(String url) {
        return "kiln.repositories = [{" + REPOSITORY + ", source.url = \"" + url + "\" }]";
    }

    private LoadedConfig load(String text) throws IOException {
        return ConfigLoader.load(Optional.of(write(text)), new Properties());
    }

    private List<String> mistakes(String text) throws IOException {
        Path file = write(text);
        InvalidConfiguration refused = catchThrowableOfType(
                InvalidConfiguration.class, () -> ConfigLoader.load(Optional.of(file), new Properties()));
        assertThat(refused).as("refused: %s", text).isNotNull();
        return refused.mistakes();
    }

    private Path write(String text) throws IOException {
        return Files.writeString(file(), text);
    }

    private Path file() {
        return dir.resolve("kiln.conf");
    }
}
