package dev.kiln.source;

import java.io.IOException;
import java.io.InputStream;
import org.eclipse.jgit.internal.storage.file.FileRepository;
import org.eclipse.jgit.lib.ObjectInserter;
import org.eclipse.jgit.storage.file.FileRepositoryBuilder;
import org.eclipse.jgit.transport.PackParser;

/**
 * The repository of a mirror, which takes no pack with an object beyond a limit. JGit sets none when it fetches, and makes
 * arrays as large as a pack says that its objects are: three at a time where one is kept as its difference from another.
 */
final class MirrorRepository extends FileRepository {
    private final long largestObject;

    /** @param largestObject in bytes, not compressed */
    MirrorRepository(FileRepositoryBuilder place, long largestObject) throws IOException {
        super(place.setup());
        this.largestObject = largestObject;
    }

    @Override
    public ObjectInserter newObjectInserter() {
        ObjectInserter inserter = super.newObjectInserter();
        return new ObjectInserter.Filter() {
            @Override
            protected ObjectInserter delegate() {
                return inserter;
            }

            @Override
            public PackParser newPackParser(InputStream pack) throws IOException {
                PackParser parser = super.newPackParser(pack);
                parser.setMaxObjectSizeLimit(largestObject);
                return parser;
            }
        };
    }
}
