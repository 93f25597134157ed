package dev.kiln.boot.cli;

import com.fasterxml.jackson.databind.JsonNode;
import dev.kiln.oci.BuildKey;
import dev.kiln.oci.Platform;
import dev.kiln.oci.RepositoryName;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** Finds the builds that somebody means. Asks only for what is there: never pulls, so never starts one. */
final class BuildFinder {
    private static final String BUILDS = "/api/v1/builds";
    private static final String MOST = "1000";
    private static final String REVISION = "[0-9a-f]{4,64}";

    private final ServerOptions options;
    private final Api api;

    BuildFinder(ServerOptions options, Api api) {
        this.options = options;
        this.api = api;
    }

    /** The state of one build, by its id. */
    BuildView get(String id) throws IOException, InterruptedException {
        return new BuildView(api.get(BUILDS + "/" + id, Map.of()));
    }

    /** The only build that is meant; ends the command with a list to choose from when there are more. */
    BuildView one(String text, Optional<Platform> platform) throws IOException, InterruptedException {
        List<BuildView> found = all(text, platform);
        if (found.size() > 1) {
            StringBuilder message = new StringBuilder("which one? Add --platform, or name it:");
            found.forEach(build -> message.append("\n  ").append(build.name()));
            throw options.usage(message.toString());
        }
        return found.get(0);
    }

    /** All that are meant, of one revision; at least one. */
    List<BuildView> all(String text, Optional<Platform> platform) throws IOException, InterruptedException {
        String name = ImageName.withoutRegistry(text, api.host());
        Optional<BuildKey> key = BuildKey.parse(name);
        List<BuildView> found;
        if (key.isPresent()) {
            found = List.of(get(key.get().id()));
        } else if (name.contains("@")) {
            found = ofRevision(name, platform);
        } else {
            found = ofTag(name, platform);
        }
        if (found.isEmpty()) {
            throw new ApiProblem(
                    404, "no such build of " + TerminalText.line(text, 300) + ": `kiln builds` lists them");
        }
        return found;
    }

    private List<BuildView> ofRevision(String name, Optional<Platform> platform)
            throws IOException, InterruptedException {
        String[] parts = name.replace('~', '/').split("@", -1);
        Optional<Platform> named = parts.length == 3 ? Platform.parse(parts[2]) : platform;
        if (parts.length > 3
                || RepositoryName.parse(parts[0]).isEmpty()
                || !parts[1].matches(REVISION)
                || (parts.length == 3 && named.isEmpty())) {
            throw wrong();
        }
        return newestRevision(list(parts[0], parts[1], named));
    }

    private List<BuildView> ofTag(String name, Optional<Platform> platform) throws IOException, InterruptedException {
        ImageName image = ImageName.parse(name, api.host()).orElseThrow(this::wrong);
        List<BuildView> named = ofTag(image, list(image.repository().value(), "", Optional.empty()));
        return named.isEmpty()
                ? List.of()
                : list(image.repository().value(), named.get(0).revision(), platform);
    }

    /** Those that were caused by this tag, or whose revision it is. */
    static List<BuildView> ofTag(ImageName image, List<BuildView> builds) {
        String tag = image.tag().value();
        boolean revision = tag.matches(REVISION);
        return builds.stream()
                .filter(build -> build.text("reference").equals(tag)
                        || (revision && build.revision().startsWith(tag)))
                .toList();
    }

    List<BuildView> list(String repository, String revision, Optional<Platform> platform)
            throws IOException, InterruptedException {
        JsonNode page = api.get(
                BUILDS,
                Map.of(
                        "repository",
                        repository,
                        "revision",
                        revision,
                        "platform",
                        platform.map(Platform::toString).orElse(""),
                        "n",
                        MOST));
        List<BuildView> builds = new ArrayList<>();
        page.path("builds").forEach(build -> builds.add(new BuildView(build)));
        return builds;
    }

    static List<BuildView> newestRevision(List<BuildView> builds) {
        return builds.stream()
                .filter(build -> build.revision().equals(builds.get(0).revision()))
                .toList();
    }

    private RuntimeException wrong() {
        return options.usage("a build is named by its id, as team/app:main, or as team/app@<revision>[@linux/amd64]");
    }
}
