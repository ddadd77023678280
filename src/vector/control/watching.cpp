#include "vector/control/watching.h"

#include <fmt/format.h>
#include <rte_cycles.h>

#include <boost/json/array.hpp>

#include "vector/control/frame_text.h"
#include "vector/control/watchers.h"
#include "vector/drop_reason.h"

namespace margay::vector {
namespace {

namespace json = boost::json;

json::object busy() { return {{"error", "somebody else watches packets now: try again later"}}; }

// "policy of the sending workload", of "drop-policy-denied-egress"; empty for other nodes.
std::string_view why_dropped(std::string_view node) {
  constexpr std::string_view k_prefix = "drop-";
  if (!node.starts_with(k_prefix)) return {};
  for (size_t reason = 0; reason < k_drop_reasons; ++reason)
    if (const auto& text = text_of(static_cast<DropReason>(reason));
        text.name == node.substr(k_prefix.size()))
      return text.description;
  return {};
}

json::array steps_json(const TracedPacket& packet) {
  json::array steps;
  for (const auto& step : packet.steps) {
    const auto cycles = static_cast<double>(step.cycle - packet.steps.front().cycle);
    steps.push_back({{"node", step.node},
                     {"worker", step.worker},
                     {"ns", cycles * 1e9 / static_cast<double>(rte_get_tsc_hz())}});
  }
  return steps;
}

json::object packet_json(const TracedPacket& packet, const std::string& interface) {
  json::object object{{"interface", interface},
                      {"packet", frame_text(packet.head)},
                      {"bytes", packet.bytes},
                      {"steps", steps_json(packet)},
                      {"done", packet.is_done}};
  if (packet.is_done) {
    const auto why = why_dropped(packet.steps.back().node);
    object["fate"] = why.empty() ? "sent" : fmt::format("dropped: {}", why);
  }
  return object;
}

std::string hex(const std::vector<uint8_t>& bytes) {
  constexpr std::string_view k_digits = "0123456789abcdef";
  std::string text;
  text.reserve(2 * bytes.size());
  for (const uint8_t byte : bytes) {
    text += k_digits[byte >> 4];
    text += k_digits[byte & 15];
  }
  return text;
}

}  // namespace

std::function<void()> Watching::when_done() {
  return [this, number = number_ + 1] { loop_.post([this, number] { end(number); }); };
}

template <typename Watcher>
void Watching::watch(const std::shared_ptr<Watcher>& watcher, std::chrono::milliseconds limit,
                     const ControlSocket::Reply& reply, std::function<void()> finish) {
  const uint64_t number = ++number_;
  finish_ = std::move(finish);
  limit_.expires_after(limit);
  limit_.async_wait([this, number](const boost::system::error_code& error) {
    if (!error) end(number);
  });
  reply.when_gone([this, number] { end(number); });
  engine_.observe(watcher);
}

void Watching::end(uint64_t number) {
  if (number != number_ || !finish_) return;
  engine_.observe(nullptr);
  limit_.cancel();
  std::exchange(finish_, nullptr)();
}

void Watching::trace(const WatchRequest& request, const ControlSocket::Reply& reply) {
  if (finish_) return reply(busy());
  const auto tracer = std::make_shared<Tracer>(request.filter, request.count, when_done());
  watch(tracer, request.limit, reply, [this, tracer, reply] {
    json::array packets;
    for (const auto& packet : tracer->finish())
      packets.push_back(packet_json(packet, configured_.interface_name(packet.in)));
    reply({{"packets", std::move(packets)}});
  });
}

void Watching::capture(const WatchRequest& request, const ControlSocket::Reply& reply) {
  if (finish_) return reply(busy());
  const auto capture =
      std::make_shared<Capture>(request.node, request.filter, request.count, when_done());
  watch(capture, request.limit, reply, [capture, reply] {
    json::array packets;
    for (const auto& packet : capture->finish())
      packets.push_back({{"ns", packet.nanoseconds}, {"frame", hex(packet.frame)}});
    reply({{"packets", std::move(packets)}});
  });
}

}  // namespace margay::vector
