#pragma once

// The questions that nodes/first_packet.cpp asks of a batch, in their order. A packet that an
// answer drops is not asked about further.

#include <array>
#include <cstdint>

#include "vector/classifier/policy_view.h"
#include "vector/nodes/tuple.h"
#include "vector/service/service_table.h"
#include "vector/worker.h"

namespace margay::vector {

struct FirstPacketResult {
  DropReason reason = DropReason::none;
  bool for_us = false;  // to one of the engine's own addresses
};

template <typename Tuple>
class FirstPackets {
 public:
  FirstPackets(Worker& worker, rte_mbuf** packets, unsigned count);

  // Which endpoint sends each packet, and whether it may have that source.
  void find_sources();
  // Services: whom a packet to a virtual address goes to.
  void choose_backends();
  // The adjacency of each destination, behind translation.
  void find_destinations();
  void ask_policy();
  // One packet after the other: makes its session, unless an earlier packet of the batch did.
  FirstPacketResult complete(unsigned i);

 private:
  using Record = Session<Tuple>;

  struct Question {
    Tuple before;  // as the packet came; of a known flow: as its forward packets come
    Tuple after;   // as it leaves
    AdjacencyIndex from = 0, to = 0;
    DropReason reason = DropReason::none;
    bool is_known = false;  // has a session that was judged under an earlier configuration
    bool is_service = false;
    bool masquerade = false;
    uint32_t backend = 0;  // Choice::backend
  };

  using Routes = std::array<uint32_t, k_most_batch>;  // AdjacencyIndex, by packet

  void begin(unsigned i);
  // Where each question's address, as `address_of(question)` says, is routed to.
  Routes routes_to(const auto& address_of) const;
  DropReason check_source(unsigned i) const;
  DropReason masquerade(Tuple& after, const PacketMeta& about) const;
  bool has_other_ends(unsigned i) const;
  bool is_answer(unsigned i) const;
  bool is_free(const Tuple& reply, uint8_t protocol) const;
  Record* create(Question& question, PacketMeta& about);
  FirstPacketResult complete_known(Question& question, PacketMeta& about);
  // The packet belongs to a session that is there.
  FirstPacketResult follow(SessionRef ref, PacketMeta& about);

  Worker& worker_;
  const Tables& tables_;
  rte_mbuf** packets_;
  const unsigned count_;
  std::array<Question, k_most_batch> questions_;
};

}  // namespace margay::vector
