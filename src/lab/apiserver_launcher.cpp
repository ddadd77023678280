#include "lab/apiserver_launcher.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>

#include "base/unique_fd.h"
#include "net/network_namespace.h"

namespace margay::lab {
namespace {

using base::fail_errno;
using base::IPAddress;
using base::Result;
using base::UniqueFd;

constexpr IPAddress k_loopback = IPAddress::v4(0x7f00'0001);
constexpr int k_first_passed = 3;     // SD_LISTEN_FDS_START
constexpr int k_out_of_the_way = 10;  // while descriptors from 3 on are being filled

Result<UniqueFd> listen_on(const IPAddress& address, uint16_t port) {
  const std::string what = fmt::format("listen on {}:{}", address.to_string(), port);
  UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket) return fail_errno(what, errno);
  const int on = 1;
  setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in name{.sin_family = AF_INET, .sin_port = htons(port)};
  name.sin_addr.s_addr = htonl(address.to_v4());
  if (bind(socket.get(), reinterpret_cast<sockaddr*>(&name), sizeof name) != 0 ||
      listen(socket.get(), SOMAXCONN) != 0) {
    return fail_errno(what, errno);
  }
  return socket;
}

using Sockets = std::array<UniqueFd, 2>;

Result<Sockets> open_sockets(const Layout& layout, const Settings& settings) {
  MARGAY_TRY(auto local, listen_on(k_loopback, settings.api_port));
  MARGAY_TRY(const auto underlay, net::NetworkNamespace::open_named(layout.underlay_namespace()));
  MARGAY_TRY(auto for_nodes,
             underlay.run([] { return listen_on(underlay_v4(0).address, k_api_port); }));
  return Sockets{std::move(local), std::move(for_nodes)};
}

// Descriptors 3 and up, not closed on exec. Nothing else may be open there: what is gets replaced.
Result<> pass(Sockets sockets) {
  for (auto& socket : sockets) {
    socket = UniqueFd(fcntl(socket.get(), F_DUPFD_CLOEXEC, k_out_of_the_way));
    if (!socket) return fail_errno("duplicate socket", errno);
  }
  for (size_t i = 0; i < sockets.size(); ++i) {
    if (dup2(sockets.at(i).get(), k_first_passed + static_cast<int>(i)) < 0) {
      return fail_errno("pass socket", errno);
    }
  }
  return {};
}

}  // namespace

Result<uint16_t> free_local_port() {
  MARGAY_TRY(const auto socket, listen_on(k_loopback, 0));
  sockaddr_in name{};
  socklen_t size = sizeof name;
  if (getsockname(socket.get(), reinterpret_cast<sockaddr*>(&name), &size) != 0) {
    return fail_errno("getsockname", errno);
  }
  return ntohs(name.sin_port);
}

base::Error exec_apiserver(const Layout& layout, const Settings& settings,
                           const std::string& binary) {
  auto sockets = open_sockets(layout, settings);
  if (!sockets) return sockets.error();
  if (auto passed = pass(*std::move(sockets)); !passed) return passed.error();
  setenv("LISTEN_FDS", "2", 1);
  setenv("LISTEN_PID", std::to_string(getpid()).c_str(), 1);
  const std::string data = layout.apiserver();
  const std::string listen = fmt::format("127.0.0.1:{}", settings.api_port);
  execl(binary.c_str(), binary.c_str(), "apiserver", "--data-dir", data.c_str(), "--listen",
        listen.c_str(), nullptr);
  return fail_errno("run " + binary, errno).error();
}

}  // namespace margay::lab
