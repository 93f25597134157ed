-- The registry nodes that have joined, or are about to join, the cluster that holds the claim: by it a node that starts
-- knows whether those it finds are of that cluster. A cluster that is formed anew begins with an empty table.
CREATE TABLE IF NOT EXISTS cluster_node (
  address VARCHAR(300) PRIMARY KEY,
  cluster VARCHAR(64) NOT NULL
);
