#pragma once

// A transaction of nf_tables under construction (nfnetlink: linux/netfilter/nfnetlink.h,
// nf_tables.h), and the socket that hands it to the kernel. The kernel takes a batch whole or not
// at all, and when it does not, says of every message of it what is wrong with it.

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "policy/program.h"

namespace margay::dataplane::nftables {

// Netlink attributes one after the other. Numbers are in network order, as nf_tables has them.
class AttributeWriter {
 public:
  void put(uint16_t type, std::span<const uint8_t> bytes);
  void put_text(uint16_t type, std::string_view text);  // with the closing NUL
  void put_u8(uint16_t type, uint8_t value) { put(type, {&value, 1}); }
  void put_u32(uint16_t type, uint32_t value);
  // An attribute made of what `fill` puts. At most 64 KiB: more is a bug and throws.
  void nest(uint16_t type, const std::function<void()>& fill);
  // Attributes that were written elsewhere.
  void append(std::span<const uint8_t> attributes);

  const std::vector<uint8_t>& bytes() const { return bytes_; }
  size_t size() const { return bytes_.size(); }

 private:
  friend class Batch;
  friend class BatchSocket;
  std::vector<uint8_t> bytes_;
};

class Batch {
 public:
  Batch();

  // `type`: NFT_MSG_NEWRULE...; `fill` puts its attributes. The message's number in the batch, from
  // 0 on.
  size_t add(policy::IPFamily family, uint16_t type, uint16_t flags,
             const std::function<void(AttributeWriter&)>& fill);
  size_t size() const { return count_; }
  bool empty() const { return count_ == 0; }
  size_t bytes() const { return writer_.size(); }

 private:
  friend class BatchSocket;
  void header(uint16_t type, uint16_t flags, uint8_t family, uint16_t resource);

  AttributeWriter writer_;
  size_t count_ = 0;
  size_t last_ = 0;  // where the last message begins
};

class BatchSocket {
 public:
  // In the calling thread's network namespace.
  static base::Result<BatchSocket> open();

  struct Failure {
    size_t message = 0;
    int error = 0;  // errno
    std::string reason;
  };
  // None: all of it is in effect. Else nothing is, because of these. An error: nothing is, and no
  // single message is known to be the reason.
  base::Result<std::vector<Failure>> commit(Batch batch);

 private:
  explicit BatchSocket(base::UniqueFd socket) : socket_(std::move(socket)) {}
  base::UniqueFd socket_;
};

}  // namespace margay::dataplane::nftables
