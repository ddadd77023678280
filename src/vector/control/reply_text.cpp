#include "vector/control/reply_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json/array.hpp>
#include <map>
#include <vector>

namespace margay::vector {
namespace {

namespace json = boost::json;

using Row = std::vector<std::string>;

// Columns as wide as they need to be; those of numbers to the right.
std::string table(const Row& head, const std::vector<Row>& rows, std::string_view right = "") {
  std::vector<size_t> widths;
  for (size_t column = 0; column < head.size(); ++column) {
    size_t width = head[column].size();
    for (const auto& row : rows) width = std::max(width, row[column].size());
    widths.push_back(width);
  }
  std::string text;
  const auto line = [&](const Row& row) {
    std::string one;
    for (size_t column = 0; column < row.size(); ++column) {
      const bool to_right = column < right.size() && right[column] == 'r';
      one += fmt::format(fmt::runtime(to_right ? "{:>{}}  " : "{:<{}}  "), row[column],
                         widths[column]);
    }
    text += one.substr(0, one.find_last_not_of(' ') + 1) + '\n';
  };
  line(head);
  for (const auto& row : rows) line(row);
  return text;
}

std::string string_of(const json::value& value) {
  if (const auto* text = value.if_string()) return std::string(*text);
  if (const auto* number = value.if_double()) return fmt::format("{:.1f}", *number);
  if (const auto* number = value.if_int64()) return fmt::to_string(*number);
  if (const auto* number = value.if_uint64()) return fmt::to_string(*number);
  if (const auto* flag = value.if_bool()) return *flag ? "yes" : "no";
  return "";
}

std::string field(const json::value& object, std::string_view name) {
  const auto* found = object.as_object().if_contains(name);
  return found ? string_of(*found) : "";
}

// A row for each element, a column for each field of it.
std::string plain_table(const json::value& list, const Row& head, const Row& fields,
                        std::string_view right) {
  std::vector<Row> rows;
  for (const auto& element : list.as_array()) {
    Row row;
    for (const auto& name : fields) row.push_back(field(element, name));
    rows.push_back(std::move(row));
  }
  return table(head, rows, right);
}

std::string end_text(const std::string& address, const std::string& port) {
  return address.find(':') == address.npos ? fmt::format("{}:{}", address, port)
                                           : fmt::format("[{}]:{}", address, port);
}

std::string tuple_text(const json::value& tuple) {
  return end_text(field(tuple, "source"), field(tuple, "sourcePort")) + " > " +
         end_text(field(tuple, "destination"), field(tuple, "destinationPort"));
}

std::string pair_text(const json::value& pair) {
  return string_of(pair.as_array()[0]) + "/" + string_of(pair.as_array()[1]);
}

std::string nodes(const json::object& reply) {
  return plain_table(reply.at("nodes"),
                     {"NODE", "CALLS", "PACKETS", "CYCLES/PACKET", "PACKETS/CALL"},
                     {"name", "calls", "packets", "cyclesPerPacket", "packetsPerCall"}, "lrrrr");
}

std::string drops(const json::object& reply) {
  return plain_table(reply.at("drops"), {"PACKETS", "REASON", "MEANING"},
                     {"packets", "name", "description"}, "rll");
}

std::string sessions(const json::object& reply) {
  std::vector<Row> rows;
  for (const auto& session : reply.at("sessions").as_array())
    rows.push_back({field(session, "protocol"), tuple_text(session.at("forward")),
                    tuple_text(session.at("reverse")), field(session, "state"),
                    pair_text(session.at("packets")), pair_text(session.at("bytes")),
                    fmt::format("{:.1f}s", session.at("idleMs").to_number<double>() / 1000)});
  auto text = table({"PROTOCOL", "FORWARD", "REVERSE", "STATE", "PACKETS", "BYTES", "IDLE"}, rows);
  if (!reply.at("whole").as_bool()) text += "There are more: see --limit.\n";
  return text;
}

std::string policies(const json::object& reply) {
  std::string text;
  for (const auto& workload : reply.at("workloads").as_array())
    for (const char* direction : {"ingress", "egress"}) {
      text += fmt::format("{}{} {}\n", text.empty() ? "" : "\n", field(workload, "workload"),
                          direction);
      text += plain_table(workload.at(direction), {"FLOWS", "ACTION", "PLACE", "RULE"},
                          {"flows", "action", "place", "rule"}, "rlll");
    }
  return text;
}

std::string services(const json::object& reply) {
  std::vector<Row> rows;
  for (const auto& service : reply.at("services").as_array()) {
    std::string frontends;
    for (const auto& each : service.at("frontends").as_array())
      frontends += fmt::format("{}{} {}", frontends.empty() ? "" : ", ", field(each, "protocol"),
                               end_text(field(each, "address"), field(each, "port")));
    const auto counts = service.at("counts");
    rows.push_back(
        {field(service, "name"), frontends, "", field(counts, "flows"), field(counts, "refused")});
    for (const auto& each : service.at("backends").as_array()) {
      const auto of_backend = each.at("counts");
      const char* state = each.at("ready").as_bool()      ? ""
                          : each.at("draining").as_bool() ? " draining"
                                                          : " not ready";
      rows.push_back({"", "", end_text(field(each, "address"), field(each, "port")) + state,
                      field(of_backend, "flows"), ""});
    }
  }
  return table({"SERVICE", "FRONTENDS", "BACKEND", "FLOWS", "REFUSED"}, rows, "lllrr");
}

std::string runtime(const json::object& reply) {
  const auto mib = [&](const char* name) {
    return fmt::format("{:.1f} MiB", reply.at(name).to_number<double>() / (1 << 20));
  };
  auto text = fmt::format(
      "compiled for {}; configuration epoch {}\n"
      "memory {}: policy {}, Maglev tables {}; packet buffers {} free of {}\n\n",
      string_of(reply.at("isa")), string_of(reply.at("epoch")), mib("residentBytes"),
      mib("policyBytes"), mib("maglevBytes"), string_of(reply.at("buffersFree")),
      string_of(reply.at("buffers")));
  return text + plain_table(reply.at("workers"),
                            {"WORKER", "POLLS", "POLLS/S", "PACKETS", "PACKETS/S", "IPV4 SESSIONS",
                             "IPV6 SESSIONS", "BYTES"},
                            {"worker", "polls", "pollsPerSecond", "packets", "packetsPerSecond",
                             "sessions4", "sessions6", "sessionBytes"},
                            "rrrrrrrr");
}

std::string trace(const json::object& reply) {
  std::string text;
  for (const auto& packet : reply.at("packets").as_array()) {
    text +=
        fmt::format("{}{}: {}, {} bytes\n", text.empty() ? "" : "\n", field(packet, "interface"),
                    field(packet, "packet"), field(packet, "bytes"));
    for (const auto& step : packet.at("steps").as_array())
      text += fmt::format("  {:>9.0f} ns  worker {}  {}\n", step.at("ns").to_number<double>(),
                          field(step, "worker"), field(step, "node"));
    const auto fate = field(packet, "fate");
    text += fmt::format("  {}\n", fate.empty() ? "still on its way" : fate);
  }
  return text.empty() ? "No packet came.\n" : text;
}

}  // namespace

std::string reply_text(std::string_view what, const json::object& reply) {
  static const std::map<std::string_view, std::string (*)(const json::object&)> k_texts = {
      {"nodes", nodes},       {"drops", drops},     {"sessions", sessions}, {"policies", policies},
      {"services", services}, {"runtime", runtime}, {"trace", trace}};
  return k_texts.at(what)(reply);
}

}  // namespace margay::vector
