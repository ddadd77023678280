// Compares Margay's validation and selectors with Calico v3.19's on generated input, and the fields
// of its kinds. Fails when there is a difference that differences.cpp does not name.

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <set>

#include "api/kind.h"
#include "comparison.h"
#include "differences.h"
#include "later_fields.h"
#include "object_source.h"
#include "selector/selector.h"
#include "selector_source.h"

namespace margay::peers {
namespace {

constexpr const char* k_kinds[] = {"NetworkPolicy",
                                   "GlobalNetworkPolicy",
                                   "NetworkSet",
                                   "GlobalNetworkSet",
                                   "Profile",
                                   "HostEndpoint",
                                   "WorkloadEndpoint",
                                   "IPPool",
                                   "FelixConfiguration",
                                   "ClusterInformation",
                                   "BGPConfiguration",
                                   "BGPPeer",
                                   "KubeControllersConfiguration",
                                   "Node"};

struct Options {
  std::string oracle;
  uint64_t seed = 1;
  size_t objects = 1000;
  size_t selectors = 5000;
  bool list = false;
};

std::vector<std::string> judge(const api::Kind& kind, const json::object& object) {
  const auto prepared = api::prepare(kind, object, api::UnknownFields::refuse);
  std::vector<std::string> errors;
  if (prepared) return errors;
  for (const auto& field : prepared.error().fields) errors.push_back(field.message());
  if (errors.empty()) errors.push_back(prepared.error().message);
  return errors;
}

base::Result<> compare_objects(const Oracle& oracle, const std::string& name,
                               const Options& options, Comparison& comparison) {
  const api::Kind* kind = api::find_kind("projectcalico.org/v3", name);
  if (kind == nullptr) return base::fail(base::ErrorCode::not_found, "no kind " + name);
  MARGAY_TRY(auto fields, oracle.describe(name));
  Random random(options.seed);
  ObjectSource source(name, std::move(fields), random);
  std::vector<json::object> objects;
  for (size_t i = 0; i < options.objects; ++i) objects.push_back(source.next());
  MARGAY_TRY(const auto verdicts, oracle.judge_objects(name, objects));
  for (size_t i = 0; i < objects.size(); ++i)
    comparison.add(name, objects[i], judge(*kind, objects[i]), verdicts[i]);
  return {};
}

base::Result<size_t> compare_fields(const Oracle& oracle, const std::string& name) {
  const api::Kind* kind = api::find_kind("projectcalico.org/v3", name);
  if (kind == nullptr) return base::fail(base::ErrorCode::not_found, "no kind " + name);
  MARGAY_TRY(const auto theirs, oracle.describe(name));
  const auto misplaced = misplaced_fields(*kind->schema, theirs);
  for (const auto& line : misplaced) fmt::print("{}.{}\n", name, line);
  return misplaced.size();
}

base::Result<> compare_selectors(const Oracle& oracle, const Options& options,
                                 Comparison& comparison) {
  Random random(options.seed);
  SelectorSource source(random);
  std::vector<std::string> texts;
  for (size_t i = 0; i < options.selectors; ++i) texts.push_back(source.next());
  MARGAY_TRY(const auto verdicts, oracle.judge_selectors(texts));
  for (size_t i = 0; i < texts.size(); ++i) {
    const auto parsed = selector::Selector::parse(texts[i]);
    Verdict ours{.valid = parsed.has_value(), .error = {}, .text = {}, .id = {}};
    if (parsed) {
      ours.text = parsed->text();
      ours.id = parsed->id();
    } else {
      ours.error = parsed.error().message;
    }
    comparison.add(texts[i], ours, verdicts[i]);
  }
  return {};
}

base::Result<size_t> compare(const Options& options) {
  const Oracle oracle(options.oracle);
  size_t unexplained = 0;
  for (const std::string name : k_kinds) {
    Comparison comparison;
    MARGAY_CHECK(compare_objects(oracle, name, options, comparison));
    fmt::print("{}: {}", name, comparison.report());
    MARGAY_TRY(const size_t misplaced, compare_fields(oracle, name));
    unexplained += comparison.unexplained() + misplaced;
  }
  Comparison comparison;
  MARGAY_CHECK(compare_selectors(oracle, options, comparison));
  fmt::print("selectors: {}", comparison.report());
  return unexplained + comparison.unexplained();
}

int run(const Options& options) {
  if (options.list) {
    std::set<std::string> names;
    for (const auto& difference : differences()) names.insert(difference.name);
    for (const auto& name : names) fmt::print("{}\n", name);
    return 0;
  }
  const auto unexplained = compare(options);
  if (!unexplained) {
    fmt::print(stderr, "{}\n", unexplained.error().message);
    return 2;
  }
  fmt::print("seed {}: {} kinds of difference without a reason\n", options.seed, *unexplained);
  return *unexplained == 0 ? 0 : 1;
}

}  // namespace
}  // namespace margay::peers

int main(int argc, char** argv) {
  margay::peers::Options options;
  CLI::App app("Margay's validation beside Calico v3.19's");
  app.add_option("--oracle", options.oracle,
                 "The oracle's program (tests/peers/calico-oracle/prepare)");
  app.add_option("--seed", options.seed, "Where chance begins");
  app.add_option("--objects", options.objects, "How many objects of each kind");
  app.add_option("--selectors", options.selectors, "How many selectors");
  app.add_flag("--differences", options.list, "List the differences that have a reason, and end");
  CLI11_PARSE(app, argc, argv);
  return margay::peers::run(options);
}
