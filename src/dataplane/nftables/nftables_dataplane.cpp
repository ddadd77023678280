#include "dataplane/nftables/nftables_dataplane.h"

namespace margay::dataplane::nftables {

using base::Result;

Result<std::unique_ptr<NftablesDataPlane>> NftablesDataPlane::create(Config config, bool routes) {
  MARGAY_CHECK(validate(config));
  MARGAY_CHECK(complete(config));
  MARGAY_TRY(auto sockets, Sockets::open());
  std::unique_ptr<NftablesDataPlane> made(
      new NftablesDataPlane(std::move(config), std::move(sockets)));
  if (routes) MARGAY_CHECK(made->make_routes());
  return made;
}

NftablesDataPlane::NftablesDataPlane(Config config, std::shared_ptr<Sockets> sockets)
    : KernelDataPlane("nftables", std::move(config),
                      [&](policy::IPFamily family, const Config&) {
                        return std::make_unique<NftablesTables>(family, sockets);
                      }),
      sockets_(std::move(sockets)) {}

}  // namespace margay::dataplane::nftables
