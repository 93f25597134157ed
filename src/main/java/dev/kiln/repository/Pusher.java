package dev.kiln.repository;

/**
 * Who pushed or deleted, as an auditor asks: the caller's own word except the address, and bounded in length.
 *
 * @param client the User-Agent
 * @param address the peer's IP address
 */
public record Pusher(String client, String address) {
    private static final int MAX = 256;

    public Pusher {
        client = bounded(client);
        address = bounded(address);
    }

    private static String bounded(String text) {
        StringBuilder printable = new StringBuilder(Math.min(text.length(), MAX));
        for (int i = 0; i < text.length() && i < MAX; i++) {
            char c = text.charAt(i);
            printable.append(c < 0x20 || c > 0x7e ? '?' : c);
        }
        return printable.toString();
    }
}
