package dev.kiln.boot.cli;

import dev.kiln.oci.Platform;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/** Reads a platform on the command line. */
final class PlatformConverter implements ITypeConverter<Platform> {
    @Override
    public Platform convert(String text) {
        return Platform.parse(text)
                .orElseThrow(() -> new TypeConversionException("a platform is written like linux/amd64"));
    }
}
