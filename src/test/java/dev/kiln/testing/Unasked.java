package dev.kiln.testing;

import java.lang.reflect.Proxy;
import java.util.Map;
import java.util.function.Function;

/** Things of which a test needs a method or two. */
public final class Unasked {
    private Unasked() {}

    /**
     * Answers those calls alone; any other fails the test.
     *
     * @param answers by the method's name, to its arguments
     */
    public static <T> T but(Class<T> type, Map<String, Function<Object[], Object>> answers) {
        return type.cast(Proxy.newProxyInstance(
                type.getClassLoader(), new Class<?>[] {type}, (self, method, arguments) -> {
                    Function<Object[], Object> answer = answers.get(method.getName());
                    if (answer == null) {
                        throw new AssertionError(
                                type.getSimpleName() + "." + method.getName() + " must not be asked here");
                    }
                    return answer.apply(arguments);
                }));
    }
}
