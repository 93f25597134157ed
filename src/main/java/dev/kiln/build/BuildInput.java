package dev.kiln.build;

import dev.kiln.source.SourceArchive;

/**
 * What every attempt of a build is made from.
 *
 * @param builder the key of {@code kiln.builders} that makes it
 */
public record BuildInput(SourceArchive archive, String builder) {}
