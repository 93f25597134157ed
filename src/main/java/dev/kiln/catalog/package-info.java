/** Builds for people: a read model that a projection makes from the journal, and the queries on it. */
package dev.kiln.catalog;
