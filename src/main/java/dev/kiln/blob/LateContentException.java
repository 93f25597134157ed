package dev.kiln.blob;

import java.io.IOException;

/** What should be in the shared folder does not show there, however long it was waited for. */
public final class LateContentException extends IOException {
    private static final long serialVersionUID = 1;

    LateContentException(String what) {
        super(what + " should be in the content store and does not show there: is store.settle longer than its file"
                + " system needs to show what another node wrote?");
    }
}
