#include "dataplane/wire/messages.h"

#include "dataplane/wire/value_reader.h"
#include "dataplane/wire/write_values.h"

namespace margay::dataplane::wire {
namespace {

using base::Result;
using Time = std::chrono::system_clock::time_point;

uint64_t unix_ns(Time time) {
  return static_cast<uint64_t>(
      std::chrono::duration_cast<std::chrono::nanoseconds>(time.time_since_epoch()).count());
}
Time from_unix_ns(uint64_t ns) {
  return Time(std::chrono::duration_cast<Time::duration>(
      std::chrono::nanoseconds(static_cast<int64_t>(ns))));
}

void write(const EndpointReport& report, proto::EndpointReport& into) {
  write_endpoint(report.key, into);
  if (!report.status) return;
  into.mutable_status()->set_state(static_cast<uint32_t>(report.status->state));
  into.mutable_status()->set_reason(report.status->reason);
}

EndpointReport read(ValueReader& reader, const proto::EndpointReport& message) {
  EndpointReport report{.key = reader.endpoint(message), .status = std::nullopt};
  if (message.has_status())
    report.status = {reader.enumerator(message.status().state(), EndpointState::error, "state"),
                     message.status().reason()};
  return report;
}

}  // namespace

proto::Interface to_message(const Interface& interface) {
  proto::Interface message;
  message.set_name(interface.name);
  message.set_index(interface.index);
  message.set_up(interface.up);
  message.set_mtu(interface.mtu);
  for (const auto& [address, length] : interface.addresses) {
    auto& added = *message.add_addresses();
    added.set_address(octets(address));
    added.set_length(length);
  }
  return message;
}

Result<Interface> from_message(const proto::Interface& message) {
  ValueReader reader;
  Interface interface{.name = message.name(),
                      .index = message.index(),
                      .up = message.up(),
                      .mtu = message.mtu(),
                      .addresses = {}};
  for (const auto& address : message.addresses())
    interface.addresses.push_back(
        {reader.address(address.address(), "addresses"), address.length()});
  return std::move(reader).finish(std::move(interface), "interface " + message.name());
}

proto::Capabilities to_message(const Capabilities& capabilities) {
  proto::Capabilities message;
  message.set_name(capabilities.name);
  message.set_host_endpoints(capabilities.host_endpoints);
  message.set_services(capabilities.services);
  message.set_log_action(capabilities.log_action);
  message.set_ipv6(capabilities.ipv6);
  message.set_nat_outgoing(capabilities.nat_outgoing);
  message.set_floating_ips(capabilities.floating_ips);
  message.set_vxlan(capabilities.vxlan);
  message.set_ipip(capabilities.ipip);
  message.set_wireguard(capabilities.wireguard);
  message.set_flow_records(capabilities.flow_records);
  message.set_established_flows_survive_policy_change(
      capabilities.established_flows_survive_policy_change);
  return message;
}

Capabilities from_message(const proto::Capabilities& message) {
  return {
      .name = message.name(),
      .host_endpoints = message.host_endpoints(),
      .services = message.services(),
      .log_action = message.log_action(),
      .ipv6 = message.ipv6(),
      .nat_outgoing = message.nat_outgoing(),
      .floating_ips = message.floating_ips(),
      .vxlan = message.vxlan(),
      .ipip = message.ipip(),
      .wireguard = message.wireguard(),
      .flow_records = message.flow_records(),
      .established_flows_survive_policy_change = message.established_flows_survive_policy_change()};
}

proto::Report to_message(const ApplyReport& report) {
  proto::Report message;
  if (!report.outcome) {
    message.mutable_error()->set_code(static_cast<uint32_t>(report.outcome.error().code));
    message.mutable_error()->set_message(report.outcome.error().message);
  }
  for (const auto& endpoint : report.endpoints) write(endpoint, *message.add_endpoints());
  if (report.again_in) message.set_again_in_ms(static_cast<uint32_t>(report.again_in->count()));
  return message;
}

Result<ApplyReport> from_message(const proto::Report& message) {
  ValueReader reader;
  ApplyReport report;
  if (message.has_error())
    report.outcome = base::fail(
        reader.enumerator(message.error().code(), base::ErrorCode::internal, "error code"),
        message.error().message());
  for (const auto& endpoint : message.endpoints())
    report.endpoints.push_back(read(reader, endpoint));
  if (message.has_again_in_ms()) report.again_in = std::chrono::milliseconds(message.again_in_ms());
  return std::move(reader).finish(std::move(report), "report");
}

proto::EndpointReport to_message(const EndpointReport& report) {
  proto::EndpointReport message;
  write(report, message);
  return message;
}

Result<EndpointReport> from_message(const proto::EndpointReport& message) {
  ValueReader reader;
  auto report = read(reader, message);
  return std::move(reader).finish(std::move(report), "endpoint");
}

proto::FlowRecord to_message(const FlowRecord& record) {
  proto::FlowRecord message;
  write_endpoint(record.endpoint, message);
  message.set_egress(record.direction == policy::Direction::egress);
  message.set_action(static_cast<uint32_t>(record.action));
  message.set_rule(record.rule);
  message.set_source(octets(record.source));
  message.set_destination(octets(record.destination));
  message.set_protocol(record.protocol);
  message.set_source_port(record.source_port);
  message.set_destination_port(record.destination_port);
  message.set_packets(record.packets);
  message.set_bytes(record.bytes);
  message.set_first_unix_ns(unix_ns(record.first));
  message.set_last_unix_ns(unix_ns(record.last));
  message.set_ended(record.ended);
  return message;
}

Result<FlowRecord> from_message(const proto::FlowRecord& message) {
  ValueReader reader;
  FlowRecord record{
      .endpoint = reader.endpoint(message),
      .direction = message.egress() ? policy::Direction::egress : policy::Direction::ingress,
      .action = reader.enumerator(message.action(), policy::Action::log, "action"),
      .rule = message.rule(),
      .source = reader.address(message.source(), "source"),
      .destination = reader.address(message.destination(), "destination"),
      .protocol = reader.number<uint8_t>(message.protocol(), "protocol"),
      .source_port = reader.number<uint16_t>(message.source_port(), "source port"),
      .destination_port = reader.number<uint16_t>(message.destination_port(), "destination port"),
      .packets = message.packets(),
      .bytes = message.bytes(),
      .first = from_unix_ns(message.first_unix_ns()),
      .last = from_unix_ns(message.last_unix_ns()),
      .ended = message.ended()};
  return std::move(reader).finish(std::move(record), "flow record");
}

}  // namespace margay::dataplane::wire
