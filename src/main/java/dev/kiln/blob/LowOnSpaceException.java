package dev.kiln.blob;

import java.io.IOException;

/** So little space is left that nothing new is begun. The message is for people, without a path of this machine. */
public final class LowOnSpaceException extends IOException {
    private static final long serialVersionUID = 1L;

    LowOnSpaceException(String message) {
        super(message);
    }
}
