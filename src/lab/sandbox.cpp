#include "lab/sandbox.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <random>
#include <thread>

#include "base/process.h"
#include "lab/processes.h"
#include "net/network_namespace.h"

namespace margay::lab {
namespace {

using base::ChildProcess;
using base::ErrorCode;
using base::fail;
using base::Result;
using net::NetworkNamespace;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr milliseconds k_server_start{5000};
constexpr milliseconds k_server_end{5000};

Result<std::optional<PodRecord>> stored(const std::filesystem::path& directory,
                                        const std::string& uid) {
  MARGAY_TRY(const auto records, load_pod_records(directory));
  const auto found = std::ranges::find(records, uid, &PodRecord::uid);
  return found == records.end() ? std::nullopt : std::optional(*found);
}

// 256 random bits, as container runtimes name containers.
std::string new_container_id() {
  std::random_device random;
  std::string id;
  for (int i = 0; i < 8; ++i) id += fmt::format("{:08x}", random());
  return id;
}

}  // namespace

Sandboxes::Sandboxes(Layout layout, std::string node, std::string binary)
    : layout_(std::move(layout)),
      directory_(layout_.pods(node)),
      node_(std::move(node)),
      binary_(std::move(binary)),
      cni_(layout_.cni_config(node_), layout_.cni_bin()) {}

CniContainer Sandboxes::container_of(const PodRecord& record) const {
  return {.id = record.container_id,
          .network_namespace = NetworkNamespace::path_of(record.network_namespace),
          .pod_namespace = record.ns,
          .pod_name = record.name,
          .pod_uid = record.uid};
}

Result<PodRecord> Sandboxes::ensure(PodRecord wanted) const {
  MARGAY_TRY(auto existing, stored(directory_, wanted.uid));
  if (existing && existing->addresses.empty()) {
    // Killed half way: what the plugin did by then is unknown. Away with it, as runtimes do.
    MARGAY_CHECK(remove(*existing));
    existing.reset();
  }
  if (!existing) {
    MARGAY_TRY(existing, wanted.host_network ? on_node(wanted) : create(wanted));
  }
  MARGAY_CHECK(ensure_server(*existing));
  return *std::move(existing);
}

Result<PodRecord> Sandboxes::on_node(PodRecord record) const {
  record.container_id = new_container_id();
  record.network_namespace = layout_.node_namespace(node_);
  MARGAY_CHECK(record.save(directory_));
  return record;
}

Result<PodRecord> Sandboxes::create(PodRecord record) const {
  record.container_id = new_container_id();
  record.network_namespace = layout_.pod_namespace(record.container_id);
  record.addresses.clear();
  MARGAY_CHECK(record.save(directory_));
  MARGAY_CHECK(NetworkNamespace::create(record.network_namespace));
  auto addresses = cni_.add(container_of(record));
  if (!addresses) {
    if (auto removed = remove(record); !removed) {
      spdlog::warn("{}: {}", record.id(), removed.error().message);  // tried again by ensure()
    }
    return fail(std::move(addresses).error());
  }
  record.addresses = *std::move(addresses);
  MARGAY_CHECK(record.save(directory_));
  return record;
}

Result<> Sandboxes::ensure_server(const PodRecord& record) const {
  const auto file = record.server_file(directory_);
  if (!is_serving(record)) {
    std::error_code ignored;
    std::filesystem::remove(file, ignored);  // the report of one that died
    MARGAY_TRY(const auto where, NetworkNamespace::open_named(record.network_namespace));
    std::vector<std::string> argv{binary_,     "lab",         "serve", "--identity",
                                  record.id(), "--lock-file", file};
    for (const auto& port : record.ports) argv.insert(argv.end(), {"--port", port.to_string()});
    MARGAY_TRY(auto server, ChildProcess::start({.argv = std::move(argv),
                                                 .network_namespace = where.fd(),
                                                 .log_file = layout_.log_of("pods-" + node_)}));
    server.wait(k_server_start);  // it goes on in the background, beyond the life of this program
  }
  const auto deadline = steady_clock::now() + k_server_start;
  while (true) {
    const auto report = server_report(file);
    if (report) return {};
    if (steady_clock::now() > deadline) return fail(report.error());
    std::this_thread::sleep_for(milliseconds(2));
  }
}

bool Sandboxes::is_serving(const PodRecord& record) const {
  const auto report = server_report(record.server_file(directory_));
  return report || report.error().code == ErrorCode::unavailable;
}

Result<ServerReport> Sandboxes::report(const PodRecord& record) const {
  return server_report(record.server_file(directory_));
}

Result<> Sandboxes::remove(const PodRecord& record) const {
  const std::string server_file = record.server_file(directory_);
  const ino_t inode = record.host_network ? 0 : namespace_inode(record.network_namespace);
  MARGAY_CHECK(kill_processes(
      [&](const ProcessView& process) {
        return (inode != 0 && process.is_in_namespace(inode)) || process.has_argument(server_file);
      },
      k_server_end));
  if (!record.host_network) {
    MARGAY_CHECK(cni_.del(container_of(record)));
    MARGAY_CHECK(NetworkNamespace::remove(record.network_namespace));
  }
  return record.erase(directory_);
}

}  // namespace margay::lab
