#include "vector/control/session_listing.h"

#include <boost/json/object.hpp>
#include <memory>

#include "policy/protocol.h"
#include "vector/control/frame_text.h"
#include "vector/parse/bytes.h"
#include "vector/parse/ip_protocol.h"

namespace margay::vector {
namespace {

namespace json = boost::json;

constexpr uint32_t k_places_at_once = 4096;

template <typename Address>
std::span<const uint8_t> address_span(const Address& address) {
  return {reinterpret_cast<const uint8_t*>(&address), sizeof(address)};
}

template <typename Tuple>
json::object tuple_json(const Tuple& tuple) {
  const auto text = [](const auto& address) {
    return base::IPAddress::from_bytes(address_span(address))->to_string();
  };
  return {{"source", text(tuple.source)},
          {"sourcePort", big_endian(tuple.source_port)},
          {"destination", text(tuple.destination)},
          {"destinationPort", big_endian(tuple.destination_port)}};
}

template <typename Tuple>
FlowEnds ends_of(const Tuple& tuple, uint8_t number) {
  FlowEnds ends{address_span(tuple.source), address_span(tuple.destination), {}};
  if (policy::has_ports(number))
    ends.ports = {big_endian(tuple.source_port), big_endian(tuple.destination_port)};
  return ends;
}

template <typename Tuple>
std::string_view state_of(const Session<Tuple>& session) {
  if (session.protocol != protocol::k_tcp) return session.packets[1] > 0 ? "answered" : "one way";
  if (session.state & k_reset) return "reset";
  if (session.state & (k_fin_forward | k_fin_reverse)) return "closing";
  return session.state & k_established ? "established" : "opening";
}

template <typename Tuple>
json::object session_json(const Session<Tuple>& session, const Worker& worker) {
  return {{"protocol", protocol_name(session.protocol)},
          {"forward", tuple_json(session.tuple[0])},
          {"reverse", tuple_json(session.tuple[1])},
          {"state", state_of(session)},
          {"translated", (session.flags & k_translated) != 0},
          {"packets", {session.packets[0], session.packets[1]}},
          {"bytes", {session.bytes(FlowDirection::forward), session.bytes(FlowDirection::reverse)}},
          {"idleMs", worker.seen_now() - session.last_seen},
          {"worker", worker.index}};
}

// One worker's part, carried from job to job.
struct Walk {
  SessionQuery query;
  uint32_t place4 = 0, place6 = 0;
  SessionListing found;
  base::EventLoop& loop;
  std::function<void(SessionListing)> done;
};

template <typename Tuple>
void visit(Worker& worker, Walk& walk, uint32_t first) {
  worker.sessions<Tuple>().for_each(
      first, first + k_places_at_once, [&](const Session<Tuple>& session) {
        if (session.flags & k_owned_elsewhere) return;
        const auto& [came, answered] = session.tuple;
        const auto& filter = walk.query.filter;
        if (!filter.accepts(ends_of(came, session.protocol)) &&
            !filter.accepts(ends_of(reversed(answered), session.protocol)))
          return;
        if (walk.found.sessions.size() < walk.query.limit)
          walk.found.sessions.push_back(session_json(session, worker));
        else
          walk.found.is_whole = false;
      });
}

void step(Worker& worker, const std::shared_ptr<Walk>& walk) {
  if (walk->place4 < worker.sessions4.places()) {
    visit<Tuple4>(worker, *walk, walk->place4);
    walk->place4 += k_places_at_once;
  } else {
    visit<Tuple6>(worker, *walk, walk->place6);
    walk->place6 += k_places_at_once;
  }
  const bool is_last =
      walk->place4 >= worker.sessions4.places() && walk->place6 >= worker.sessions6.places();
  if (is_last || !walk->found.is_whole)
    walk->loop.post([walk] { walk->done(std::move(walk->found)); });
  else
    worker.jobs.post([walk](Worker& again) { step(again, walk); });
}

}  // namespace

void list_sessions(base::EventLoop& loop, Engine& engine, const SessionQuery& query,
                   std::function<void(SessionListing)> done) {
  struct Gathered {
    SessionListing all;
    size_t missing;
  };
  const auto gathered = std::make_shared<Gathered>(Gathered{{}, engine.workers()});
  const auto add = [gathered, limit = query.limit, done = std::move(done)](SessionListing part) {
    auto& all = gathered->all;
    all.is_whole = all.is_whole && part.is_whole;
    for (auto& session : part.sessions) {
      if (all.sessions.size() < limit)
        all.sessions.push_back(std::move(session));
      else
        all.is_whole = false;
    }
    if (--gathered->missing == 0) done(std::move(all));
  };
  for (unsigned index = 0; index < engine.workers(); ++index) {
    auto walk =
        std::make_shared<Walk>(Walk{.query = query, .found = {}, .loop = loop, .done = add});
    engine.worker(index).jobs.post([walk](Worker& worker) { step(worker, walk); });
  }
}

}  // namespace margay::vector
