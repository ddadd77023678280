#pragma once

// Watches every batch at every node: counts the packets that the engine makes itself, and makes
// AddressSanitizer see where each packet's bytes end, which in DPDK's memory it cannot know.

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define __SANITIZE_ADDRESS__
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(address, bytes) ((void)(address), (void)(bytes))
#define ASAN_UNPOISON_MEMORY_REGION(address, bytes) ((void)(address), (void)(bytes))
#endif

#include <string_view>

#include "graph_world.h"
#include "vector/graph/observer.h"
#include "vector/packet.h"

namespace margay::fuzz {

class GraphWorld::Watch : public vector::Observer {
 public:
  // Packets that came from nowhere: ICMP errors, and words between workers.
  uint64_t made() const { return made_; }
  void forget() { made_ = 0; }

  void see(const rte_node& node, void** packets, uint16_t count) override {
    const std::string_view name = node.name;
    // Where a packet is changed in length, or leaves the graph.
    const bool is_open = name == "local" || name == "output" || name.starts_with("drop-");
    const bool makes = name.starts_with("lookup");
    const bool is_handed_over = name == "handed-over";
    if (name == "input") return;
    for (uint16_t i = 0; i < count; ++i) {
      auto* packet = static_cast<rte_mbuf*>(packets[i]);
      const uint8_t marks = vector::meta(packet).marks;
      if (makes && marks & vector::k_own) ++made_;
      if (is_handed_over && marks & vector::k_forget_stub) ++made_;
      fence(packet, is_open);
    }
  }

 private:
  static void fence(rte_mbuf* packet, bool is_open) {
    auto* buffer = static_cast<uint8_t*>(packet->buf_addr);
    if (is_open) {
      ASAN_UNPOISON_MEMORY_REGION(buffer, packet->buf_len);
    } else if (packet->nb_segs == 1) {
      const size_t end = size_t{packet->data_off} + packet->data_len;
      ASAN_POISON_MEMORY_REGION(buffer, packet->data_off);
      ASAN_POISON_MEMORY_REGION(buffer + end, packet->buf_len - end);
    }
  }

  uint64_t made_ = 0;
};

// What is known of a frame when it comes in, for when it leaves: the engine lets the buffer's hash
// alone.
struct Tag {
  uint8_t right;  // all checksums, of a packet that is no fragment
  uint8_t hops;
  uint8_t port;
  uint8_t unused;
};
uint32_t tag_of(const Frame& frame, uint8_t port);

}  // namespace margay::fuzz
