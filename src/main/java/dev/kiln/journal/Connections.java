package dev.kiln.journal;

import java.sql.Connection;
import java.sql.SQLException;

/** Where connections to the journal's database come from. Blocks; every connection must be closed. */
@FunctionalInterface
public interface Connections {
    Connection open() throws SQLException;
}
