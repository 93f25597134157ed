package dev.kiln.boot.cli;

import dev.kiln.oci.Platform;
import java.io.IOException;
import java.util.List;
import java.util.Optional;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Which build a command is about. */
final class BuildChoice {
    @Option(
            names = "--platform",
            paramLabel = "OS/ARCH",
            converter = PlatformConverter.class,
            description = "Of this platform, when an image has several")
    private Platform platform;

    @Parameters(paramLabel = "BUILD", description = "An id, team/app:main, or team/app@<revision>[@linux/amd64]")
    private String build;

    /** As {@link BuildFinder#one}. */
    BuildView one(BuildFinder finder) throws IOException, InterruptedException {
        return finder.one(build, Optional.ofNullable(platform));
    }

    /** As {@link BuildFinder#all}. */
    List<BuildView> all(BuildFinder finder) throws IOException, InterruptedException {
        return finder.all(build, Optional.ofNullable(platform));
    }
}
