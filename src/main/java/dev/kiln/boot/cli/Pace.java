package dev.kiln.boot.cli;

import java.time.Duration;

/** How a command lets time pass between two questions. */
@FunctionalInterface
interface Pace {
    void pause(Duration time) throws InterruptedException;
}
