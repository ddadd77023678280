#include "dataplane/iptables/iptables_dataplane.h"

#include <spdlog/spdlog.h>

#include "dataplane/iptables/iptables_tables.h"

namespace margay::dataplane::iptables {

using base::Result;
using policy::IPFamily;

Result<std::unique_ptr<IptablesDataPlane>> IptablesDataPlane::create(Config config) {
  MARGAY_TRY(auto commands, system_commands(config.backend, config.lock));
  MARGAY_CHECK(complete(config));
  MARGAY_TRY(auto made, create(std::move(config), std::move(commands.chosen), true));
  made->other_backend_ = std::move(commands.other);
  return made;
}

Result<std::unique_ptr<IptablesDataPlane>> IptablesDataPlane::create(
    Config config, std::unique_ptr<Commands> commands, bool routes) {
  MARGAY_CHECK(validate(config));
  std::unique_ptr<IptablesDataPlane> made(
      new IptablesDataPlane(std::move(config), std::move(commands)));
  if (routes) MARGAY_CHECK(made->make_routes());
  return made;
}

IptablesDataPlane::IptablesDataPlane(Config config, std::unique_ptr<Commands> commands)
    : KernelDataPlane("iptables", config,
                      [&](IPFamily family, const Config& kept) {
                        return std::make_unique<IptablesTables>(family, kept, *commands);
                      }),
      commands_(std::move(commands)) {}

// A run before may have used the other backend (the kubelet's mark, by which it is chosen, can come
// later): what it left there drops every workload that is newer. By now ours are in force.
void IptablesDataPlane::on_settled() {
  if (!other_backend_) return;
  for (const auto family : {IPFamily::v4, IPFamily::v6}) {
    if (family == IPFamily::v6 && !config().kernel_has_ipv6) continue;
    const auto saved = other_backend_->save(family);
    if (!saved || !saved->contains("\n:cali-")) continue;  // not installed, or nothing there
    spdlog::info("iptables: removing what another run left under the other backend");
    Table raw("raw"), mangle("mangle"), filter("filter"), nat("nat");
    const auto swept =
        TableGroup(family, {&raw, &mangle, &filter, &nat}, *other_backend_).apply_each();
    if (!swept) return spdlog::warn("the other iptables backend: {}", swept.error().message);
  }
  other_backend_.reset();
}

Result<> IptablesDataPlane::clean_up() {
  auto result = KernelDataPlane::clean_up();
  on_settled();
  return result;
}

}  // namespace margay::dataplane::iptables
