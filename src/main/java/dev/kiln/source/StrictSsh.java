package dev.kiln.source;

import dev.kiln.config.RepositoryConfig.Ssh;
import java.io.File;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.eclipse.jgit.transport.SshConfigStore;
import org.eclipse.jgit.transport.SshConstants;
import org.eclipse.jgit.transport.SshSessionFactory;
import org.eclipse.jgit.transport.sshd.SshdSessionFactoryBuilder;

/**
 * ssh as configured, and nothing of the user who runs the server: only the configured host keys are trusted, only the
 * configured private key or the ssh agent (at {@code SSH_AUTH_SOCK}) is shown, and nobody is asked anything.
 */
final class StrictSsh {
    private StrictSsh() {}

    /** @param none a folder that does not exist, in place of a home */
    static SshSessionFactory factory(Ssh ssh, Path none, Optional<Path> agentSocket) {
        Map<String, String> options = new HashMap<>();
        options.put(SshConstants.STRICT_HOST_KEY_CHECKING, "yes");
        options.put(SshConstants.USER_KNOWN_HOSTS_FILE, ssh.knownHosts().toString());
        options.put(SshConstants.GLOBAL_KNOWN_HOSTS_FILE, "/dev/null");
        options.put(SshConstants.BATCH_MODE, "yes");
        options.put(SshConstants.PREFERRED_AUTHENTICATIONS, "publickey");
        ssh.privateKey().ifPresent(key -> {
            options.put(SshConstants.IDENTITY_FILE, key.toString());
            options.put(SshConstants.IDENTITIES_ONLY, "yes");
            options.put(SshConstants.IDENTITY_AGENT, "none");
        });
        agentSocket.ifPresent(socket -> options.put(SshConstants.IDENTITY_AGENT, socket.toString()));
        File nowhere = none.toFile();
        return new SshdSessionFactoryBuilder()
                .setHomeDirectory(nowhere)
                .setSshDirectory(nowhere)
                .setConfigStoreFactory((home, file, user) -> new Fixed(Map.copyOf(options)))
                .setDefaultKnownHostsFiles(directory -> List.of(ssh.knownHosts()))
                .setDefaultIdentities(
                        directory -> ssh.privateKey().map(List::of).orElse(List.of()))
                .setPreferredAuthentications("publickey")
                .withDefaultConnectorFactory()
                .build(null);
    }

    /** The same options for every host, in place of {@code ~/.ssh/config}. */
    private record Fixed(Map<String, String> options) implements SshConfigStore {
        @Override
        public HostConfig lookup(String host, int port, String user) {
            return new FixedHost(options);
        }

        @Override
        public HostConfig lookupDefault(String host, int port, String user) {
            return new FixedHost(options);
        }
    }

    private record FixedHost(Map<String, String> options) implements SshConfigStore.HostConfig {
        @Override
        public String getValue(String key) {
            return options.get(key);
        }

        @Override
        public List<String> getValues(String key) {
            return options.containsKey(key) ? List.of(options.get(key)) : List.of();
        }

        @Override
        public Map<String, String> getOptions() {
            return options;
        }

        @Override
        public Map<String, List<String>> getMultiValuedOptions() {
            Map<String, List<String>> all = new HashMap<>();
            for (String key : List.of(
                    SshConstants.IDENTITY_FILE,
                    SshConstants.USER_KNOWN_HOSTS_FILE,
                    SshConstants.GLOBAL_KNOWN_HOSTS_FILE)) {
                if (options.containsKey(key)) {
                    all.put(key, getValues(key));
                }
            }
            return all;
        }
    }
}
