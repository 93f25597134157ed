package dev.kiln.boot;

import dev.kiln.blob.ContentStore;
import dev.kiln.blob.FreeSpace;
import dev.kiln.blob.SpaceKeepingBlobStore;
import dev.kiln.config.KilnConfig;
import java.nio.file.Files;
import java.util.List;

/**
 * The disks that this node must not fill.
 *
 * @param dataDir the database's and the mirrors'
 * @param all data-dir's and the content store's
 * @param intake the content store for whatever is new and large; an index of what is built already needs no such care
 */
record Disks(FreeSpace dataDir, List<FreeSpace> all, ContentStore intake) {
    static Disks of(KilnConfig config, ContentStore store) {
        FreeSpace dataDir = new FreeSpace(
                "data-dir",
                "kiln.data-dir-min-free",
                config.dataDirMinFree(),
                () -> Files.getFileStore(config.dataDir()).getUsableSpace());
        FreeSpace content = new FreeSpace(
                "the content store",
                "kiln.store.min-free",
                config.store().minFree(),
                () -> store.blobs().free());
        List<FreeSpace> all = List.of(content, dataDir);
        return new Disks(dataDir, all, new ContentStore(new SpaceKeepingBlobStore(store.blobs(), all), store.links()));
    }
}
