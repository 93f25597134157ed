/**
 * The guardian: a process of its own beside each attempt, a tiny JVM that uses nothing but {@code java.base}, so that it
 * starts in a few hundredths of a second and outlives whatever happens to the server. The server's side of the pipe is
 * {@code worker.builder}.
 */
package dev.kiln.worker.guardian;
