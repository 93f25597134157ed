-- Where each projection stands, as akka-projection-jdbc reads and writes it.
CREATE TABLE IF NOT EXISTS akka_projection_offset_store (
  projection_name VARCHAR(255) NOT NULL,
  projection_key VARCHAR(255) NOT NULL,
  current_offset VARCHAR(255) NOT NULL,
  manifest VARCHAR(4) NOT NULL,
  mergeable BOOLEAN NOT NULL,
  last_updated BIGINT NOT NULL,
  PRIMARY KEY (projection_name, projection_key)
);
CREATE INDEX IF NOT EXISTS projection_name_index ON akka_projection_offset_store (projection_name);

CREATE TABLE IF NOT EXISTS akka_projection_management (
  projection_name VARCHAR(255) NOT NULL,
  projection_key VARCHAR(255) NOT NULL,
  paused BOOLEAN NOT NULL,
  last_updated BIGINT NOT NULL,
  PRIMARY KEY (projection_name, projection_key)
);

-- Keys that all nodes share and nobody else knows. (`value` is a reserved word.)
CREATE TABLE IF NOT EXISTS cluster_secret (
  name VARCHAR(64) PRIMARY KEY,
  secret BYTEA NOT NULL
);

-- One row a build, for people to list; made from the journal, from which it can be made again at any time.
-- seq is the sequence number of the last event in it.
CREATE TABLE IF NOT EXISTS builds (
  id VARCHAR(512) PRIMARY KEY,
  repository VARCHAR(255) NOT NULL,
  revision VARCHAR(64) NOT NULL,
  platform VARCHAR(100) NOT NULL,
  phase VARCHAR(16) NOT NULL,
  request INTEGER NOT NULL,
  attempt INTEGER NOT NULL,
  requested_at TIMESTAMP(6) WITH TIME ZONE NOT NULL,
  started_at TIMESTAMP(6) WITH TIME ZONE,
  ended_at TIMESTAMP(6) WITH TIME ZONE,
  not_before TIMESTAMP(6) WITH TIME ZONE,
  builder VARCHAR(256) NOT NULL,
  worker VARCHAR(512),
  client VARCHAR(256) NOT NULL,
  address VARCHAR(256) NOT NULL,
  hint VARCHAR(256) NOT NULL,
  reference VARCHAR(256) NOT NULL,
  failure_class VARCHAR(16),
  failure_message VARCHAR(1024),
  failure_until TIMESTAMP(6) WITH TIME ZONE,
  manifest_digest VARCHAR(256),
  manifest_media_type VARCHAR(256),
  manifest_size BIGINT,
  seq BIGINT NOT NULL
);
-- newest first, with the key as the tie-break that paging needs
CREATE INDEX IF NOT EXISTS builds_newest_idx ON builds (requested_at DESC, id);
CREATE INDEX IF NOT EXISTS builds_repository_idx ON builds (repository, requested_at DESC, id);
CREATE INDEX IF NOT EXISTS builds_phase_idx ON builds (phase, requested_at DESC, id);
CREATE INDEX IF NOT EXISTS builds_revision_idx ON builds (revision);
