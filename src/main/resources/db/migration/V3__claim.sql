-- Which process claimed this database last: one whose connection was cut must know whether another was here meanwhile.
CREATE TABLE IF NOT EXISTS claim (
  id INTEGER PRIMARY KEY,
  holder VARCHAR(64) NOT NULL
);
