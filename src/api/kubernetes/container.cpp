// A pod's containers.

#include "api/kubernetes/container.h"

#include <re2/re2.h>
#include <set>
#include <type_traits>

namespace margay::api::kubernetes {

namespace {

// ---- ports --------------------------------------------------------------------------------------

Described<ContainerPort> container_port() {
  using Port = ContainerPort;
  return object<Port>(
      "io.k8s.api.core.v1.ContainerPort", "A port the container listens on.",
      {field("name", &Port::name, string().check(formats::port_name),
             "What policies and services may call it."),
       field("containerPort", &Port::container_port, integer().between(1, 65535), "The port.")
           .required(),
       field("hostPort", &Port::host_port, integer().between(1, 65535),
             "A port of the host that leads to it."),
       field("hostIP", &Port::host_ip, string().check(formats::ip_address),
             "The host's address that hostPort is on."),
       field("protocol", &Port::protocol, transport_protocol(), "TCP, UDP or SCTP.")
           .default_to("TCP")});
}

void unique_port_names(const std::vector<ContainerPort>& ports, const Report& report) {
  std::set<std::string> seen;
  for (size_t i = 0; i < ports.size(); ++i)
    if (!ports[i].name.empty() && !seen.insert(ports[i].name).second)
      report.item(i).field("name").duplicate(ports[i].name);
}

// ---- environment --------------------------------------------------------------------------------

void environment_name(const std::string& text, const Report& report) {
  if (text.find('=') != std::string::npos) report.invalid(text, "must not contain '='");
}

Described<json::value> environment_variable() {
  return object("io.k8s.api.core.v1.EnvVar", "An environment variable.",
                {keep("name", string().check(environment_name), "Its name.").required(),
                 keep("value", string(), "Its value."),
                 keep("valueFrom", any_object(), "Where its value comes from.")})
      .check([](const json::value& variable, const Report& report) {
        const auto& fields = variable.get_object();
        if (fields.contains("value") && fields.contains("valueFrom"))
          report.field("valueFrom").invalid(json::value(""), "may not be set when value is");
      });
}

Described<json::value> environment_source() {
  return object("io.k8s.api.core.v1.EnvFromSource", "Environment variables from elsewhere.",
                {keep("prefix", string(), "What their names begin with."),
                 keep("configMapRef", any_object(), "From a ConfigMap."),
                 keep("secretRef", any_object(), "From a Secret.")});
}

// ---- volumes ------------------------------------------------------------------------------------

Described<json::value> volume_mount() {
  return object("io.k8s.api.core.v1.VolumeMount", "A volume, in the container's file system.",
                {keep("name", string(), "The volume.").required(),
                 keep("mountPath", string(), "Where it is mounted.").required(),
                 keep("readOnly", boolean(), "Whether it can only be read."),
                 keep("recursiveReadOnly", string(), "The same, for mounts below it."),
                 keep("subPath", string(), "The part of the volume to mount."),
                 keep("subPathExpr", string(), "The same, with variables."),
                 keep("mountPropagation", string(), "How mounts travel."),
                 keep("bindMountOptions", list(string()), "Options of the mount.")});
}

Described<json::value> volume_device() {
  return object("io.k8s.api.core.v1.VolumeDevice", "A raw block device.",
                {keep("name", string(), "The claim.").required(),
                 keep("devicePath", string(), "Its path in the container.").required()});
}

// ---- resources ----------------------------------------------------------------------------------

void check_quantity(const IntOrString& quantity, const Report& report) {
  static const RE2 k_pattern(
      R"([+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+|[KMGTPE]i|[numkMGTPE])?)");
  const auto* text = std::get_if<std::string>(&quantity);
  if (text != nullptr && !RE2::FullMatch(*text, k_pattern))
    report.invalid(*text, "must be a quantity such as 100m, 0.5 or 128Mi");
}

// A quantity may be written as any number: 0.5 is one too.
Described<json::value> quantities() {
  return any_object().check([](const json::value& map, const Report& report) {
    for (const auto& [key, value] : map.get_object()) {
      if (value.is_string())
        check_quantity(std::string(value.get_string()), report.key(key));
      else if (!value.is_number())
        report.key(key).invalid(value, "must be a quantity such as 100m, 0.5 or 128Mi");
    }
  });
}

Described<json::value> probe() { return any_object(); }

// Kubernetes' rule: what may change behind its tag is pulled each time.
void default_image_pull_policy(json::value& value) {
  auto& container = value.get_object();
  const json::value* image = container.if_contains("image");
  if (image == nullptr || container.contains("imagePullPolicy")) return;
  const std::string_view text = image->get_string();
  const size_t path = text.rfind('/') == std::string_view::npos ? 0 : text.rfind('/');
  const bool tagged = text.find(':', path) != std::string_view::npos;
  const bool pinned = text.find('@') != std::string_view::npos;
  const bool latest = (!tagged && !pinned) || text.ends_with(":latest");
  container["imagePullPolicy"] = latest ? "Always" : "IfNotPresent";
}

// Read of containers proper; of those for debugging it is kept.
template <typename Bound>
Bound restart_policy() {
  constexpr const char* k_name = "restartPolicy";
  constexpr const char* k_doc = "Always, for an init container, makes it a sidecar.";
  const auto policy = string().one_of({"Always", "OnFailure", "Never"});
  if constexpr (std::is_same_v<Bound, KeptField>)
    return keep(k_name, policy, k_doc);
  else
    return field(k_name, &Container::restart_policy, policy, k_doc);
}

template <typename Bound>
std::vector<Bound> kept_container_fields() {
  return {keep("workingDir", string(), "Where the command starts."),
          keep("envFrom", list(environment_source()), "Environment variables from elsewhere."),
          keep("env", list(environment_variable()), "Environment variables.").merges("name"),
          keep("resources", resource_requirements(), "What it needs and may use."),
          keep("resizePolicy", any_list(), "What a change of resources does."),
          restart_policy<Bound>(),
          keep("restartPolicyRules", any_list(), "When it is restarted."),
          keep("volumeMounts", list(volume_mount()), "Volumes, in its file system.")
              .merges("mountPath"),
          keep("volumeDevices", list(volume_device()), "Raw block devices.").merges("devicePath"),
          keep("livenessProbe", probe(), "How to see whether it is alive."),
          keep("readinessProbe", probe(), "How to see whether it takes traffic."),
          keep("startupProbe", probe(), "How to see whether it has started."),
          keep("lifecycle", any_object(), "What to do at its start and end."),
          keep("terminationMessagePath", string(), "Where it says why it ended.")
              .default_to("/dev/termination-log"),
          keep("terminationMessagePolicy", string().one_of({"File", "FallbackToLogsOnError"}),
               "What to show for why it ended.")
              .default_to("File"),
          keep("imagePullPolicy", string().one_of({"Always", "Never", "IfNotPresent"}),
               "When its image is pulled."),
          keep("securityContext", any_object(), "Its privileges."),
          keep("stdin", boolean(), "Whether it has standard input."),
          keep("stdinOnce", boolean(), "Whether standard input ends with its first client."),
          keep("tty", boolean(), "Whether it has a terminal.")};
}

Described<Container> container() {
  std::vector<BoundField<Container>> fields{
      field("name", &Container::name, string().check(formats::dns_label),
            "Unique among the pod's containers.")
          .required(),
      field("image", &Container::image, string(), "The image it runs.").required(),
      field("command", &Container::command, list(string()), "Instead of the image's entry point."),
      field("args", &Container::args, list(string()), "Instead of the image's arguments."),
      field("ports", &Container::ports, list(container_port()).check(unique_port_names),
            "The ports it listens on. Others are reachable too.")
          .merges("containerPort")};
  for (auto& kept : kept_container_fields<BoundField<Container>>()) fields.push_back(kept);
  return object<Container>("io.k8s.api.core.v1.Container", "A program in the pod.",
                           std::move(fields))
      .normalize(default_image_pull_policy);
}

}  // namespace

Described<json::value> resource_requirements() {
  return object("io.k8s.api.core.v1.ResourceRequirements", "What is needed and may be used.",
                {keep("requests", quantities(), "What is set aside."),
                 keep("limits", quantities(), "What may be used at most."),
                 keep("claims", any_list(), "Claims of dynamic resources.")});
}

Described<std::vector<Container>> containers() { return list(container()); }

Described<std::vector<json::value>> ephemeral_containers() {
  auto fields = kept_container_fields<KeptField>();
  fields.push_back(keep("name", string().check(formats::dns_label), "Its name.").required());
  fields.push_back(keep("image", string(), "The image it runs.").required());
  fields.push_back(keep("command", list(string()), "Instead of the image's entry point."));
  fields.push_back(keep("args", list(string()), "Instead of the image's arguments."));
  fields.push_back(keep("ports", any_list(), "Not used."));
  fields.push_back(keep("targetContainerName", string(), "The container it looks into."));
  return list(object("io.k8s.api.core.v1.EphemeralContainer", "A program added for debugging.",
                     std::move(fields)));
}

Described<std::vector<json::value>> container_statuses() {
  return list(object(
      "io.k8s.api.core.v1.ContainerStatus", "Where a container stands.",
      {keep("name", string(), "The container.").required(),
       keep("state", any_object(), "Waiting, running or terminated."),
       keep("lastState", any_object(), "The state before its last restart."),
       keep("ready", boolean(), "Whether it takes traffic."),
       keep("restartCount", integer(), "How often it was restarted."),
       keep("image", string(), "The image it runs."), keep("imageID", string(), "The image's id."),
       keep("containerID", string(), "The container's id."),
       keep("started", boolean(), "Whether it has started."),
       keep("allocatedResources", any_object(), "What is set aside."),
       keep("resources", any_object(), "What it has."),
       keep("volumeMounts", any_list(), "Its mounts."),
       keep("user", any_object(), "Whom it runs as."),
       keep("allocatedResourcesStatus", any_list(), "The health of devices."),
       keep("stopSignal", string(), "The signal that stops it.")}));
}

}  // namespace margay::api::kubernetes
