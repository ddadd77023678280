#include "ctl/simulate.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json/serialize.hpp>
#include <istream>
#include <iterator>
#include <limits>
#include <ostream>

#include "api/codec.h"
#include "api/fields.h"
#include "ctl/explain.h"

namespace margay::ctl {
namespace {

namespace json = boost::json;
using api::Fields;
using base::ErrorCode;
using base::fail;
using base::Result;

template <typename Number>
std::optional<Number> number(Fields& query, std::string_view name) {
  const auto read = query.number(name, 0, std::numeric_limits<Number>::max());
  return read ? std::optional(static_cast<Number>(*read)) : std::nullopt;
}

// A name or a number.
std::optional<uint8_t> protocol(Fields& query, Fields::Errors& errors) {
  const auto* value = query.value("protocol", true);
  if (value == nullptr) return {};
  const auto* number = value->if_int64();
  const auto text = number ? std::optional(std::to_string(*number)) : query.text("protocol");
  if (!text) return {};
  auto read = parse_protocol(*text);
  if (read) return *read;
  std::ranges::move(read.error().fields, std::back_inserter(errors));
  return {};
}

std::optional<policy::IPFamily> family(Fields& query) {
  const auto* value = query.value("ipVersion");
  if (value == nullptr) return {};
  if (*value == 4) return policy::IPFamily::v4;
  if (*value == 6) return policy::IPFamily::v6;
  query.invalid("ipVersion", "must be 4 or 6");
  return {};
}

std::optional<policy::IPAddress> address(Fields& query, std::string_view name) {
  return query.parsed(name, policy::IPAddress::parse, "must be an IP address");
}

// {"node-a": {"eth0": ["10.0.0.1"]}}
std::map<std::string, Flow::Interfaces> interfaces(Fields& query, Fields::Errors& errors) {
  std::map<std::string, Flow::Interfaces> by_node;
  const auto* value = query.value("interfaces");
  if (value == nullptr) return by_node;
  const auto at = query.path("interfaces");
  Fields nodes(*value, at, errors);
  if (!value->is_object()) return by_node;
  for (const auto& [node, of_node] : value->get_object()) {
    const auto place = nodes.path(node);
    Fields names(of_node, place, errors);
    if (!of_node.is_object()) continue;
    for (const auto& [name, addresses] : of_node.get_object())
      by_node[node][name] =
          names.all_parsed(name, policy::IPAddress::parse, "must be an IP address");
  }
  return by_node;
}

std::optional<Flow::Original> original(Fields& query, Fields::Errors& errors) {
  const auto* value = query.value("original");
  if (value == nullptr) return {};
  const auto place = query.path("original");
  Fields fields(*value, place, errors);
  Flow::Original original{.to = fields.text("to", true).value_or("")};
  original.port = number<uint16_t>(fields, "port").value_or(0);
  fields.no_others();
  return original;
}

Result<Flow> read_flow(const json::object& query) {
  Fields::Errors errors;
  Fields fields(query, {}, errors);
  Flow flow;
  flow.from = fields.text("from", true).value_or("");
  flow.to = fields.text("to", true).value_or("");
  flow.protocol = protocol(fields, errors).value_or(0);
  flow.source_port = number<uint16_t>(fields, "sport");
  flow.port = number<uint16_t>(fields, "port");
  flow.icmp_type = number<uint8_t>(fields, "icmpType");
  flow.icmp_code = number<uint8_t>(fields, "icmpCode");
  flow.family = family(fields);
  flow.from_ip = address(fields, "fromIP");
  flow.to_ip = address(fields, "toIP");
  flow.via = fields.text("via").value_or("");
  flow.in = fields.text("in").value_or("");
  flow.out = fields.text("out").value_or("");
  flow.interfaces = interfaces(fields, errors);
  flow.original = original(fields, errors);
  if (!errors.empty()) return fail(std::move(errors));
  return flow;
}

void add_outcome(json::object& line, const Cluster& cluster, const Outcome& outcome) {
  const auto side = [&](policy::Direction direction,
                        const std::optional<policy::Decision>& decision) -> json::value {
    if (!decision) return nullptr;
    return to_json(cluster, direction, *decision);
  };
  line["verdict"] = to_string(outcome.verdict());
  line["egress"] = side(policy::Direction::egress, outcome.egress);
  line["ingress"] = side(policy::Direction::ingress, outcome.ingress);
  if (cluster.model().host_endpoints.empty()) return;
  json::array host;
  for (const auto& said : outcome.host) host.push_back(to_json(cluster, said));
  line["host"] = std::move(host);
}

json::object answer_line(const FlowJudge& judge, json::value id, const Answer& answer) {
  json::object line{{"id", std::move(id)}};
  add_outcome(line, judge.cluster(), answer);
  if (answer.staged) add_outcome(line["staged"].emplace_object(), judge.cluster(), *answer.staged);
  return line;
}

json::object traced_line(const FlowJudge& judge, json::value id, const Answer& answer) {
  json::object line{{"id", std::move(id)}};
  for (auto& [name, value] : explain_json(judge.cluster(), answer)) line[name] = std::move(value);
  return line;
}

json::object error_line(json::value id, size_t line, const base::Error& error) {
  return {{"id", std::move(id)}, {"error", fmt::format("line {}: {}", line, error.message)}};
}

}  // namespace

SimulateCounts simulate(const FlowJudge& judge, std::istream& queries, std::ostream& answers,
                        bool trace) {
  SimulateCounts counts;
  std::string line;
  for (size_t number = 1; std::getline(queries, line); ++number) {
    if (line.find_first_not_of(" \t\r") == line.npos) continue;
    ++counts.queries;
    json::value id;
    Result<Answer> answered = fail(ErrorCode::invalid, "an object was expected");
    if (auto query = api::parse_json(line); !query) {
      answered = fail(std::move(query).error().wrap("not JSON"));
    } else if (query->is_object()) {
      if (const auto* given = query->get_object().if_contains("id")) id = *given;
      const auto flow = read_flow(query->get_object());
      answered = flow ? judge.judge(*flow, trace) : fail(flow.error());
    }
    if (answered) {
      answers << (trace ? traced_line(judge, std::move(id), *answered)
                        : answer_line(judge, std::move(id), *answered))
              << '\n';
      continue;
    }
    ++counts.errors;
    answers << error_line(std::move(id), number, answered.error()) << '\n';
  }
  return counts;
}

}  // namespace margay::ctl
