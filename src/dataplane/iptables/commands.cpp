#include "dataplane/iptables/commands.h"

#include <spdlog/spdlog.h>

#include <algorithm>

#include "base/process.h"
#include "dataplane/iptables/xtables_lock.h"

namespace margay::dataplane::iptables {
namespace {

using base::Result;
using policy::IPFamily;

// iptables-nft takes more than a second for each 10,000 rules of a chain, on one core, and where it
// is given up nothing of the table can ever be changed.
constexpr std::chrono::minutes k_timeout{2};

std::string program(IPFamily family, std::string_view backend, std::string_view verb) {
  return fmt::format("{}-{}-{}", family == IPFamily::v4 ? "iptables" : "ip6tables", backend, verb);
}

class SystemCommands final : public Commands {
 public:
  SystemCommands(std::string backend, IptablesLock lock)
      : backend_(std::move(backend)), lock_(std::move(lock)) {}

  Result<std::string> save(IPFamily family) override {
    return base::run_checked({.argv = {program(family, backend_, "save")}, .timeout = k_timeout});
  }

  Result<> restore(IPFamily family, const std::string& input) override {
    base::Command command{.argv = {program(family, backend_, "restore"), "--noflush"},
                          .input = input,
                          .environment = with_lock_file(lock_),
                          .timeout = k_timeout};
    std::ranges::copy(wait_arguments(lock_), std::back_inserter(command.argv));
    MARGAY_TRY(const base::UniqueFd held, take_if_ours(lock_));
    MARGAY_CHECK(base::run_checked(command));
    return {};
  }

  Result<std::string> save_sets() override {
    return base::run_checked({.argv = {"ipset", "save"}, .timeout = k_timeout});
  }

  Result<> restore_sets(const std::string& input) override {
    MARGAY_CHECK(base::run_checked(
        {.argv = {"ipset", "restore", "-exist"}, .input = input, .timeout = k_timeout}));
    return {};
  }

 private:
  std::string backend_;
  IptablesLock lock_;
};

struct InUse {
  bool hint = false;  // kubelet's mark: the backend that the cluster's components use
  size_t rules = 0;
};

InUse tables_in_use(std::string_view backend) {
  InUse in_use;
  for (const auto family : {IPFamily::v4, IPFamily::v6}) {
    const auto saved = base::run({.argv = {program(family, backend, "save")}});
    if (!saved || saved->status != 0) continue;
    in_use.hint |= saved->out.contains("\n:KUBE-IPTABLES-HINT ") ||
                   saved->out.contains("\n:KUBE-KUBELET-CANARY ");
    for (size_t at = 0; (at = saved->out.find("\n-A ", at)) != std::string::npos; ++at)
      ++in_use.rules;
  }
  return in_use;
}

Result<std::string> detect_backend() {
  const InUse nft = tables_in_use("nft"), legacy = tables_in_use("legacy");
  if (nft.hint != legacy.hint) return nft.hint ? "nft" : "legacy";
  if (nft.rules != legacy.rules) return nft.rules > legacy.rules ? "nft" : "legacy";
  MARGAY_TRY(const std::string version, base::run_checked({.argv = {"iptables", "--version"}}));
  return version.contains("nf_tables") ? "nft" : "legacy";
}

}  // namespace

Result<SystemPrograms> system_commands(Backend backend, const IptablesLock& lock) {
  std::string name = backend == Backend::nft ? "nft" : "legacy";
  if (backend == Backend::automatic) {
    MARGAY_TRY(name, detect_backend());
    spdlog::info("iptables backend: {} (detected)", name);
  }
  const char* other = name == "nft" ? "legacy" : "nft";
  return SystemPrograms{std::make_unique<SystemCommands>(std::move(name), lock),
                        std::make_unique<SystemCommands>(other, lock)};
}

}  // namespace margay::dataplane::iptables
