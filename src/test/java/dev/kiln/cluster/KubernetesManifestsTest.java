package dev.kiln.cluster;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.MappingIterator;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.introspect.Annotated;
import com.fasterxml.jackson.databind.introspect.JacksonAnnotationIntrospector;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.dataformat.yaml.YAMLFactory;
import dev.kiln.config.ConfigLoader;
import dev.kiln.config.KilnConfig;
import io.fabric8.kubernetes.api.model.ConfigMap;
import io.fabric8.kubernetes.api.model.Container;
import io.fabric8.kubernetes.api.model.HasMetadata;
import io.fabric8.kubernetes.api.model.Namespace;
import io.fabric8.kubernetes.api.model.PersistentVolumeClaim;
import io.fabric8.kubernetes.api.model.PodSpec;
import io.fabric8.kubernetes.api.model.Service;
import io.fabric8.kubernetes.api.model.ServiceAccount;
import io.fabric8.kubernetes.api.model.apps.Deployment;
import io.fabric8.kubernetes.api.model.networking.v1.Ingress;
import io.fabric8.kubernetes.api.model.networking.v1.NetworkPolicy;
import io.fabric8.kubernetes.api.model.policy.v1.PodDisruptionBudget;
import io.fabric8.kubernetes.api.model.rbac.Role;
import io.fabric8.kubernetes.api.model.rbac.RoleBinding;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Properties;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** {@code cluster-config/kubernetes} is what Kubernetes takes, to the last field, and its parts fit each other. */
class KubernetesManifestsTest {
    private static final Path FOLDER = Path.of("cluster-config/kubernetes");
    private static final ObjectMapper YAML = new ObjectMapper(new YAMLFactory());

    private static final Map<String, Class<? extends HasMetadata>> KINDS = Map.ofEntries(
            Map.entry("v1 Namespace", Namespace.class),
            Map.entry("v1 ServiceAccount", ServiceAccount.class),
            Map.entry("v1 ConfigMap", ConfigMap.class),
            Map.entry("v1 Service", Service.class),
            Map.entry("v1 PersistentVolumeClaim", PersistentVolumeClaim.class),
            Map.entry("apps/v1 Deployment", Deployment.class),
            Map.entry("rbac.authorization.k8s.io/v1 Role", Role.class),
            Map.entry("rbac.authorization.k8s.io/v1 RoleBinding", RoleBinding.class),
            Map.entry("networking.k8s.io/v1 NetworkPolicy", NetworkPolicy.class),
            Map.entry("networking.k8s.io/v1 Ingress", Ingress.class),
            Map.entry("policy/v1 PodDisruptionBudget", PodDisruptionBudget.class));

