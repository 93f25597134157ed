package dev.kiln.image;

import dev.kiln.problem.Problem;
import dev.kiln.problem.ProblemCode;

/** The source has answered completely, and has no such tag: who pushed one of that name may be asked for it. */
public final class UnknownTag extends Problem {
    private static final long serialVersionUID = 1L;

    UnknownTag(ProblemCode code, String message) {
        super(code, message);
    }
}
