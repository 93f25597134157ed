package dev.kiln.image;

import dev.kiln.config.RepositoryConfig;
import dev.kiln.oci.RepositoryName;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** The address of a repository's source as it may be recorded and shown: without user information. */
final class SourceUrl {
    private static final Pattern WITH_USER = Pattern.compile("([a-z][a-z0-9+.-]*://)[^/@]*@(.*)");
    private static final Pattern SCP_STYLE = Pattern.compile("(?:[^/@:]+@)?([^/@:]+):(?!//)(.+)");

    private SourceUrl() {}

    static String of(RepositoryConfig config, RepositoryName repository) {
        String url = config.source().url(repository);
        Matcher withUser = WITH_USER.matcher(url);
        if (withUser.matches()) {
            return withUser.group(1) + withUser.group(2);
        }
        Matcher scp = SCP_STYLE.matcher(url);
        if (!url.contains("://") && !url.startsWith("/") && scp.matches()) {
            return "ssh://" + scp.group(1) + "/" + scp.group(2).replaceFirst("^/+", "");
        }
        return url;
    }
}
