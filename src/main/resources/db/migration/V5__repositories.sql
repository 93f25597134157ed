-- Which repositories clients pushed to, for people to list; made from the journal, from which it can be made again at any
-- time. filled says whether any pushed manifest is left, seq is the sequence number of the last event in it.
CREATE TABLE IF NOT EXISTS pushed_repositories (
  name VARCHAR(255) PRIMARY KEY,
  filled BOOLEAN NOT NULL,
  seq BIGINT NOT NULL
);
