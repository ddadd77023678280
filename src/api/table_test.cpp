#include "api/table.h"

#include <gtest/gtest.h>

#include <boost/json/serialize.hpp>

#include "api/codec.h"

namespace margay::api {
namespace {

const base::Clock::Wall k_now{std::chrono::seconds(1'619'784'000)};  // 2021-04-30T12:00:00Z

std::string cells(const char* api_version, const char* kind, const std::string& yaml) {
  const auto documents = parse_yaml(yaml);
  EXPECT_TRUE(documents) << documents.error().message;
  return json::serialize(
      table_cells(*find_kind(api_version, kind), documents->at(0).as_object(), k_now));
}

TEST(Table, CellsOfEachKind) {
  struct Case {
    const char* api_version;
    const char* kind;
    const char* object;
    const char* cells;
  };
  const std::vector<Case> cases{
      {"v1", "Pod",
       "{metadata: {name: p, creationTimestamp: '2021-04-30T11:00:00Z'}, "
       "spec: {nodeName: n, containers: [{}, {}]}, status: {phase: Running, podIP: 10.0.0.1, "
       "containerStatuses: [{ready: true, restartCount: 2}, {ready: false, restartCount: 1}]}}",
       R"(["p","1/2","Running",3,"60m","10.0.0.1","n"])"},
      {"v1", "Pod",
       "{metadata: {name: p, deletionTimestamp: '2021-04-30T11:00:00Z'}, spec: {containers: "
       "[{}]}, "
       "status: {phase: Running}}",
       R"(["p","0/1","Terminating",0,"<unknown>","<none>","<none>"])"},
      {"v1", "Pod",
       "{metadata: {name: p}, spec: {containers: [{}]}, status: {phase: Pending, "
       "containerStatuses: [{state: {waiting: {reason: ImagePullBackOff}}}]}}",
       R"(["p","0/1","ImagePullBackOff",0,"<unknown>","<none>","<none>"])"},
      {"v1", "Node",
       "{metadata: {name: n, labels: {node-role.kubernetes.io/worker: ''}}, "
       "spec: {unschedulable: true, podCIDR: 10.1.0.0/24}, status: {nodeInfo: {kubeletVersion: "
       "v1}, "
       "conditions: [{type: Ready, status: 'True'}], "
       "addresses: [{type: InternalIP, address: 192.0.2.1}]}}",
       R"(["n","Ready,SchedulingDisabled","worker","<unknown>","v1","192.0.2.1","10.1.0.0/24"])"},
      {"v1", "Service",
       "{metadata: {name: s}, spec: {type: LoadBalancer, clusterIP: 10.96.0.1, selector: {a: b}, "
       "ports: [{port: 80, nodePort: 30080, protocol: TCP}, {port: 53, protocol: UDP}]}}",
       R"(["s","LoadBalancer","10.96.0.1","<pending>","80:30080/TCP,53/UDP","<unknown>","a=b"])"},
      {"networking.k8s.io/v1", "NetworkPolicy",
       "{metadata: {name: np}, spec: {podSelector: {matchLabels: {a: b}, "
       "matchExpressions: [{key: c, operator: In, values: [d, e]}]}}}",
       R"~(["np","a=b,c in (d,e)","<unknown>"])~"},
      {"projectcalico.org/v3", "NetworkPolicy",
       "{metadata: {name: ops.p}, spec: {tier: ops, order: 10, selector: all()}}",
       R"~(["ops.p","ops",10,"all()","<unknown>"])~"},
      {"projectcalico.org/v3", "Tier",
       "{metadata: {name: ops}, spec: {order: 10, defaultAction: Pass}}",
       R"(["ops",10,"Pass","<unknown>"])"},
      {"projectcalico.org/v3", "NetworkSet",
       "{metadata: {name: s}, spec: {nets: [10.0.0.0/8, 192.0.2.1]}}",
       R"(["s","10.0.0.0/8,192.0.2.1","<unknown>"])"}};
  for (const auto& one : cases)
    EXPECT_EQ(cells(one.api_version, one.kind, one.object), one.cells) << one.kind;
}

TEST(Table, ColumnsAndCellsGoTogether) {
  for (const auto& kind : kinds())
    EXPECT_EQ(table_columns(kind).size(), table_cells(kind, json::object(), k_now).size())
        << kind.resource();
}

TEST(Table, DurationsAsKubectlTellsThem) {
  const std::vector<std::pair<int64_t, const char*>> cases{
      {-1, "0s"},      {0, "0s"},         {119, "119s"},    {120, "2m"},       {310, "5m10s"},
      {600, "10m"},    {10'799, "179m"},  {10'800, "3h"},   {28'740, "7h59m"}, {86'400, "24h"},
      {172'800, "2d"}, {180'000, "2d2h"}, {864'000, "10d"}, {63'072'000, "2y"}};
  for (const auto& [seconds, text] : cases)
    EXPECT_EQ(short_duration(std::chrono::seconds(seconds)), text);
}

}  // namespace
}  // namespace margay::api
