#include "dataplane/nftables/batch.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <limits>
#include <optional>
#include <stdexcept>

namespace margay::dataplane::nftables {
namespace {

using base::Result;

constexpr size_t k_alignment = 4;
constexpr size_t aligned(size_t size) { return (size + k_alignment - 1) & ~(k_alignment - 1); }
constexpr int k_receive_buffer = 16 << 20;  // of errors, one for each message at most
// The batch's first message; message N of a batch has the number behind it.
constexpr uint32_t k_first_sequence = 1;

uint8_t family_number(policy::IPFamily family) {
  return family == policy::IPFamily::v4 ? uint8_t{NFPROTO_IPV4} : uint8_t{NFPROTO_IPV6};
}

// What an error says in words beside its number (netlink's extended acknowledgement).
std::string explanation(const nlmsghdr& message, const nlmsgerr& error) {
  if (!(message.nlmsg_flags & NLM_F_ACK_TLVS)) return "";
  size_t at = sizeof error;
  if (!(message.nlmsg_flags & NLM_F_CAPPED) && error.msg.nlmsg_len > NLMSG_HDRLEN)
    at += aligned(error.msg.nlmsg_len) - NLMSG_HDRLEN;
  const auto* bytes = reinterpret_cast<const char*>(&error);
  const size_t size = message.nlmsg_len - NLMSG_HDRLEN;
  while (at + sizeof(nlattr) <= size) {
    nlattr attribute{};
    std::memcpy(&attribute, bytes + at, sizeof attribute);
    if (attribute.nla_len < sizeof attribute || at + attribute.nla_len > size) break;
    if ((attribute.nla_type & NLA_TYPE_MASK) == NLMSGERR_ATTR_MSG) {
      const char* text = bytes + at + sizeof attribute;
      return {text, strnlen(text, attribute.nla_len - sizeof attribute)};
    }
    at += aligned(attribute.nla_len);
  }
  return "";
}

}  // namespace

void AttributeWriter::put(uint16_t type, std::span<const uint8_t> bytes) {
  const nlattr header{.nla_len = static_cast<uint16_t>(sizeof(nlattr) + bytes.size()),
                      .nla_type = type};
  const auto* raw = reinterpret_cast<const uint8_t*>(&header);
  bytes_.insert(bytes_.end(), raw, raw + sizeof header);
  bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
  bytes_.resize(aligned(bytes_.size()));
}

void AttributeWriter::put_text(uint16_t type, std::string_view text) {
  std::vector<uint8_t> bytes(text.begin(), text.end());
  bytes.push_back(0);
  put(type, bytes);
}

void AttributeWriter::put_u32(uint16_t type, uint32_t value) {
  const uint32_t network = htonl(value);
  put(type, {reinterpret_cast<const uint8_t*>(&network), sizeof network});
}

void AttributeWriter::nest(uint16_t type, const std::function<void()>& fill) {
  const size_t start = bytes_.size();
  put(static_cast<uint16_t>(type | NLA_F_NESTED), {});
  fill();
  const size_t length = bytes_.size() - start;
  if (length > std::numeric_limits<uint16_t>::max())
    throw std::length_error("a netlink attribute of more than 64 KiB");
  reinterpret_cast<nlattr*>(bytes_.data() + start)->nla_len = static_cast<uint16_t>(length);
}

void AttributeWriter::append(std::span<const uint8_t> attributes) {
  bytes_.insert(bytes_.end(), attributes.begin(), attributes.end());
}

Batch::Batch() { header(NFNL_MSG_BATCH_BEGIN, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES); }

void Batch::header(uint16_t type, uint16_t flags, uint8_t family, uint16_t resource) {
  last_ = writer_.bytes_.size();
  const nlmsghdr message{.nlmsg_len = NLMSG_LENGTH(sizeof(nfgenmsg)),
                         .nlmsg_type = type,
                         .nlmsg_flags = static_cast<uint16_t>(flags | NLM_F_REQUEST),
                         .nlmsg_seq = static_cast<uint32_t>(k_first_sequence + count_)};
  const nfgenmsg netfilter{
      .nfgen_family = family, .version = NFNETLINK_V0, .res_id = htons(resource)};
  const auto append = [&](const auto& value) {
    const auto* raw = reinterpret_cast<const uint8_t*>(&value);
    writer_.bytes_.insert(writer_.bytes_.end(), raw, raw + sizeof value);
  };
  append(message);
  append(netfilter);
}

size_t Batch::add(policy::IPFamily family, uint16_t type, uint16_t flags,
                  const std::function<void(AttributeWriter&)>& fill) {
  ++count_;
  header(static_cast<uint16_t>(NFNL_SUBSYS_NFTABLES << 8 | type), flags, family_number(family), 0);
  const size_t start = last_;
  fill(writer_);
  reinterpret_cast<nlmsghdr*>(writer_.bytes_.data() + start)->nlmsg_len =
      static_cast<uint32_t>(writer_.bytes_.size() - start);
  return count_ - 1;
}

Result<BatchSocket> BatchSocket::open() {
  base::UniqueFd socket(
      ::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_NETFILTER));
  if (!socket) return base::fail_errno("netfilter socket", errno);
  const int on = 1;
  setsockopt(socket.get(), SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof on);
  setsockopt(socket.get(), SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof on);
  setsockopt(socket.get(), SOL_SOCKET, SO_RCVBUFFORCE, &k_receive_buffer, sizeof k_receive_buffer);
  const sockaddr_nl address{.nl_family = AF_NETLINK};
  if (bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return base::fail_errno("bind a netfilter socket", errno);
  return BatchSocket(std::move(socket));
}

// The kernel works through the batch before it returns from sending, so that every answer is there.
Result<std::vector<BatchSocket::Failure>> BatchSocket::commit(Batch batch) {
  if (batch.empty()) return std::vector<Failure>{};
  reinterpret_cast<nlmsghdr*>(batch.writer_.bytes_.data() + batch.last_)->nlmsg_flags |= NLM_F_ACK;
  const auto last = static_cast<uint32_t>(k_first_sequence + batch.count_);
  ++batch.count_;
  batch.header(NFNL_MSG_BATCH_END, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES);
  const auto& bytes = batch.writer_.bytes_;

  std::array<char, 65536> buffer;
  while (recv(socket_.get(), buffer.data(), buffer.size(), 0) > 0) continue;  // of one before
  const int send_buffer = static_cast<int>(bytes.size() + (64 << 10));
  setsockopt(socket_.get(), SOL_SOCKET, SO_SNDBUFFORCE, &send_buffer, sizeof send_buffer);
  const sockaddr_nl kernel{.nl_family = AF_NETLINK};
  if (sendto(socket_.get(), bytes.data(), bytes.size(), 0,
             reinterpret_cast<const sockaddr*>(&kernel), sizeof kernel) < 0)
    return base::fail_errno("nf_tables", errno);

  std::vector<Failure> failures;
  std::optional<int> of_the_whole;
  bool done = false;
  while (true) {
    const ssize_t got = recv(socket_.get(), buffer.data(), buffer.size(), 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno == ENOBUFS) of_the_whole = ENOBUFS;
    if (got <= 0 && errno != ENOBUFS) break;
    auto left = static_cast<size_t>(std::max<ssize_t>(got, 0));
    for (const char* at = buffer.data(); left >= NLMSG_HDRLEN;) {
      const auto& message = *reinterpret_cast<const nlmsghdr*>(at);
      if (message.nlmsg_len < NLMSG_HDRLEN || message.nlmsg_len > left) break;
      if (message.nlmsg_type == NLMSG_ERROR &&
          message.nlmsg_len >= NLMSG_LENGTH(sizeof(nlmsgerr))) {
        const auto& error = *reinterpret_cast<const nlmsgerr*>(at + NLMSG_HDRLEN);
        const uint32_t sequence = message.nlmsg_seq;
        if (error.error == 0) {
          done |= sequence == last;
        } else if (sequence > k_first_sequence && sequence <= last) {
          const std::string more = explanation(message, error);
          failures.push_back(
              {sequence - k_first_sequence - 1, -error.error,
               fmt::format("{}{}{}", std::strerror(-error.error), more.empty() ? "" : ": ", more)});
        } else {
          of_the_whole = -error.error;
        }
      }
      const size_t step = std::min(aligned(message.nlmsg_len), left);
      at += step;
      left -= step;
    }
  }
  if (of_the_whole) return base::fail_errno("nf_tables", *of_the_whole);
  if (failures.empty() && !done)
    return base::fail(base::ErrorCode::unavailable, "nf_tables: the kernel did not answer");
  return failures;
}

}  // namespace margay::dataplane::nftables
