#pragma once

// Talking to the kernel over netlink (RFC 3549): a request built attribute by attribute, a socket
// that sends it and reads the answer, and a reader for the attributes of what comes back.
// link.h, route.h and the others are what most code wants.

#include <linux/netlink.h>

#include <array>
#include <chrono>
#include <cstring>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/address.h"
#include "base/result.h"

struct mnl_socket;

namespace margay::net {

class NetworkNamespace;

// A request under construction. Asking for more than fits (4 KiB) is a bug and throws.
class Message {
 public:
  // `flags` besides NLM_F_REQUEST, which every request has.
  Message(uint16_t type, uint16_t flags);

  // The family's fixed header: once, before any attribute.
  template <typename Header>
  void put_header(const Header& header) {
    std::memcpy(extend(sizeof header), &header, sizeof header);
  }
  void put(uint16_t type, std::span<const uint8_t> bytes);
  void put(uint16_t type, std::string_view text);  // with the closing NUL
  void put(uint16_t type, const base::IPAddress& address) { put(type, address.bytes()); }
  void put_flag(uint16_t type) { put(type, std::span<const uint8_t>{}); }
  void put_u8(uint16_t type, uint8_t value) { put_value(type, value); }
  void put_u16(uint16_t type, uint16_t value) { put_value(type, value); }
  void put_u32(uint16_t type, uint32_t value) { put_value(type, value); }
  void put_s32(uint16_t type, int32_t value) { put_value(type, value); }
  // An attribute made of what `fill` puts.
  void nest(uint16_t type, const std::function<void()>& fill);

  nlmsghdr& start() { return *reinterpret_cast<nlmsghdr*>(buffer_.data()); }

 private:
  template <typename Value>
  void put_value(uint16_t type, Value value) {
    put(type, {reinterpret_cast<const uint8_t*>(&value), sizeof value});
  }
  char* extend(size_t size);  // zeroed and padded to four bytes

  alignas(nlmsghdr) std::array<char, 4096> buffer_{};
};

// The attributes of a message or of a nested attribute, by type. Views: valid while the message is.
// An attribute that is too short for what is asked reads as absent.
class Attributes {
 public:
  Attributes() = default;
  Attributes(const nlmsghdr& message, size_t header_size);

  std::optional<std::span<const uint8_t>> bytes(uint16_t type) const;
  bool has(uint16_t type) const { return bytes(type).has_value(); }
  std::optional<uint8_t> u8(uint16_t type) const { return value<uint8_t>(type); }
  std::optional<uint16_t> u16(uint16_t type) const { return value<uint16_t>(type); }
  std::optional<uint32_t> u32(uint16_t type) const { return value<uint32_t>(type); }
  std::optional<base::IPAddress> address(uint16_t type) const;
  std::string text(uint16_t type) const;   // empty when absent
  Attributes nested(uint16_t type) const;  // empty when absent

 private:
  explicit Attributes(std::span<const uint8_t> attributes) { read(attributes); }
  void read(std::span<const uint8_t> attributes);
  template <typename Value>
  std::optional<Value> value(uint16_t type) const {
    const auto found = bytes(type);
    if (!found || found->size() < sizeof(Value)) return std::nullopt;
    Value value;
    std::memcpy(&value, found->data(), sizeof value);
    return value;
  }

  std::array<std::span<const uint8_t>, 96> by_type_{};
};

// The fixed header that follows the netlink header; null when the message is too short for it.
template <typename Header>
const Header* header_of(const nlmsghdr& message) {
  if (message.nlmsg_len < NLMSG_LENGTH(sizeof(Header))) return nullptr;
  return reinterpret_cast<const Header*>(reinterpret_cast<const char*>(&message) + NLMSG_HDRLEN);
}

// A socket belongs to the namespace it was opened in, whatever thread uses it later. One thread at
// a time.
class NetlinkSocket {
 public:
  // NETLINK_ROUTE, NETLINK_NETFILTER, ... in the calling thread's namespace.
  static base::Result<NetlinkSocket> open(int protocol = NETLINK_ROUTE);
  static base::Result<NetlinkSocket> open(const NetworkNamespace& where,
                                          int protocol = NETLINK_ROUTE);

  // How long to wait for an answer, 10 seconds unless said here; zero: for ever. Then `timeout`.
  base::Result<> set_answer_timeout(std::chrono::milliseconds timeout);

  // Sends a request and waits for the kernel's answer. An error is told as "<what>: <reason>",
  // with the kernel's own explanation when it gives one.
  base::Result<> execute(Message& request, std::string_view what);
  // The same for a request that is answered by one message, given to `reply`.
  base::Result<> query(Message& request, std::string_view what,
                       const std::function<void(const nlmsghdr&)>& reply);
  // Calls `each` for every message of a consistent dump: one that a concurrent change interrupted
  // is asked for again before anything is delivered (`unavailable` when that never ends).
  base::Result<> dump(Message& request, std::string_view what,
                      const std::function<void(const nlmsghdr&)>& each);
  // The same for each message as it comes, and none of them is kept: what changes meanwhile may be
  // missing or come twice. `each` must not use the socket.
  base::Result<> stream(Message& request, std::string_view what,
                        const std::function<void(const nlmsghdr&)>& each);

 private:
  struct Close {
    void operator()(mnl_socket* socket) const;
  };
  using OnMessage = std::function<void(const nlmsghdr&)>;

  explicit NetlinkSocket(mnl_socket* socket);
  base::Result<> send(Message& request, std::string_view what);
  // Reads up to the end of the answer. True: the dump was consistent.
  base::Result<bool> receive(std::string_view what, bool multipart, const OnMessage& each);

  std::unique_ptr<mnl_socket, Close> socket_;
  std::unique_ptr<char[]> buffer_;
  uint32_t sequence_ = 0;
};

}  // namespace margay::net
