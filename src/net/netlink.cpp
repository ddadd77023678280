#include "net/netlink.h"

#include <fmt/format.h>
#include <libmnl/libmnl.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <algorithm>
#include <cerrno>
#include <stdexcept>
#include <vector>

#include "net/network_namespace.h"

namespace margay::net {
namespace {

using base::ErrorCode;
using base::fail;
using base::fail_errno;
using base::Result;

constexpr size_t k_receive_buffer = size_t{64} * 1024;  // dumps come in chunks of up to 32 KiB
constexpr int k_dump_attempts = 20;
constexpr std::chrono::seconds k_answer_timeout{10};

// The kernel's explanation in an acknowledgement (NETLINK_EXT_ACK), or nothing.
std::string explanation(const nlmsghdr& message, const nlmsgerr& answer) {
  if ((message.nlmsg_flags & NLM_F_ACK_TLVS) == 0) return {};
  size_t header = sizeof(nlmsgerr);
  if ((message.nlmsg_flags & NLM_F_CAPPED) == 0) {
    header += answer.msg.nlmsg_len - std::min<size_t>(answer.msg.nlmsg_len, NLMSG_HDRLEN);
  }
  return Attributes(message, header).text(NLMSGERR_ATTR_MSG);
}

Result<> acknowledged(const nlmsghdr& message, std::string_view what) {
  const auto* answer = header_of<nlmsgerr>(message);
  if (answer == nullptr) {
    return fail(ErrorCode::internal, fmt::format("{}: truncated netlink answer", what));
  }
  if (answer->error == 0) return {};
  auto failure = fail_errno(what, -answer->error);
  const std::string why = explanation(message, *answer);
  if (!why.empty()) failure.error().message += fmt::format(" ({})", why);
  return failure;
}

}  // namespace

Message::Message(uint16_t type, uint16_t flags) {
  start().nlmsg_len = NLMSG_HDRLEN;
  start().nlmsg_type = type;
  start().nlmsg_flags = static_cast<uint16_t>(NLM_F_REQUEST | flags);
}

char* Message::extend(size_t size) {
  const size_t at = start().nlmsg_len;
  const size_t end = at + NLMSG_ALIGN(size);
  if (end > buffer_.size()) throw std::length_error("netlink request too long");
  start().nlmsg_len = static_cast<uint32_t>(end);
  return buffer_.data() + at;
}

void Message::put(uint16_t type, std::span<const uint8_t> bytes) {
  const nlattr attribute{static_cast<uint16_t>(NLA_HDRLEN + bytes.size()), type};
  char* place = extend(attribute.nla_len);
  std::memcpy(place, &attribute, sizeof attribute);
  std::ranges::copy(bytes, place + NLA_HDRLEN);
}

void Message::put(uint16_t type, std::string_view text) {
  std::vector<uint8_t> terminated(text.begin(), text.end());
  terminated.push_back(0);
  put(type, std::span<const uint8_t>(terminated));
}

void Message::nest(uint16_t type, const std::function<void()>& fill) {
  const size_t at = start().nlmsg_len;
  put_flag(type | NLA_F_NESTED);
  fill();
  const auto length = static_cast<uint16_t>(start().nlmsg_len - at);
  std::memcpy(buffer_.data() + at, &length, sizeof length);
}

Attributes::Attributes(const nlmsghdr& message, size_t header_size) {
  const size_t offset = NLMSG_HDRLEN + NLMSG_ALIGN(header_size);
  if (message.nlmsg_len <= offset) return;
  read({reinterpret_cast<const uint8_t*>(&message) + offset, message.nlmsg_len - offset});
}

void Attributes::read(std::span<const uint8_t> attributes) {
  while (attributes.size() >= NLA_HDRLEN) {
    nlattr attribute;
    std::memcpy(&attribute, attributes.data(), sizeof attribute);
    if (attribute.nla_len < NLA_HDRLEN || attribute.nla_len > attributes.size()) return;
    const unsigned type = attribute.nla_type & NLA_TYPE_MASK;
    if (type < by_type_.size()) {
      by_type_[type] = attributes.subspan(NLA_HDRLEN, attribute.nla_len - size_t{NLA_HDRLEN});
    }
    attributes =
        attributes.subspan(std::min<size_t>(NLA_ALIGN(attribute.nla_len), attributes.size()));
  }
}

std::optional<std::span<const uint8_t>> Attributes::bytes(uint16_t type) const {
  if (type >= by_type_.size() || by_type_[type].data() == nullptr) return std::nullopt;
  return by_type_[type];
}

std::optional<base::IPAddress> Attributes::address(uint16_t type) const {
  const auto found = bytes(type);
  if (!found) return std::nullopt;
  const auto address = base::IPAddress::from_bytes(*found);
  return address ? std::optional(*address) : std::nullopt;
}

std::string Attributes::text(uint16_t type) const {
  const auto found = bytes(type);
  if (!found) return {};
  return {found->begin(), std::ranges::find(*found, 0)};
}

Attributes Attributes::nested(uint16_t type) const {
  const auto found = bytes(type);
  return found ? Attributes(*found) : Attributes();
}

void NetlinkSocket::Close::operator()(mnl_socket* socket) const { mnl_socket_close(socket); }

NetlinkSocket::NetlinkSocket(mnl_socket* socket)
    : socket_(socket), buffer_(std::make_unique<char[]>(k_receive_buffer)) {}

Result<NetlinkSocket> NetlinkSocket::open(int protocol) {
  mnl_socket* opened = mnl_socket_open2(protocol, SOCK_CLOEXEC);
  if (opened == nullptr) return fail_errno("open netlink socket", errno);
  NetlinkSocket socket(opened);
  if (mnl_socket_bind(opened, 0, MNL_SOCKET_AUTOPID) < 0) {
    return fail_errno("bind netlink socket", errno);
  }
  int on = 1;
  mnl_socket_setsockopt(opened, NETLINK_EXT_ACK, &on, sizeof on);
  mnl_socket_setsockopt(opened, NETLINK_CAP_ACK, &on, sizeof on);
  MARGAY_CHECK(socket.set_answer_timeout(k_answer_timeout));
  return socket;
}

Result<NetlinkSocket> NetlinkSocket::open(const NetworkNamespace& where, int protocol) {
  return where.run([protocol] { return open(protocol); });
}

Result<> NetlinkSocket::set_answer_timeout(std::chrono::milliseconds timeout) {
  const timeval time{.tv_sec = timeout.count() / 1000, .tv_usec = timeout.count() % 1000 * 1000};
  if (setsockopt(mnl_socket_get_fd(socket_.get()), SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time) !=
      0)
    return fail_errno("set the timeout of a netlink socket", errno);
  return {};
}

Result<> NetlinkSocket::send(Message& request, std::string_view what) {
  request.start().nlmsg_seq = ++sequence_;
  if (mnl_socket_sendto(socket_.get(), &request.start(), request.start().nlmsg_len) < 0) {
    return fail_errno(what, errno);
  }
  return {};
}

Result<bool> NetlinkSocket::receive(std::string_view what, bool multipart, const OnMessage& each) {
  bool consistent = true;
  while (true) {
    const ssize_t got = mnl_socket_recvfrom(socket_.get(), buffer_.get(), k_receive_buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_errno(what, errno == EAGAIN ? ETIMEDOUT : errno);
    int left = static_cast<int>(got);
    const auto* message = reinterpret_cast<const nlmsghdr*>(buffer_.get());
    for (; mnl_nlmsg_ok(message, left); message = mnl_nlmsg_next(message, &left)) {
      if (message->nlmsg_seq != sequence_) continue;  // of a request that was given up
      if ((message->nlmsg_flags & NLM_F_DUMP_INTR) != 0) consistent = false;
      if (message->nlmsg_type == NLMSG_ERROR) {
        MARGAY_CHECK(acknowledged(*message, what));
        return consistent;
      }
      if (message->nlmsg_type == NLMSG_DONE) {
        const auto* status = header_of<int>(*message);
        if (status != nullptr && *status < 0) return fail_errno(what, -*status);
        return consistent;
      }
      each(*message);
      if (!multipart) return true;
    }
  }
}

Result<> NetlinkSocket::execute(Message& request, std::string_view what) {
  request.start().nlmsg_flags |= NLM_F_ACK;
  MARGAY_CHECK(send(request, what));
  MARGAY_CHECK(receive(what, true, [](const nlmsghdr&) {}));
  return {};
}

Result<> NetlinkSocket::query(Message& request, std::string_view what, const OnMessage& reply) {
  MARGAY_CHECK(send(request, what));
  MARGAY_CHECK(receive(what, false, reply));
  return {};
}

Result<> NetlinkSocket::dump(Message& request, std::string_view what, const OnMessage& each) {
  request.start().nlmsg_flags |= NLM_F_DUMP;
  for (int attempt = 0; attempt < k_dump_attempts; ++attempt) {
    std::vector<char> collected;
    MARGAY_CHECK(send(request, what));
    MARGAY_TRY(const bool consistent, receive(what, true, [&](const nlmsghdr& message) {
                 const auto* bytes = reinterpret_cast<const char*>(&message);
                 collected.insert(collected.end(), bytes, bytes + message.nlmsg_len);
                 collected.resize(NLMSG_ALIGN(collected.size()));
               }));
    if (!consistent) continue;
    int left = static_cast<int>(collected.size());
    const auto* message = reinterpret_cast<const nlmsghdr*>(collected.data());
    for (; mnl_nlmsg_ok(message, left); message = mnl_nlmsg_next(message, &left)) each(*message);
    return {};
  }
  return fail(ErrorCode::unavailable, fmt::format("{}: changes faster than it can be read", what));
}

Result<> NetlinkSocket::stream(Message& request, std::string_view what, const OnMessage& each) {
  request.start().nlmsg_flags |= NLM_F_DUMP;
  MARGAY_CHECK(send(request, what));
  MARGAY_CHECK(receive(what, true, each));
  return {};
}

}  // namespace margay::net
