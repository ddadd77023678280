#include "ctl/simulate.h"

#include <fmt/format.h>

#include <boost/json/serialize.hpp>
#include <istream>
#include <ostream>

#include "api/codec.h"

namespace margay::ctl {
namespace {

namespace json = boost::json;
using base::ErrorCode;
using base::fail;
using base::Result;

// A field that is missing and one that is null are the same.
const json::value* field(const json::object& query, std::string_view name) {
  const auto* value = query.if_contains(name);
  return value == nullptr || value->is_null() ? nullptr : value;
}

std::unexpected<base::Error> wrong(std::string_view name, const json::value& value,
                                   std::string_view rule) {
  return fail(ErrorCode::invalid, fmt::format("{}: {} {}", name, json::serialize(value), rule));
}

Result<std::string> text(const json::object& query, std::string_view name) {
  const auto* value = field(query, name);
  if (value == nullptr) return fail(ErrorCode::invalid, fmt::format("{} is missing", name));
  if (!value->is_string()) return wrong(name, *value, "must be a string");
  return std::string(value->get_string());
}

template <typename Number>
Result<std::optional<Number>> number(const json::object& query, std::string_view name) {
  const auto* value = field(query, name);
  if (value == nullptr) return std::nullopt;
  const auto* read = value->if_int64();
  if (read == nullptr || *read < 0 || *read > std::numeric_limits<Number>::max())
    return wrong(name, *value,
                 fmt::format("must be from 0 to {}", std::numeric_limits<Number>::max()));
  return static_cast<Number>(*read);
}

Result<uint8_t> protocol(const json::object& query) {
  const auto* value = field(query, "protocol");
  if (value != nullptr && value->is_int64())
    return parse_protocol(std::to_string(value->get_int64()));
  MARGAY_TRY(const std::string name, text(query, "protocol"));
  return parse_protocol(name);
}

Result<std::optional<policy::IPFamily>> family(const json::object& query) {
  const auto* value = field(query, "ipVersion");
  if (value == nullptr) return std::nullopt;
  if (*value == 4) return policy::IPFamily::v4;
  if (*value == 6) return policy::IPFamily::v6;
  return wrong("ipVersion", *value, "must be 4 or 6");
}

Result<Flow> read_flow(const json::object& query) {
  Flow flow;
  MARGAY_TRY(flow.from, text(query, "from"));
  MARGAY_TRY(flow.to, text(query, "to"));
  MARGAY_TRY(flow.protocol, protocol(query));
  MARGAY_TRY(flow.source_port, number<uint16_t>(query, "sport"));
  MARGAY_TRY(flow.port, number<uint16_t>(query, "port"));
  MARGAY_TRY(flow.icmp_type, number<uint8_t>(query, "icmpType"));
  MARGAY_TRY(flow.icmp_code, number<uint8_t>(query, "icmpCode"));
  MARGAY_TRY(flow.family, family(query));
  return flow;
}

Result<Answer> answer(const FlowJudge& judge, const json::object& query) {
  MARGAY_TRY(const Flow flow, read_flow(query));
  return judge.judge(flow, false);
}

json::object answer_line(const FlowJudge& judge, json::value id, const Answer& answer) {
  const auto side = [&](policy::Direction direction,
                        const std::optional<policy::Decision>& decision) -> json::value {
    if (!decision) return nullptr;
    return to_json(judge.cluster(), direction, *decision);
  };
  return {{"id", std::move(id)},
          {"verdict", to_string(answer.verdict())},
          {"egress", side(policy::Direction::egress, answer.egress)},
          {"ingress", side(policy::Direction::ingress, answer.ingress)}};
}

json::object error_line(json::value id, size_t line, const base::Error& error) {
  return {{"id", std::move(id)}, {"error", fmt::format("line {}: {}", line, error.message)}};
}

}  // namespace

SimulateCounts simulate(const FlowJudge& judge, std::istream& queries, std::ostream& answers) {
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
      if (const auto* given = field(query->get_object(), "id")) id = *given;
      answered = answer(judge, query->get_object());
    }
    if (answered) {
      answers << answer_line(judge, std::move(id), *answered) << '\n';
      continue;
    }
    ++counts.errors;
    answers << error_line(std::move(id), number, answered.error()) << '\n';
  }
  return counts;
}

}  // namespace margay::ctl
