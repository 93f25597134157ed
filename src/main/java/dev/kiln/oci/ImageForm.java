package dev.kiln.oci;

/** The forms in which an image can be served by its tag. */
public enum ImageForm {
    /** An OCI image index. */
    INDEX,
    /** Docker's manifest list. */
    DOCKER_LIST,
    /** One platform's manifest, as the build left it. */
    MANIFEST,
    /** One platform's manifest in Docker's schema 2. */
    DOCKER_MANIFEST;

    /** Whether the client chooses among platforms itself. */
    public boolean isIndex() {
        return this == INDEX || this == DOCKER_LIST;
    }

    /** Whether the client knows Docker's media types only. */
    public boolean isDocker() {
        return this == DOCKER_LIST || this == DOCKER_MANIFEST;
    }
}
