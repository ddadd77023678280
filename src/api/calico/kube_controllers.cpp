// KubeControllersConfiguration.

#include "api/calico/common.h"
#include "api/calico/felix_settings.h"
#include "api/calico/kinds.h"

namespace margay::api {

namespace {

Described<std::string> period() {
  return string().keeps_empty().format(calico::k_seconds).check(formats::duration);
}

Described<std::string> enabled() { return string().one_of({"Enabled", "Disabled"}); }

Described<ControllerConfig> controller(const std::string& name) {
  return object<ControllerConfig>(
      "projectcalico.org.v3." + name, "A controller.",
      {field("reconcilerPeriod", &ControllerConfig::reconciler_period, period(),
             "How often everything is compared; 5m when unset.")});
}

Described<NodeControllerConfig> node_controller() {
  using Config = NodeControllerConfig;
  return object<Config>(
      "projectcalico.org.v3.NodeControllerConfig", "The controller of nodes.",
      {field("reconcilerPeriod", &Config::reconciler_period, period(),
             "How often everything is compared; 5m when unset."),
       field("syncLabels", &Config::sync_labels, enabled(),
             "Whether labels of Kubernetes' nodes are copied; Enabled when unset."),
       field("hostEndpoint", &Config::host_endpoint,
             object<AutoHostEndpointConfig>(
                 "projectcalico.org.v3.AutoHostEndpointConfig", "Host endpoints made for nodes.",
                 {field("autoCreate", &AutoHostEndpointConfig::auto_create, enabled(),
                        "Whether every node gets one; Disabled when unset.")}),
             "Host endpoints made for nodes.")});
}

Described<ControllersConfig> controllers() {
  using Config = ControllersConfig;
  return object<Config>(
      "projectcalico.org.v3.ControllersConfig", "The controllers that run: those that are here.",
      {field("node", &Config::node, node_controller(), "Cleans up after nodes that are gone."),
       field("policy", &Config::policy, controller("PolicyControllerConfig"),
             "Copies Kubernetes' policies into etcd."),
       field("workloadEndpoint", &Config::workload_endpoint,
             controller("WorkloadEndpointControllerConfig"),
             "Copies the labels of pods into etcd."),
       field("serviceAccount", &Config::service_account,
             controller("ServiceAccountControllerConfig"),
             "Makes profiles of service accounts in etcd."),
       field("namespace", &Config::namespaces, controller("NamespaceControllerConfig"),
             "Makes profiles of namespaces in etcd.")});
}

// The settings as asked for, with their defaults, or as a program says that it has them.
Described<KubeControllersConfigurationSpec> settings(bool asked_for) {
  using Spec = KubeControllersConfigurationSpec;
  auto port = field("prometheusMetricsPort", &Spec::prometheus_metrics_port,
                    integer().between(0, 65535), "The port of metrics; 0 turns them off.");
  if (asked_for) port = std::move(port).default_to(9094);
  return object<Spec>(
      asked_for ? "projectcalico.org.v3.KubeControllersConfigurationSpec"
                : "projectcalico.org.v3.KubeControllersRunningConfig",
      "Settings of Calico's controllers.",
      {field("logSeverityScreen", &Spec::log_severity_screen, calico::log_severity(),
             "The least severe lines on standard output; Info when unset."),
       field("healthChecks", &Spec::health_checks, enabled(),
             "Whether health checks are served; Enabled when unset."),
       field("etcdV3CompactionPeriod", &Spec::etcdv3_compaction_period, period(),
             "How often etcd is compacted; 10m when unset, 0 turns it off."),
       std::move(port),
       field("controllers", &Spec::controllers, controllers(),
             "The controllers that run: those that are here.")
           .required()
           .default_to(json::object())});
}

Described<KubeControllersConfigurationStatus> status() {
  using Status = KubeControllersConfigurationStatus;
  return object<Status>("projectcalico.org.v3.KubeControllersConfigurationStatus",
                        "What the controllers report.",
                        {field("runningConfig", &Status::running_config, settings(false),
                               "The settings that they run with."),
                         field("environmentVars", &Status::environment_vars, string_map(),
                               "Their environment's variables that changed them.")});
}

}  // namespace

template <>
const Resource<KubeControllersConfiguration>& resource<KubeControllersConfiguration>() {
  using Object = KubeControllersConfiguration;
  static const auto described = describe_kind<Object>(
      calico::kind(
          "KubeControllersConfiguration", "kubecontrollersconfigurations",
          {"kcconfig", "kcconfigs"}, false,
          "Settings of the controllers, Calico's or Margay's; there is one, named default.", {}),
      calico::only_default,
      {field("spec", &Object::spec, settings(true), "The settings.").default_to(json::object()),
       field("status", &Object::status, status(), "What the controllers report.")});
  return described;
}

namespace calico {

std::vector<Kind> controller_kinds() { return {resource<KubeControllersConfiguration>().kind}; }

}  // namespace calico

}  // namespace margay::api

MARGAY_INSTANTIATE_CODEC(margay::api::KubeControllersConfiguration);
