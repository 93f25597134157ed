package dev.kiln.worker.builder.jib;

import dev.kiln.build.FailureClass;

/** Why there is no image: whose fault it is, and one line for the person who pulls, without a path of this machine. */
final class JibFailure extends Exception {
    private static final long serialVersionUID = 1L;

    private final FailureClass failureClass;

    private JibFailure(FailureClass failureClass, String message, Throwable cause) {
        super(oneLine(message), cause);
        this.failureClass = failureClass;
    }

    /** The revision's own fault: another try cannot help. */
    static JibFailure source(String message) {
        return new JibFailure(FailureClass.SOURCE, message, null);
    }

    /** As {@link #source(String)}, keeping the cause for the server's own log. */
    static JibFailure source(String message, Throwable cause) {
        return new JibFailure(FailureClass.SOURCE, message, cause);
    }

    /** Another try may help. */
    static JibFailure infrastructure(String message, Throwable cause) {
        return new JibFailure(FailureClass.INFRASTRUCTURE, message, cause);
    }

    FailureClass failureClass() {
        return failureClass;
    }

    /** Text from files, registries and libraries ends up in messages: no control characters, never long. */
    private static String oneLine(String text) {
        String line = text.replaceAll("\\p{Cntrl}+", " ").strip();
        return line.length() <= 500 ? line : line.substring(0, 500) + "…";
    }
}
