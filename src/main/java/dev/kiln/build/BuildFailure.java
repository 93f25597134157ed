package dev.kiln.build;

import java.time.Instant;
import java.util.Optional;

/**
 * Why a build has no result.
 *
 * @param message one line for the person who pulls
 * @param at when it failed
 * @param until when it is forgotten, so that the next pull starts it anew; empty: only a retry by an operator does
 */
public record BuildFailure(FailureClass failureClass, String message, Instant at, Optional<Instant> until) {}
