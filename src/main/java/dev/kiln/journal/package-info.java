/** The event journal's database: its tables, its pool, and the secrets that the nodes of a cluster share through it. */
package dev.kiln.journal;
