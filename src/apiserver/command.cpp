#include "apiserver/command.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <sys/resource.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>
#include <memory>

#include "apiserver/inherited_sockets.h"
#include "base/event_loop.h"
#include "base/log.h"

namespace margay::apiserver {
namespace {

struct Arguments {
  std::string data_dir;
  std::string listen = "127.0.0.1:6443";
  std::string log_level = "info";
  std::string audit_log;
  size_t audit_megabytes = 100;
  size_t audit_files = 10;
  ApiServer::Options::Proxy front_proxy;
};

// A thousand watches need more than the usual 1,024 descriptors.
void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  if (::setrlimit(RLIMIT_NOFILE, &limit) != 0)
    spdlog::warn("the limit of open files stays at {}", limit.rlim_cur);
}

base::Result<int> serve(const Arguments& arguments, const OpenStore& open_store) {
  MARGAY_TRY(auto sockets, inherited_sockets());  // before any other file is opened
  MARGAY_CHECK(base::set_up_log("apiserver", arguments.log_level));
  MARGAY_TRY(const auto listen, parse_listen_address(arguments.listen));
  raise_descriptor_limit();
  ::signal(SIGPIPE, SIG_IGN);  // of an audit log or standard error that nobody reads any more
  MARGAY_TRY(const auto server,
             ApiServer::start({.data_dir = arguments.data_dir,
                               .open_store = open_store,
                               .audit_log = arguments.audit_log,
                               .audit_limits = {.bytes = arguments.audit_megabytes << 20,
                                                .kept = arguments.audit_files},
                               .front_proxy = arguments.front_proxy,
                               .address = listen.address,
                               .port = listen.port,
                               .sockets = std::move(sockets)}));
  // On standard output, for whoever started it: everything is in place now.
  fmt::print("serving {} kubeconfig {}\n", server->url(), server->kubeconfig().string());
  std::fflush(stdout);
  base::EventLoop loop;
  const auto status = loop.run();
  constexpr std::chrono::seconds k_patience{10};
  server->stop(k_patience);
  return status;
}

}  // namespace

void add_command(CLI::App& app, OpenStore open_store, int& status) {
  auto arguments = std::make_shared<Arguments>();
  auto* command = app.add_subcommand(
      "apiserver", "Serve the Kubernetes and Calico API for kubectl, on an embedded store");
  command->add_option("--data-dir", arguments->data_dir, "Where objects, keys and kubeconfig live")
      ->required();
  command->add_option("--listen", arguments->listen, "Address and port; port 0 takes a free one")
      ->capture_default_str();
  command->add_option("--log-level", arguments->log_level, "debug, info, warning, error")
      ->capture_default_str();
  command->add_option("--audit-log", arguments->audit_log,
                      "A file for a line about each request: who, what, and how it ended");
  command
      ->add_option("--audit-log-maxsize", arguments->audit_megabytes,
                   "Megabytes of that file; then it is put aside. 0: it grows for ever")
      ->capture_default_str();
  command
      ->add_option("--audit-log-maxbackup", arguments->audit_files,
                   "How many files put aside are kept. 0: all")
      ->capture_default_str();
  command->add_option("--requestheader-client-ca-file", arguments->front_proxy.authority,
                      "The authority of a front proxy, whose X-Remote- headers say who asks");
  command
      ->add_option("--requestheader-allowed-names", arguments->front_proxy.allowed_names,
                   "Common names of the front proxy's certificate; by default any")
      ->delimiter(',');
  command->callback([arguments, open_store = std::move(open_store), &status] {
    const auto served = serve(*arguments, open_store);
    if (!served) fmt::print(stderr, "margay apiserver: {}\n", served.error().message);
    status = served ? *served : 1;
  });
}

}  // namespace margay::apiserver
