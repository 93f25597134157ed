package dev.kiln.build;

/**
 * Who caused a build, as an auditor asks: all of it is the caller's own word except the address, and bounded in length.
 *
 * @param client the User-Agent, or {@code operator}
 * @param address the peer's IP address
 * @param hint the platform hint that won and its channel, or empty
 * @param reference the tag as it was asked for
 */
public record Cause(String client, String address, String hint, String reference) {
    private static final int MAX = 256;
    private static final int BRIEF = 40;

    public Cause {
        client = bounded(client);
        address = bounded(address);
        hint = bounded(hint);
        reference = bounded(reference);
    }

    /** What fits into one message as often as builds wait: a caller may write anything into a User-Agent. */
    Cause brief() {
        return new Cause(brief(client), brief(address), brief(hint), brief(reference));
    }

    private static String brief(String text) {
        return text.length() <= BRIEF ? text : text.substring(0, BRIEF);
    }

    private static String bounded(String text) {
        String cut = text.length() <= MAX ? text : text.substring(0, MAX);
        StringBuilder printable = null;
        for (int i = 0; i < cut.length(); i++) {
            char c = cut.charAt(i);
            if (c < 0x20 || c > 0x7e) {
                printable = printable == null ? new StringBuilder(cut) : printable;
                printable.setCharAt(i, '?');
            }
        }
        return printable == null ? cut : printable.toString();
    }
}
