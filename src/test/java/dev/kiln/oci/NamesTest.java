package dev.kiln.oci;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class NamesTest {
    private static final String SHA = "0123456789abcdef0123456789abcdef01234567";

    @ParameterizedTest
    @ValueSource(strings = {"a", "team/app", "a/b/c/d", "a.b_c__d-e---f", "0", "library/x0"})
    void repositoryNamesOfTheGrammar(String text) {
        assertThat(RepositoryName.parse(text)).map(RepositoryName::value).contains(text);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "", "/", "a/", "/a", "a//b", "A", "a/B", "-a", "a-", "a..b", "a/../b", ".", "..", "a___b", "a.-b",
                "a b", "a%2fb", "a\u0000", "_a", "a:b", "ä"
            })
    void notRepositoryNames(String text) {
        assertThat(RepositoryName.parse(text)).isEmpty();
    }

    @Test
    void longHostileNamesAreRefusedWithoutEffort() {
        assertThat(RepositoryName.parse("a".repeat(255))).isPresent();
        assertThat(RepositoryName.parse("a".repeat(256))).isEmpty();
        assertThat(RepositoryName.parse("a-".repeat(5000) + "!")).isEmpty();
        assertThat(RepositoryName.parse("a".repeat(127) + "-".repeat(127))).isEmpty();
    }

    @ParameterizedTest
    @ValueSource(strings = {"latest", "v1.2.3", "_", "A-b.C_d", SHA})
    void tagsOfTheGrammar(String text) {
        assertThat(Tag.parse(text)).map(Tag::value).contains(text);
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "-a", ".a", "a/b", "a:b", "a b", "a\n", "ä", "../a"})
    void notTags(String text) {
        assertThat(Tag.parse(text)).isEmpty();
    }

    @Test
    void tagsHaveAtMost128Characters() {
        assertThat(Tag.parse("a".repeat(128))).isPresent();
        assertThat(Tag.parse("a".repeat(129))).isEmpty();
    }

    /** The specification's own expressions are the oracle for what is checked by hand. */
    @Test
    void grammarsAreThoseOfTheSpecification() {
        long seed = new SplittableRandom().nextLong();
        SplittableRandom random = new SplittableRandom(seed);
        String component = "[a-z0-9]+((\\.|_|__|-+)[a-z0-9]+)*";
        for (int i = 0; i < 20_000; i++) {
            StringBuilder text = new StringBuilder();
            for (int length = random.nextInt(12); length > 0; length--) {
                text.append("ab09Z._-/:\u00e4".charAt(random.nextInt(11)));
            }
            assertThat(RepositoryName.parse(text.toString()).isPresent())
                    .as("%s, seed %s", text, seed)
                    .isEqualTo(text.toString().matches(component + "(/" + component + ")*"));
            assertThat(Tag.parse(text.toString()).isPresent())
                    .as("%s, seed %s", text, seed)
                    .isEqualTo(text.toString().matches("[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}"));
        }
    }

    @Test
    void revisionsAreFullLowerCaseCommitIds() {
        assertThat(Revision.parse(SHA)).isPresent();
        assertThat(Revision.parse("0f".repeat(32))).isPresent();
        assertThat(Revision.parse(SHA.substring(1))).isEmpty();
        assertThat(Revision.parse(SHA.substring(1) + "G")).isEmpty();
        assertThat(Revision.parse(SHA.substring(1) + "A")).isEmpty();
        assertThat(Revision.parse("")).isEmpty();
    }

    @Test
    void knowsTheTagsThatSignersLookFor() {
        String hex = "ab".repeat(32);
        assertThat(new Tag("sha256-" + hex).isReferrersFallback()).isTrue();
        assertThat(new Tag("sha256-" + hex + ".sig").isReferrersFallback()).isTrue();
        assertThat(new Tag("sha256-" + hex + ".att").isReferrersFallback()).isTrue();
        assertThat(new Tag("sha256-abc").isReferrersFallback()).isFalse();
        assertThat(new Tag("v1").isReferrersFallback()).isFalse();
    }

    @Test
    void digestsAreSha256OrSha512InLowerCase() {
        assertThat(Digest.parse("sha256:" + "0f".repeat(32))).isPresent();
        assertThat(Digest.parse("sha512:" + "0f".repeat(64))).isPresent();
        assertThat(Digest.parse("sha256:" + "0F".repeat(32))).isEmpty();
        assertThat(Digest.parse("sha256:" + "0f".repeat(31))).isEmpty();
        assertThat(Digest.parse("md5:" + "0f".repeat(16))).isEmpty();
        assertThat(Digest.sha256(new byte[0]).hex()).startsWith("e3b0c44298fc1c14");
    }

    @Test
    void aBuildsKeyAndIdAreReadBack() {
        BuildKey key = new BuildKey(new RepositoryName("team/app"), new Revision(SHA), Platform.of("linux/arm64"));
        assertThat(key).hasToString("team/app@" + SHA + "@linux/arm64/v8");
        assertThat(key.id()).isEqualTo("team~app@" + SHA + "@linux~arm64~v8");
        assertThat(BuildKey.parse(key.toString())).contains(key);
        assertThat(BuildKey.parse(key.id())).contains(key);
        assertThat(BuildKey.parse("team/app@" + SHA)).isEmpty();
        assertThat(BuildKey.parse("team/app@" + SHA + "@linux")).isEmpty();
        assertThat(BuildKey.parse("@@")).isEmpty();
    }
}
