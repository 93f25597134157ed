package dev.kiln.config;

import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Which addresses of git repositories are allowed. No answer ever holds the address, which may hold a secret. */
final class GitUrls {
    private static final String HOST = "(?:\\[[0-9a-fA-F:.]+]|[A-Za-z0-9][A-Za-z0-9.-]*)(?::[0-9]{1,5})?";
    private static final Pattern WITH_USER = Pattern.compile("(?:[a-z]+://)?([^/]*)@.*");
    private static final Pattern HTTP = Pattern.compile("https?://" + HOST + "/[^\\s?#]*");
    private static final Pattern SSH = Pattern.compile("ssh://(?:[A-Za-z0-9][A-Za-z0-9._-]*@)?" + HOST + "/\\S+");
    private static final Pattern SCP_LIKE =
            Pattern.compile("(?:[A-Za-z0-9][A-Za-z0-9._-]*@)?[A-Za-z0-9][A-Za-z0-9.-]*:[^:\\s\\\\]\\S*");
    private static final Pattern LOCAL = Pattern.compile("(?:file://)?/[^\\p{Cntrl}]*");
    private static final Pattern PLACEHOLDER = Pattern.compile("\\{[^}]*}?");

    private GitUrls() {}

    /** What is wrong with {@code url} and what to do, or empty. */
    static Optional<String> mistake(String url) {
        Matcher user = WITH_USER.matcher(url);
        boolean isHttp = isHttp(url);
        if (user.matches() && (isHttp || user.group(1).contains(":"))) {
            return Optional.of("must not hold a user, password or token; set credentials { user, password } beside it");
        }
        // the only thing that looks like a placeholder must be one
        if (PLACEHOLDER.matcher(url.replace("{name}", "")).find()) {
            return Optional.of("may hold {name} and no other placeholder");
        }
        String example = url.replace("{name}", "name");
        boolean allowed = isHttp
                ? HTTP.matcher(example).matches()
                : isSsh(url) || LOCAL.matcher(example).matches();
        return allowed
                ? Optional.empty()
                : Optional.of("must be https://…, http://…, ssh://user@host/…, user@host:path, file:///… or an"
                        + " absolute path");
    }

    static boolean isHttp(String url) {
        return url.startsWith("https://") || url.startsWith("http://");
    }

    static boolean isSsh(String url) {
        String example = url.replace("{name}", "name");
        return url.contains("://")
                ? SSH.matcher(example).matches()
                : SCP_LIKE.matcher(example).matches();
    }
}