    /** The model takes any field and keeps it aside; here only those that it knows. */
    private static final ObjectMapper STRICT = JsonMapper.builder()
            .enable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES)
            .annotationIntrospector(new JacksonAnnotationIntrospector() {
                private static final long serialVersionUID = 1;

                @Override
                public Boolean hasAnySetter(Annotated member) {
                    return false;
                }
            })
            .build();

    private static final List<HasMetadata> ALL = new ArrayList<>();

    @BeforeAll
    static void parse() throws IOException {
        try (Stream<Path> files = Files.list(FOLDER)) {
            for (Path file : files.sorted().toList()) {
                try (MappingIterator<ObjectNode> documents =
                        YAML.readerFor(ObjectNode.class).readValues(file.toFile())) {
                    while (documents.hasNext()) {
                        ALL.add(object(documents.next()));
                    }
                }
            }
        }
    }

    private static HasMetadata object(ObjectNode document) throws JsonProcessingException {
        String kind = document.path("apiVersion").asText() + " "
                + document.path("kind").asText();
        assertThat(KINDS).containsKey(kind);
        return STRICT.treeToValue(document, KINDS.get(kind));
    }

    private static <T> List<T> all(Class<T> type) {
        return ALL.stream().filter(type::isInstance).map(type::cast).toList();
    }

    private static Stream<PodSpec> pods() {
        return all(Deployment.class).stream()
                .map(deployment -> deployment.getSpec().getTemplate().getSpec());
    }

    @Test
    void aFieldThatTheApiDoesNotKnowIsFound() throws IOException {
        ObjectNode service = (ObjectNode)
                YAML.readTree("{apiVersion: v1, kind: Service, metadata: {name: a}, spec: {ports: [{prot: 80}]}}");
        assertThatThrownBy(() -> object(service)).hasMessageContaining("prot");
    }

    @Test
    void everythingIsInOneNamespaceThatIsMadeFirst() {
        List<Namespace> namespaces = all(Namespace.class);
        assertThat(namespaces).hasSize(1);
        // kubectl applies a folder's files in the order of their names
        assertThat(ALL.get(0)).isEqualTo(namespaces.get(0));
        String name = namespaces.get(0).getMetadata().getName();
        assertThat(ALL)
                .filteredOn(object -> !(object instanceof Namespace))
                .allSatisfy(object ->
                        assertThat(object.getMetadata().getNamespace()).isEqualTo(name));
    }

    @Test
    void selectorsFindThePodsTheyMean() {
        for (Deployment deployment : all(Deployment.class)) {
            Map<String, String> labels =
                    deployment.getSpec().getTemplate().getMetadata().getLabels();
            assertThat(deployment.getSpec().getSelector().getMatchLabels()).isEqualTo(labels);
            assertThat(all(NetworkPolicy.class))
                    .allSatisfy(policy -> assertThat(labels)
                            .containsAllEntriesOf(
                                    policy.getSpec().getPodSelector().getMatchLabels()));
        }
        Map<String, String> registry = deployment("kiln-registry")
                .getSpec()
                .getTemplate()
                .getMetadata()
                .getLabels();
        assertThat(all(Service.class))
                .allSatisfy(service -> assertThat(registry)
                        .containsExactlyInAnyOrderEntriesOf(service.getSpec().getSelector()));
        assertThat(all(PodDisruptionBudget.class))
                .allSatisfy(budget -> assertThat(registry)
                        .isEqualTo(budget.getSpec().getSelector().getMatchLabels()));
    }

    private static Deployment deployment(String name) {
        return all(Deployment.class).stream()
                .filter(deployment -> deployment.getMetadata().getName().equals(name))
                .findAny()
                .orElseThrow();
    }

    @Test
    void nodesMayAskForPodsAndNothingElse() {
        Role role = all(Role.class).get(0);
        assertThat(role.getRules()).singleElement().satisfies(rule -> {
            assertThat(rule.getResources()).containsExactly("pods");
            assertThat(rule.getVerbs()).containsExactlyInAnyOrder("get", "watch", "list");
        });
        RoleBinding binding = all(RoleBinding.class).get(0);
        assertThat(binding.getRoleRef().getName()).isEqualTo(role.getMetadata().getName());
        String account = all(ServiceAccount.class).get(0).getMetadata().getName();
        assertThat(binding.getSubjects())
                .singleElement()
                .satisfies(subject -> assertThat(subject.getName()).isEqualTo(account));
        assertThat(pods())
                .allSatisfy(pod -> assertThat(pod.getServiceAccountName()).isEqualTo(account));
    }

    @Test
    void whatIsMountedAndProbedIsThere() {
        assertThat(pods()).allSatisfy(pod -> {
            Container kiln = pod.getContainers().get(0);
            assertThat(pod.getVolumes())
                    .extracting("name")
                    .containsExactlyInAnyOrderElementsOf(kiln.getVolumeMounts().stream()
                            .map(mount -> mount.getName())
                            .toList());
            assertThat(kiln.getReadinessProbe().getHttpGet().getPath()).isEqualTo("/health/ready");
            assertThat(kiln.getLivenessProbe().getHttpGet().getPath()).isEqualTo("/health/live");
            assertThat(kiln.getPorts()).extracting("name").contains("http", "remoting", "management");
            assertThat(kiln.getArgs().get(2)).matches("/etc/kiln/.*");
            assertThat(all(ConfigMap.class).get(0).getData())
                    .containsKey(kiln.getArgs().get(2).substring("/etc/kiln/".length()));
        });
    }

    /** Builds run in a builder's container, and reach the port at which this key makes whoever has it a node. */
    @Test
    void noBuildMayReadTheKeyOfTheNodes() {
        assertThat(pods())
                .allSatisfy(pod -> assertThat(pod.getVolumes())
                        .filteredOn(volume -> volume.getSecret() != null)
                        .singleElement()
                        .satisfies(volume ->
                                assertThat(volume.getSecret().getDefaultMode()).isEqualTo(0400)));
    }

    @Test
    void everyVariableOfTheConfigurationIsSet() {
        Map<String, String> files = all(ConfigMap.class).get(0).getData();
        Pattern variable = Pattern.compile("\\$\\{(KILN_[A-Z_]+)}");
        assertThat(pods()).allSatisfy(pod -> {
            Container kiln = pod.getContainers().get(0);
            String role = kiln.getArgs().get(2).substring("/etc/kiln/".length());
            assertThat(kiln.getEnv())
                    .extracting("name")
                    .containsAll(variable.matcher(files.get(role) + files.get("common.conf"))
                            .results()
                            .map(match -> match.group(1))
                            .toList());
        });
    }

    /** Told to end, a registry node goes on for a while, then ends what it holds, then hands its shards over. */
    @Test
    void nodesAreGivenTheTimeThatTheyNeedToLeave() {
        KilnConfig defaults =
                ConfigLoader.load(Optional.empty(), new Properties()).kiln();
        long needed = defaults.shutdown()
                .unready()
                .plus(defaults.shutdown().builds())
                .plus(defaults.repositories().get(0).hop())
                .plusSeconds(60)
                .toSeconds();
        assertThat(pods())
                .allSatisfy(pod ->
                        assertThat(pod.getTerminationGracePeriodSeconds()).isGreaterThan(needed));
    }

    @Test
    void aRollingUpdateStartsANodeBeforeItEndsOne() {
        var update = deployment("kiln-registry").getSpec().getStrategy().getRollingUpdate();
        assertThat(update.getMaxUnavailable().getIntVal()).isZero();
        assertThat(update.getMaxSurge().getIntVal()).isEqualTo(1);
    }

    @Test
    void buildersRunOnTheArchitectureTheyOffer() {
        assertThat(all(Deployment.class))
                .filteredOn(deployment -> deployment.getMetadata().getName().startsWith("kiln-builder"))
                .hasSize(2)
                .allSatisfy(deployment -> {
                    PodSpec pod = deployment.getSpec().getTemplate().getSpec();
                    String architecture = pod.getNodeSelector().get("kubernetes.io/arch");
                    assertThat(deployment.getMetadata().getName()).endsWith(architecture);
                    assertThat(pod.getContainers().get(0).getEnv())
                            .filteredOn(variable -> variable.getName().equals("KILN_PLATFORM"))
                            .extracting("value")
                            .containsExactly("linux/" + architecture);
                    assertThat(pod.getAffinity()
                                    .getPodAntiAffinity()
                                    .getRequiredDuringSchedulingIgnoredDuringExecution())
                            .as("builds of two pods on one machine would have the same users")
                            .singleElement()
                            .satisfies(other -> {
                                assertThat(other.getTopologyKey()).isEqualTo("kubernetes.io/hostname");
                                assertThat(other.getLabelSelector().getMatchLabels())
                                        .isEqualTo(deployment
                                                .getSpec()
                                                .getSelector()
                                                .getMatchLabels());
                            });
                    assertThat(pod.getContainers()
                                    .get(0)
                                    .getSecurityContext()
                                    .getAppArmorProfile()
                                    .getType())
                            .as("builds have mounts of their own")
                            .isEqualTo("Unconfined");
                });
    }
}
