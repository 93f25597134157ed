package dev.kiln.cluster;

import akka.actor.setup.Setup;
import dev.kiln.journal.DatabaseClaim;

/** Gives an actor system the claim by which its node may form or join a cluster. */
public final class ClaimSetup extends Setup {
    private final DatabaseClaim claim;

    public ClaimSetup(DatabaseClaim claim) {
        this.claim = claim;
    }

    DatabaseClaim claim() {
        return claim;
    }
}
