#include "node/tunnel_address.h"

#include <fmt/format.h>
#include <openssl/sha.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <thread>
#include <vector>

#include "api/calico.h"
#include "api/codec.h"
#include "base/backoff.h"
#include "ipam/ipam.h"
#include "node/node_object.h"
#include "selector/selector.h"

namespace margay::node {
namespace {

using namespace std::chrono_literals;
namespace asio = boost::asio;
namespace json = boost::json;
using base::IPAddress;
using base::IPFamily;
using base::Prefix;
using base::Result;

// What differs between the families.
struct Family {
  IPFamily family;
  const char* handle_prefix;
  const char* address_field;
  const char* mac_field;
};
constexpr Family k_families[] = {
    {IPFamily::v4, "vxlan-tunnel-addr-", "ipv4VXLANTunnelAddr", "vxlanTunnelMACAddr"},
    {IPFamily::v6, "vxlan-v6-tunnel-addr-", "ipv6VXLANTunnelAddr", "vxlanTunnelMACAddrV6"},
};

// The CIDRs of the enabled pools that ask for VXLAN and select this node.
Result<std::vector<Prefix>> vxlan_pools(store::Store& store, const std::string& node,
                                        IPFamily family) {
  MARGAY_TRY(const store::List list, store.list({.resource = "ippools.projectcalico.org"}));
  MARGAY_TRY(const selector::Labels labels, ipam::node_labels(store, node));
  std::vector<Prefix> found;
  for (const auto& entry : list.entries) {
    MARGAY_TRY(const json::value value, api::parse_json(entry.value));
    MARGAY_TRY(const api::IPPool pool, api::decode<api::IPPool>(value));
    const bool vxlan = pool.spec.vxlan_mode == "Always" || pool.spec.vxlan_mode == "CrossSubnet";
    if (pool.spec.disabled || !vxlan) continue;
    MARGAY_TRY(const Prefix cidr, Prefix::parse(pool.spec.cidr));
    MARGAY_TRY(const auto nodes, selector::Selector::parse(pool.spec.node_selector));
    if (cidr.family() == family && nodes.matches(labels)) found.push_back(cidr);
  }
  return found;
}

// The address this node's tunnel has in one of the pools: the one it holds already, or a new one.
// None without pools.
Result<std::optional<IPAddress>> hold_address(ipam::Ipam& ipam, const std::string& node,
                                              const Family& family,
                                              const std::vector<Prefix>& pools) {
  const std::string handle = family.handle_prefix + node;
  MARGAY_TRY(const std::vector<IPAddress> held, ipam.addresses_of(handle));
  const auto in_a_pool = [&](const IPAddress& address) {
    return std::ranges::any_of(pools, [&](const Prefix& pool) { return pool.contains(address); });
  };
  if (held.size() == 1 && in_a_pool(held.front())) return held.front();
  MARGAY_CHECK(ipam.release_handle(handle));
  if (pools.empty()) return std::nullopt;

  const bool v4 = family.family == IPFamily::v4;
  ipam::AssignRequest request{
      .owner = {.host = node,
                .handle_id = handle,
                .attributes = {{"node", node}, {"type", "vxlanTunnelAddress"}}},
      .v4 = v4 ? 1U : 0U,
      .v6 = v4 ? 0U : 1U,
      .use = ipam::Use::tunnel};
  (v4 ? request.v4_pools : request.v6_pools) = pools;
  MARGAY_TRY(const std::vector<IPAddress> assigned, ipam.assign(request));
  return assigned.front();
}

}  // namespace

std::string tunnel_mac(const std::string& node, IPFamily family) {
  const std::string name = family == IPFamily::v4 ? node : node + "/v6";
  std::array<unsigned char, SHA_DIGEST_LENGTH> digest{};
  SHA1(reinterpret_cast<const unsigned char*>(name.data()), name.size(), digest.data());
  return fmt::format("66:{:02x}:{:02x}:{:02x}:{:02x}:{:02x}", digest[0], digest[1], digest[2],
                     digest[3], digest[4]);
}

Result<> ensure_tunnel_addresses(store::Store& store, const std::string& node) {
  ipam::Ipam ipam(store);
  for (const Family& family : k_families) {
    MARGAY_TRY(const auto pools, vxlan_pools(store, node, family.family));
    MARGAY_TRY(const auto address, hold_address(ipam, node, family, pools));
    MARGAY_CHECK(edit_node(store, node, [&](json::object& object) {
      json::object& spec = child(object, "spec");
      if (address) {
        spec[family.address_field] = address->to_string();
        spec[family.mac_field] = tunnel_mac(node, family.family);
      } else {
        spec.erase(family.address_field);
        spec.erase(family.mac_field);
      }
    }));
  }
  return {};
}

class TunnelAddressKeeper::Impl {
 public:
  Impl(store::Store& store, std::string node)
      : store_(store), node_(std::move(node)), thread_([this] { context_.run(); }) {}

  ~Impl() {
    context_.stop();
    thread_.join();
  }

  void request() {
    asio::post(context_, [this] {
      retry_.cancel();
      bring_up_to_date();
    });
  }

 private:
  void bring_up_to_date() {
    const auto done = ensure_tunnel_addresses(store_, node_);
    if (done) return backoff_.reset();
    spdlog::warn("tunnel address: {}; trying again", done.error().message);
    retry_.expires_after(backoff_.next());
    retry_.async_wait([this](const boost::system::error_code& error) {
      if (!error) bring_up_to_date();
    });
  }

  store::Store& store_;
  const std::string node_;
  base::Backoff backoff_{{.initial = 500ms, .max = 30s}};
  asio::io_context context_{1};
  asio::executor_work_guard<asio::io_context::executor_type> work_{context_.get_executor()};
  asio::steady_timer retry_{context_};
  std::thread thread_;
};

TunnelAddressKeeper::TunnelAddressKeeper(store::Store& store, std::string node)
    : impl_(std::make_unique<Impl>(store, std::move(node))) {}
TunnelAddressKeeper::~TunnelAddressKeeper() = default;

void TunnelAddressKeeper::request() { impl_->request(); }

}  // namespace margay::node
