/** The commands of {@code kiln} that talk to a server over HTTP. They see the same API as everybody else. */
package dev.kiln.boot.cli;
