package dev.kiln.client;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/**
 * The products of a {@code User-Agent} (RFC 9110, 10.1.5), in order, without its comments. Anything can be read: what is
 * no product is left out, and what comes after the first kilobyte or the first sixteen products does not count.
 */
public record UserAgent(List<Product> products) {
    private static final int MAX_LENGTH = 1024;
    private static final int MAX_PRODUCTS = 16;

    public UserAgent {
        products = List.copyOf(products);
    }

    /**
     * @param name in lower case
     * @param version what stands after the slash; empty without one
     */
    public record Product(String name, String version) {}

    public static UserAgent parse(String text) {
        String bounded = text.length() <= MAX_LENGTH ? text : text.substring(0, MAX_LENGTH);
        List<Product> products = new ArrayList<>();
        StringBuilder word = new StringBuilder();
        int depth = 0;
        for (int i = 0; i < bounded.length(); i++) {
            char c = bounded.charAt(i);
            if (c == '\\') {
                // quoted-pair: the next character is only itself, as Docker writes the parentheses inside
                // UpstreamClient(…)
                i++;
            } else if (c == '(') {
                // "UpstreamClient(Docker-Client/29 …)": the whole word is somebody else's
                word.setLength(depth == 0 ? 0 : word.length());
                depth++;
            } else if (c == ')') {
                depth = Math.max(0, depth - 1);
            } else if (depth == 0 && (c == ' ' || c == '\t')) {
                add(products, word);
            } else if (depth == 0) {
                word.append(c);
            }
        }
        add(products, word);
        return new UserAgent(products);
    }

    private static void add(List<Product> products, StringBuilder word) {
        int slash = word.indexOf("/");
        String name = slash < 0 ? word.toString() : word.substring(0, slash);
        String version = slash < 0 ? "" : word.substring(slash + 1);
        word.setLength(0);
        if (!name.isEmpty() && products.size() < MAX_PRODUCTS) {
            products.add(new Product(name.toLowerCase(Locale.ROOT), version));
        }
    }

    /** The first product of that name, which is in lower case. */
    public Optional<Product> product(String name) {
        return products.stream().filter(product -> product.name().equals(name)).findFirst();
    }
}
