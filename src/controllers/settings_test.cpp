#include "controllers/settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "api/codec.h"

namespace margay::controllers {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;
using namespace std::chrono_literals;

base::Result<Environment> read(std::vector<const char*> lines) {
  lines.push_back(nullptr);
  return Environment::read(lines.data());
}

api::KubeControllersConfiguration configuration(const char* spec) {
  const auto text = std::string(R"({"apiVersion":"projectcalico.org/v3",
      "kind":"KubeControllersConfiguration","metadata":{"name":"default"},"spec":)") +
                    spec + "}";
  return api::decode<api::KubeControllersConfiguration>(api::parse_json(text).value()).value();
}

TEST(ControllerSettings, DefaultsAreCalicos) {
  const Settings settings = merge(read({}).value(), std::nullopt);
  EXPECT_TRUE(settings.runs_node);
  EXPECT_TRUE(settings.health_checks);
  EXPECT_EQ(settings.log_level, "info");
  EXPECT_EQ(settings.reconcile_every, 5min);
  EXPECT_THAT(settings.warnings, ::testing::IsEmpty());
}

TEST(ControllerSettings, TheConfigurationSaysWhatTheEnvironmentLeavesOpen) {
  const auto stored = configuration(R"({"logSeverityScreen":"Debug","healthChecks":"Disabled",
      "controllers":{"node":{"reconcilerPeriod":"90s"}}})");
  Settings settings = merge(read({}).value(), stored);
  EXPECT_TRUE(settings.runs_node);
  EXPECT_FALSE(settings.health_checks);
  EXPECT_EQ(settings.log_level, "debug");
  EXPECT_EQ(settings.reconcile_every, 90s);

  settings = merge(read({"LOG_LEVEL=warn", "HEALTH_ENABLED=true", "RECONCILER_PERIOD=1m"}).value(),
                   stored);
  EXPECT_TRUE(settings.health_checks);
  EXPECT_EQ(settings.log_level, "warning");
  EXPECT_EQ(settings.reconcile_every, 60s);

  EXPECT_EQ(merge(read({"RECONCILER_PERIOD=2562047h"}).value(), std::nullopt).reconcile_every, 24h)
      << "no clock can add centuries to now";
}

// As in Calico: a controller that the configuration does not name does not run.
TEST(ControllerSettings, WhichControllersRun) {
  const struct {
    const char* name;
    std::vector<const char*> environment;
    const char* spec;
    bool runs;
  } cases[] = {
      {"named by neither", {}, R"({"controllers":{}})", false},
      {"named by the configuration", {}, R"({"controllers":{"node":{}}})", true},
      {"named by the environment",
       {"ENABLED_CONTROLLERS=policy, node"},
       R"({"controllers":{}})",
       true},
      {"left out by the environment",
       {"ENABLED_CONTROLLERS=policy"},
       R"({"controllers":{"node":{}}})",
       false},
  };
  for (const auto& [name, environment, spec, runs] : cases)
    EXPECT_EQ(merge(read(environment).value(), configuration(spec)).runs_node, runs) << name;
}

TEST(ControllerSettings, WhatHasNoEffectIsSaid) {
  EXPECT_THAT(read({"ENABLED_CONTROLLERS=node,policy,namespace"})->warnings,
              ElementsAre(StartsWith("ENABLED_CONTROLLERS: policy has nothing to do"),
                          StartsWith("ENABLED_CONTROLLERS: namespace has nothing to do")));
  EXPECT_THAT(read({"SYNC_NODE_LABELS=true", "AUTO_HOST_ENDPOINTS=enabled"})->warnings,
              ElementsAre(StartsWith("SYNC_NODE_LABELS has no effect"),
                          StartsWith("AUTO_HOST_ENDPOINTS has no effect")));
  EXPECT_THAT(
      merge({}, configuration(R"({"controllers":{"node":{"syncLabels":"Enabled",
                                 "hostEndpoint":{"autoCreate":"Enabled"}}}})"))
          .warnings,
      ElementsAre(HasSubstr("spec.controllers.node.syncLabels has no effect"),
                  HasSubstr("spec.controllers.node.hostEndpoint.autoCreate has no effect")));
  EXPECT_THAT(read({"SYNC_NODE_LABELS=false", "AUTO_HOST_ENDPOINTS=Disabled"})->warnings,
              ::testing::IsEmpty());
}

TEST(ControllerSettings, RefusedByTheNameOfTheVariable) {
  using base::ErrorCode;
  const struct {
    const char* line;
    const char* says;
    ErrorCode code = ErrorCode::invalid;
  } cases[] = {
      {"LOG_LEVEL=loud", "LOG_LEVEL: Invalid value: \"loud\": must be one of "},
      {"HEALTH_ENABLED=maybe", "HEALTH_ENABLED: Invalid value: \"maybe\": must be true or false"},
      {"RECONCILER_PERIOD=often",
       "RECONCILER_PERIOD: Invalid value: \"often\": must be a duration"},
      {"RECONCILER_PERIOD=0s", "RECONCILER_PERIOD: Invalid value: \"0s\": "},
      {"ENABLED_CONTROLLERS=nodes", "ENABLED_CONTROLLERS: Invalid value: \"nodes\": must be a "},
      {"ENABLED_CONTROLLERS=flannelmigration", "ENABLED_CONTROLLERS: ", ErrorCode::unsupported},
      {"DATASTORE_TYPE=etcdv3", "DATASTORE_TYPE: Invalid value: \"etcdv3\": must be kubernetes",
       ErrorCode::unsupported},
      {"SYNC_NODE_LABELS=Enabled", "SYNC_NODE_LABELS: Invalid value: \"Enabled\": "},
      {"AUTO_HOST_ENDPOINTS=true", "AUTO_HOST_ENDPOINTS: Invalid value: \"true\": "},
  };
  for (const auto& [line, says, code] : cases) {
    const auto environment = read({line});
    ASSERT_FALSE(environment) << line;
    EXPECT_THAT(environment.error().message, StartsWith(says));
    EXPECT_EQ(environment.error().code, code) << line;
  }
}

}  // namespace
}  // namespace margay::controllers
