package dev.kiln.image;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kiln.oci.Platform;
import dev.kiln.oci.RepositoryName;
import dev.kiln.oci.Revision;
import dev.kiln.oci.Tag;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class PointerIndexTest {
    @ParameterizedTest
    @CsvSource({
        "main, linux/amd64, main_linux-amd64",
        "main, linux/arm64/v8, main_linux-arm64",
        "main, linux/arm/v7, main_linux-arm",
        "main, linux/arm/v6, main_linux-arm-v6",
        "main, linux/amd64/v3, main_linux-amd64-v3",
        "main, linux/a_b, main?platform=linux%2Fa_b",
        "main, linux/an-architecture, main?platform=linux%2Fan-architecture"
    })
    void aPlatformIsFoundUnderItsOwnTag(String tag, String platform, String reference) {
        assertThat(index(tag, platform)).contains("{\"url\":\"/v2/team/app/manifests/" + reference + "\"");
    }

    @ParameterizedTest
    @CsvSource({"116, _linux-amd64", "117, ?platform=linux%2Famd64"})
    void aTagThatWouldBeTooLongIsAParameter(int length, String end) {
        assertThat(index("a".repeat(length), "linux/amd64")).contains("a" + end + "\"");
    }

    private static String index(String tag, String platform) {
        return PointerIndex.compose(
                new RepositoryName("team/app"),
                new Tag(tag),
                new Revision("0".repeat(40)),
                List.of(Platform.of(platform)),
                List.of());
    }
}
