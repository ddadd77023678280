#include "node/http_endpoint.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>

#include <atomic>
#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <chrono>
#include <string>
#include <vector>

#include "base/process.h"
#include "base/unique_fd.h"
#include "node/served_endpoint.h"

namespace margay::node {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;

std::unique_ptr<HttpEndpoint> start() {
  auto started = HttpEndpoint::start(
      "127.0.0.1", 0, [](std::string_view) { return HttpEndpoint::Reply{.body = "well"}; });
  EXPECT_TRUE(started) << started.error().message;
  return *std::move(started);
}

tcp::socket connect(asio::io_context& io, uint16_t port) {
  tcp::socket socket(io);
  socket.connect({asio::ip::make_address("127.0.0.1"), port});
  return socket;
}

// The whole answer; empty when the connection was closed without one.
std::string ask(tcp::socket& socket) {
  asio::write(
      socket,
      asio::buffer(std::string_view("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")));
  std::string answer;
  boost::system::error_code ignored;
  asio::read(socket, asio::dynamic_buffer(answer), ignored);
  return answer;
}

std::chrono::nanoseconds cpu_time() {
  timespec time{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

// Takes every descriptor that is left below a limit of this process.
class NoDescriptors {
 public:
  NoDescriptors() {
    ::getrlimit(RLIMIT_NOFILE, &before_);
    const rlimit few{256, before_.rlim_max};
    ::setrlimit(RLIMIT_NOFILE, &few);
    for (;;) {
      base::UniqueFd fd(::open("/dev/null", O_RDONLY | O_CLOEXEC));
      if (!fd) break;
      taken_.push_back(std::move(fd));
    }
  }
  NoDescriptors(const NoDescriptors&) = delete;
  NoDescriptors& operator=(const NoDescriptors&) = delete;
  ~NoDescriptors() {
    taken_.clear();
    ::setrlimit(RLIMIT_NOFILE, &before_);
  }
  void give_one_back() { taken_.pop_back(); }

 private:
  rlimit before_{};
  std::vector<base::UniqueFd> taken_;
};

TEST(HttpEndpoint, Answers) {
  const auto endpoint = start();
  asio::io_context io;
  auto socket = connect(io, endpoint->port());
  EXPECT_TRUE(ask(socket).ends_with("well"));
}

TEST(HttpEndpoint, OutOfDescriptorsItWaitsInsteadOfSpinning) {
  const auto endpoint = start();
  asio::io_context io;
  tcp::socket waiting(io);
  waiting.open(tcp::v4());
  NoDescriptors none;
  waiting.connect({asio::ip::make_address("127.0.0.1"), endpoint->port()});
  const auto before = cpu_time();
  pollfd answer{waiting.native_handle(), POLLIN, 0};
  ASSERT_EQ(::poll(&answer, 1, /*timeout_ms=*/500), 0) << "nobody accepts it";
  EXPECT_LT(cpu_time() - before, std::chrono::milliseconds(250)) << "of CPU in half a second";
  none.give_one_back();
  EXPECT_TRUE(ask(waiting).ends_with("well")) << "who waited is served once there is a descriptor";
}

TEST(HttpEndpoint, ConnectionsThatSayNothingDoNotTakeEveryDescriptor) {
  const auto endpoint = start();
  asio::io_context io;
  std::vector<tcp::socket> silent;
  constexpr size_t k_more_than_it_keeps = 200;
  for (size_t i = 0; i < k_more_than_it_keeps; ++i) silent.push_back(connect(io, endpoint->port()));
  // The last ones are closed: a read ends instead of waiting.
  char byte = 0;
  boost::system::error_code error;
  silent.back().read_some(asio::buffer(&byte, 1), error);
  EXPECT_TRUE(error == asio::error::eof || error == asio::error::connection_reset);
  silent.clear();
  std::string answer;
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!answer.ends_with("well") && std::chrono::steady_clock::now() < deadline) {
    auto socket = connect(io, endpoint->port());
    answer = ask(socket);
  }
  EXPECT_TRUE(answer.ends_with("well"));
}

TEST(ServedEndpoint, IsThereOnceWhoeverHadThePortIsGone) {
  auto other = HttpEndpoint::start("127.0.0.1", 0, [](auto) { return HttpEndpoint::Reply{}; });
  ASSERT_TRUE(other);
  std::atomic<int> asked = 0;
  ServedEndpoint endpoint("test", "127.0.0.1", (*other)->port(), [&](std::string_view) {
    ++asked;
    return HttpEndpoint::Reply{.body = "ours"};
  });
  const auto port = (*other)->port();
  endpoint.start();
  other->reset();
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (asked == 0 && std::chrono::steady_clock::now() < deadline)
    static_cast<void>(base::run(
        {.argv = {"curl", "-sf", "-m", "1", "http://127.0.0.1:" + std::to_string(port) + "/"}}));
  EXPECT_GT(asked, 0);
}

}  // namespace
}  // namespace margay::node
