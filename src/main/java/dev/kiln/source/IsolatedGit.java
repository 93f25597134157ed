package dev.kiln.source;

import java.io.IOException;
import java.util.concurrent.TimeUnit;
import org.eclipse.jgit.lib.Config;
import org.eclipse.jgit.lib.ConfigConstants;
import org.eclipse.jgit.storage.file.FileBasedConfig;
import org.eclipse.jgit.storage.file.WindowCacheConfig;
import org.eclipse.jgit.util.FS;
import org.eclipse.jgit.util.SystemReader;

/**
 * Takes from JGit, which keeps its surroundings in statics, everything that the machine or the user who starts the server
 * could have configured: two nodes must see the same tree, and a credential helper or a {@code url.*.insteadOf} of
 * somebody's {@code ~/.gitconfig} must not decide where sources come from.
 */
final class IsolatedGit {
    /** A larger object is never held in memory as a whole. */
    private static final int STREAM_THRESHOLD = 8 * 1024 * 1024;

    static {
        SystemReader.setInstance(new NobodysSystem(SystemReader.getInstance()));
        WindowCacheConfig cache = new WindowCacheConfig();
        cache.setStreamFileThreshold(STREAM_THRESHOLD);
        cache.install();
    }

    private IsolatedGit() {}

    /** Called before any other use of JGit; cheap. */
    static void install() {
        // loading the class has done it
    }

    private static final class NobodysSystem extends SystemReader.Delegate {
        NobodysSystem(SystemReader reader) {
            super(reader);
        }

        @Override
        public String getenv(String variable) {
            return variable.startsWith("GIT_") || variable.equals("XDG_CONFIG_HOME") ? null : super.getenv(variable);
        }

        @Override
        public FileBasedConfig openUserConfig(Config parent, FS fs) {
            return new NoConfig(parent, fs);
        }

        @Override
        public FileBasedConfig openSystemConfig(Config parent, FS fs) {
            return new NoConfig(parent, fs);
        }

        @Override
        public FileBasedConfig openJGitConfig(Config parent, FS fs) {
            return new NoConfig(parent, fs);
        }
    }

    /**
     * JGit keeps there what it measured of file systems, and measures where nothing is kept: for a second, in the
     * background, with files that it puts beside the repository's. Kiln says the worst instead, which is always right.
     */
    private static final class NoConfig extends FileBasedConfig {
        NoConfig(Config parent, FS fs) {
            super(parent, null, fs);
        }

        @Override
        public void load() {
            // there is nothing to read
        }

        @Override
        public void save() throws IOException {
            // nobody reads it again
        }

        @Override
        public long getTimeUnit(String section, String subsection, String name, long otherwise, TimeUnit unit) {
            if (ConfigConstants.CONFIG_FILESYSTEM_SECTION.equals(section)) {
                boolean isResolution = ConfigConstants.CONFIG_KEY_TIMESTAMP_RESOLUTION.equals(name);
                return unit.convert(isResolution ? 2 : 0, TimeUnit.SECONDS);
            }
            return super.getTimeUnit(section, subsection, name, otherwise, unit);
        }

        @Override
        public boolean isOutdated() {
            return false;
        }
    }
}
