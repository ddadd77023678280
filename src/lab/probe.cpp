#include "lab/probe.h"

#include <netinet/in.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <optional>

#include "base/unique_fd.h"

namespace margay::lab {
namespace {

using base::ErrorCode;
using base::fail;
using base::IPAddress;
using base::Result;
using base::UniqueFd;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr milliseconds k_resend{200};  // UDP asks again: a datagram may be lost for good reasons
constexpr rlim_t k_spare_descriptors = 128;

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

SocketAddress socket_address(const IPAddress& address, uint16_t port) {
  SocketAddress out;
  if (address.is_v4()) {
    sockaddr_in v4{.sin_family = AF_INET, .sin_port = htons(port)};
    v4.sin_addr.s_addr = htonl(address.to_v4());
    std::memcpy(&out.storage, &v4, out.size = sizeof v4);
  } else {
    sockaddr_in6 v6{.sin6_family = AF_INET6, .sin6_port = htons(port)};
    std::ranges::copy(address.bytes(), v6.sin6_addr.s6_addr);
    std::memcpy(&out.storage, &v6, out.size = sizeof v6);
  }
  return out;
}

// A source port that UDP probes of the last three minutes did not use: connection tracking would
// let a datagram pass as part of the flow that an earlier probe began, whatever policy says now.
uint16_t fresh_source_port() {
  using namespace std::chrono;
  constexpr int64_t k_first = 20'000, k_count = 40'000;
  const auto now = duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count();
  return static_cast<uint16_t>(k_first + now / 5 % k_count);
}

// One attempt under way.
class Try {
 public:
  explicit Try(const Attempt& attempt) : attempt_(attempt) {}

  // In the calling thread's namespace.
  void start(uint16_t udp_source_port) {
    const int family = attempt_.address.is_v4() ? AF_INET : AF_INET6;
    const int type = is_udp() ? SOCK_DGRAM : SOCK_STREAM;
    socket_ = UniqueFd(::socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!socket_) return fail_with(errno);
    is_udp() ? claim_source_port(family, udp_source_port) : forget_when_closed();
    if (result_) return;
    const auto to = socket_address(attempt_.address, attempt_.port.number);
    if (connect(socket_.get(), to.get(), to.size) != 0 && errno != EINPROGRESS) {
      return fail_with(errno);
    }
    ask();
  }

  bool is_open() const { return !result_; }
  bool is_udp() const { return attempt_.port.protocol == ServedPort::Protocol::udp; }
  pollfd wanted() const { return {is_open() ? socket_.get() : -1, POLLIN, 0}; }

  // UDP only: TCP has its own retransmission.
  void ask() {
    if (!is_udp() || !is_open()) return;
    if (send(socket_.get(), "?", 1, MSG_NOSIGNAL) < 0 && errno != EAGAIN) fail_with(errno);
  }

  void on_readable() {
    std::array<char, 512> chunk;
    const ssize_t got = recv(socket_.get(), chunk.data(), chunk.size(), 0);
    if (got < 0) {
      if (errno != EAGAIN && errno != EINTR) fail_with(errno);
      return;
    }
    if (got == 0) return finish(Outcome::Result::error, "closed before an answer");
    answer_.append(chunk.data(), static_cast<size_t>(got));
    const auto line = answer_.find('\n');
    if (line == answer_.npos) return;
    const auto who = std::string_view(answer_).substr(0, line);
    if (who == attempt_.to) return finish(Outcome::Result::allow, {});
    finish(Outcome::Result::error, "answered by " + std::string(who));
  }

  Outcome outcome() && {
    return {attempt_, result_.value_or(Outcome::Result::deny), std::move(detail_)};
  }

 private:
  void finish(Outcome::Result result, std::string detail) {
    result_ = result;
    detail_ = std::move(detail);
    socket_.reset();
  }
  void fail_with(int error) { finish(Outcome::Result::error, std::strerror(error)); }

  // Many sockets share the port; each is connected to its own peer.
  void claim_source_port(int family, uint16_t port) {
    const int on = 1;
    setsockopt(socket_.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    const auto any = socket_address(
        family == AF_INET ? IPAddress::v4(0) : IPAddress::v6(std::array<uint8_t, 16>{}), port);
    if (bind(socket_.get(), any.get(), any.size) != 0) fail_with(errno);
  }

  // Closing resets the connection: no socket in TIME_WAIT is left in the pod.
  void forget_when_closed() {
    const linger at_once{.l_onoff = 1, .l_linger = 0};
    setsockopt(socket_.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  }

  const Attempt& attempt_;
  UniqueFd socket_;
  std::string answer_;
  std::optional<Outcome::Result> result_;
  std::string detail_;
};

Result<> start_all(std::vector<Try>& tries, std::span<const Attempt> attempts,
                   const PodNamespaces& namespaces) {
  const uint16_t source_port = fresh_source_port();
  std::map<std::string_view, std::vector<Try*>> by_source;
  for (size_t i = 0; i < attempts.size(); ++i) by_source[attempts[i].from].push_back(&tries[i]);
  for (const auto& [from, theirs] : by_source) {
    const auto where = namespaces.find(from);
    if (where == namespaces.end()) {
      return fail(ErrorCode::not_found, "pod " + std::string(from) + " has no network namespace");
    }
    MARGAY_CHECK(where->second.run([&]() -> Result<> {
      for (Try* one : theirs) one->start(source_port);
      return {};
    }));
  }
  return {};
}

void wait_for_answers(std::vector<Try>& tries, milliseconds timeout) {
  const auto deadline = steady_clock::now() + timeout;
  auto next_ask = steady_clock::now() + k_resend;
  std::vector<pollfd> polled(tries.size());
  while (std::ranges::any_of(tries, &Try::is_open)) {
    const auto now = steady_clock::now();
    if (now >= deadline) return;
    if (now >= next_ask) {
      for (auto& one : tries) one.ask();
      next_ask = now + k_resend;
    }
    std::ranges::transform(tries, polled.begin(), &Try::wanted);
    const auto wait = std::chrono::ceil<milliseconds>(std::min(deadline, next_ask) - now);
    poll(polled.data(), polled.size(), static_cast<int>(wait.count()));
    for (size_t i = 0; i < tries.size(); ++i) {
      if (polled[i].revents != 0 && tries[i].is_open()) tries[i].on_readable();
    }
  }
}

// As many descriptors as the system allows this process.
size_t raise_descriptor_limit() {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  getrlimit(RLIMIT_NOFILE, &limit);
  return std::max<size_t>(limit.rlim_cur, 2 * k_spare_descriptors) - k_spare_descriptors;
}

}  // namespace

std::string_view to_string(Outcome::Result result) {
  switch (result) {
    case Outcome::Result::allow:
      return "allow";
    case Outcome::Result::deny:
      return "deny";
    case Outcome::Result::error:
      return "error";
  }
  return "error";
}

Result<std::vector<Outcome>> probe(std::span<const Attempt> attempts,
                                   const PodNamespaces& namespaces, milliseconds timeout) {
  const size_t at_once = raise_descriptor_limit();
  std::vector<Outcome> outcomes;
  outcomes.reserve(attempts.size());
  while (!attempts.empty()) {
    const auto batch = attempts.first(std::min(at_once, attempts.size()));
    std::vector<Try> tries(batch.begin(), batch.end());
    MARGAY_CHECK(start_all(tries, batch, namespaces));
    wait_for_answers(tries, timeout);
    for (auto& one : tries) outcomes.push_back(std::move(one).outcome());
    attempts = attempts.subspan(batch.size());
  }
  return outcomes;
}

}  // namespace margay::lab
