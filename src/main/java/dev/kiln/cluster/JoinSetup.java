package dev.kiln.cluster;

import akka.actor.setup.Setup;
import dev.kiln.journal.DatabaseClaim;
import java.util.Optional;
import java.util.function.Consumer;

/** What an actor system's node needs to form a cluster or to join one. */
public final class JoinSetup extends Setup {
    private final Optional<DatabaseClaim> claim;
    private final Terms terms;
    private final Consumer<Ending> refused;

    /**
     * The setup of one node.
     *
     * @param claim empty for a node without a database, which only joins
     * @param refused told when this node can never be a member as it is; on any thread
     */
    public JoinSetup(Optional<DatabaseClaim> claim, Terms terms, Consumer<Ending> refused) {
        this.claim = claim;
        this.terms = terms;
        this.refused = refused;
    }

    Optional<DatabaseClaim> claim() {
        return claim;
    }

    Terms terms() {
        return terms;
    }

    Consumer<Ending> refused() {
        return refused;
    }
}
