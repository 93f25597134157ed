package dev.kiln.http;

import dev.kiln.blob.BuildLogs;
import dev.kiln.blob.SettlingContent;
import dev.kiln.build.BuildHistory;
import dev.kiln.build.Builds;
import dev.kiln.catalog.BuildCatalog;
import dev.kiln.catalog.RepositoryNames;
import dev.kiln.client.HintTokens;
import dev.kiln.http.registry.Pushing;
import dev.kiln.image.Dedup;
import dev.kiln.image.Images;
import java.time.InstantSource;
import java.util.Optional;
import java.util.concurrent.Executor;
import java.util.function.Supplier;

/**
 * What the listeners answer from.
 *
 * @param dedup of this node
 * @param blocking runs look-ups in the logs, never anything else but the content store's
 * @param notReady why this node should get no requests, in one line; quick, asked on every probe
 * @param impaired what all nodes lack now, in the same way
 */
public record HttpServices(
        Images images,
        Builds builds,
        BuildCatalog catalog,
        BuildHistory history,
        Supplier<Dedup.Counts> dedup,
        SettlingContent content,
        Pushing pushing,
        RepositoryNames names,
        BuildLogs logs,
        Executor blocking,
        InstantSource clock,
        HintTokens tokens,
        Supplier<Optional<String>> notReady,
        Supplier<Optional<String>> impaired) {}
