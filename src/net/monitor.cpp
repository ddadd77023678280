#include "net/monitor.h"

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <poll.h>
#include <spdlog/spdlog.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>
#include <vector>

#include "net/netlink.h"
#include "net/network_namespace.h"

namespace margay::net {
namespace {

using base::fail_errno;
using base::Result;
using base::UniqueFd;

constexpr size_t k_chunk = size_t{64} * 1024;
constexpr int k_first_delay_ms = 50;
constexpr int k_longest_delay_ms = 5000;

std::optional<MonitorEvent> parse_event(const nlmsghdr& message) {
  const auto event = [](auto parsed, auto make) -> std::optional<MonitorEvent> {
    if (!parsed) return std::nullopt;
    return make(*std::move(parsed));
  };
  switch (message.nlmsg_type) {
    case RTM_NEWLINK:
    case RTM_DELLINK:
      return event(parse_link(message), [&](Link&& link) {
        return LinkEvent{std::move(link), message.nlmsg_type == RTM_DELLINK};
      });
    case RTM_NEWADDR:
    case RTM_DELADDR:
      return event(parse_address(message), [&](InterfaceAddress&& address) {
        return AddressEvent{address, message.nlmsg_type == RTM_DELADDR};
      });
    case RTM_NEWROUTE:
    case RTM_DELROUTE:
      return event(parse_route(message), [&](Route&& route) {
        return RouteEvent{route, message.nlmsg_type == RTM_DELROUTE};
      });
    default:
      return std::nullopt;
  }
}

std::vector<int> groups_of(const Monitor::Options& options) {
  std::vector<int> groups;
  if (options.links) groups.push_back(RTNLGRP_LINK);
  if (options.addresses) {
    groups.insert(groups.end(), {RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR});
  }
  if (options.routes) groups.insert(groups.end(), {RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE});
  return groups;
}

// As poll(2) takes it.
int milliseconds_to(std::chrono::steady_clock::time_point when) {
  const auto left =
      std::chrono::ceil<std::chrono::milliseconds>(when - std::chrono::steady_clock::now());
  return static_cast<int>(std::clamp<int64_t>(left.count(), 0, std::numeric_limits<int>::max()));
}

}  // namespace

Result<std::unique_ptr<Monitor>> Monitor::start(Listener& listener, const Options& options) {
  UniqueFd stop(eventfd(0, EFD_CLOEXEC));
  if (!stop) return fail_errno("eventfd", errno);
  std::unique_ptr<Monitor> monitor(new Monitor(listener, options, std::move(stop)));
  MARGAY_TRY(UniqueFd socket, monitor->subscribe());
  monitor->thread_ = std::thread([self = monitor.get(), opened = std::move(socket)]() mutable {
    self->run(std::move(opened));
  });
  return monitor;
}

Result<std::unique_ptr<Monitor>> Monitor::start(const NetworkNamespace& where, Listener& listener,
                                                const Options& options) {
  // A thread starts in the namespace of the one that starts it.
  return where.run([&] { return start(listener, options); });
}

Monitor::Monitor(Listener& listener, const Options& options, UniqueFd stop)
    : listener_(listener), options_(options), stop_(std::move(stop)) {}

Monitor::~Monitor() {
  eventfd_write(stop_.get(), 1);
  if (thread_.joinable()) thread_.join();
}

Result<UniqueFd> Monitor::subscribe() const {
  UniqueFd socket(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE));
  if (!socket) return fail_errno("open netlink socket", errno);
  const sockaddr_nl any{.nl_family = AF_NETLINK};
  // FORCE goes beyond rmem_max, and needs CAP_NET_ADMIN; the plain one is the best there is else.
  if (setsockopt(socket.get(), SOL_SOCKET, SO_RCVBUFFORCE, &options_.receive_buffer,
                 sizeof options_.receive_buffer) != 0) {
    setsockopt(socket.get(), SOL_SOCKET, SO_RCVBUF, &options_.receive_buffer,
               sizeof options_.receive_buffer);
  }
  if (bind(socket.get(), reinterpret_cast<const sockaddr*>(&any), sizeof any) != 0) {
    return fail_errno("bind netlink socket", errno);
  }
  for (const int group : groups_of(options_)) {
    if (setsockopt(socket.get(), SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof group) != 0) {
      return fail_errno("join netlink group", errno);
    }
  }
  return socket;
}

void Monitor::run(UniqueFd socket) {
  while (socket) {
    const std::array<MonitorEvent, 1> resync{Resync{}};
    listener_.on_events(resync);
    if (deliver_until_failure(socket.get())) return;
    socket.reset();
    socket = subscribe_again();
  }
}

bool Monitor::deliver_until_failure(int socket) {
  alignas(nlmsghdr) std::array<char, k_chunk> chunk;
  auto due = std::chrono::steady_clock::now() + options_.resync_interval;
  while (true) {
    if (is_periodic() && std::chrono::steady_clock::now() >= due) {
      const std::array<MonitorEvent, 1> resync{Resync{.is_periodic = true}};
      listener_.on_events(resync);
      due = std::chrono::steady_clock::now() + options_.resync_interval;
    }
    std::array<pollfd, 2> polled{pollfd{socket, POLLIN, 0}, pollfd{stop_.get(), POLLIN, 0}};
    const int ready = poll(polled.data(), polled.size(), is_periodic() ? milliseconds_to(due) : -1);
    if (ready == 0) continue;
    if (ready < 0) {
      if (errno == EINTR) continue;
      spdlog::warn("{}", fail_errno("wait for netlink events", errno).error().message);
      return false;
    }
    if (polled[1].revents != 0) return true;

    const ssize_t got = recv(socket, chunk.data(), chunk.size(), 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) continue;
    if (got <= 0) {
      spdlog::warn("netlink events may be missing ({}): subscribing again",
                   got < 0 ? fail_errno("read", errno).error().message : "closed");
      return false;
    }
    std::vector<MonitorEvent> events;
    auto left = static_cast<unsigned>(got);
    for (const auto* message = reinterpret_cast<const nlmsghdr*>(chunk.data());
         NLMSG_OK(message, left); message = NLMSG_NEXT(message, left)) {
      if (auto event = parse_event(*message)) events.push_back(*std::move(event));
    }
    if (!events.empty()) listener_.on_events(events);
  }
}

bool Monitor::is_periodic() const { return options_.resync_interval.count() > 0; }

// Never at once: a socket that fails as soon as it is there must not make us spin.
UniqueFd Monitor::subscribe_again() {
  for (int delay = k_first_delay_ms; !stopped_within(delay);
       delay = std::min(2 * delay, k_longest_delay_ms)) {
    auto socket = subscribe();
    if (socket) return *std::move(socket);
    spdlog::warn("netlink events are not being read: {}", socket.error().message);
  }
  return {};
}

bool Monitor::stopped_within(int milliseconds) const {
  pollfd polled{stop_.get(), POLLIN, 0};
  return poll(&polled, 1, milliseconds) > 0;
}

}  // namespace margay::net
