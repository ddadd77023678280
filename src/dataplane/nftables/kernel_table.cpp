#include "dataplane/nftables/kernel_table.h"

#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <functional>

#include "dataplane/nftables/names.h"

namespace margay::dataplane::nftables {
namespace {

using base::Result;
using policy::IPAddress;
using policy::IPFamily;
using policy::Prefix;
using policy::SetMember;
using policy::SetType;

using Bytes = std::span<const uint8_t>;

// nft's numbers of types, by which it prints keys (src/datatype.c names them; the kernel only keeps
// them). A key of several has six bits for each.
constexpr uint32_t k_type_ipv4 = 7, k_type_ipv6 = 8, k_type_protocol = 12, k_type_port = 13,
                   k_type_interface = 41, k_type_bits = 6;
constexpr uint32_t k_register_size = 4;
// A set's user data, as nft writes it: the order of a key's bytes (type 0, four bytes), that of
// text.
constexpr std::array<uint8_t, 6> k_text_keys{0, 4, 1, 0, 0, 0};
constexpr uint32_t k_verdict_data = 0xffffff00;  // NFT_DATA_VERDICT
constexpr uint8_t k_comment_type = 0;            // of a rule's user data, as nft writes them
constexpr size_t k_comment_length = 127;
constexpr size_t k_hash_length = 16;
constexpr size_t k_elements_per_message = 400;  // below 64 KiB in every type

uint8_t family_number(IPFamily family) {
  return family == IPFamily::v4 ? uint8_t{NFPROTO_IPV4} : uint8_t{NFPROTO_IPV6};
}
size_t address_size(IPFamily family) { return family == IPFamily::v4 ? 4 : 16; }

uint32_t key_type(IPFamily family, SetType type) {
  const uint32_t address = family == IPFamily::v4 ? k_type_ipv4 : k_type_ipv6;
  if (type == SetType::nets) return address;
  return address << 2 * k_type_bits | k_type_protocol << k_type_bits | k_type_port;
}
uint32_t key_size(IPFamily family, SetType type) {
  const auto address = static_cast<uint32_t>(address_size(family));
  return type == SetType::nets ? address : address + 2 * k_register_size;
}
uint32_t set_flags(SetType type) { return type == SetType::nets ? uint32_t{NFT_SET_INTERVAL} : 0U; }

// ---- reading ------------------------------------------------------------------------------------

net::Message request(uint16_t type, IPFamily family) {
  net::Message message(static_cast<uint16_t>(NFNL_SUBSYS_NFTABLES << 8 | type), 0);
  message.put_header(
      nfgenmsg{.nfgen_family = family_number(family), .version = NFNETLINK_V0, .res_id = 0});
  return message;
}

net::Attributes attributes_of(const nlmsghdr& message) { return {message, sizeof(nfgenmsg)}; }

uint32_t number(const net::Attributes& attributes, uint16_t type) {
  return ntohl(attributes.u32(type).value_or(0));
}

// For attributes of which there are several of one type.
void for_each(Bytes attributes, const std::function<void(uint16_t, Bytes)>& each) {
  while (attributes.size() >= sizeof(nlattr)) {
    nlattr header{};
    std::memcpy(&header, attributes.data(), sizeof header);
    if (header.nla_len < sizeof header || header.nla_len > attributes.size()) return;
    each(header.nla_type & NLA_TYPE_MASK,
         attributes.subspan(sizeof header, header.nla_len - sizeof header));
    attributes = attributes.subspan(std::min<size_t>(NLA_ALIGN(header.nla_len), attributes.size()));
  }
}
// The first of a type within; empty: none.
Bytes within(Bytes attributes, uint16_t type) {
  Bytes found;
  for_each(attributes, [&](uint16_t is, Bytes value) {
    if (is == type && found.empty()) found = value;
  });
  return found;
}
std::string text_of(Bytes bytes) {
  const auto* text = reinterpret_cast<const char*>(bytes.data());
  return {text, strnlen(text, bytes.size())};
}

// A table that is not there has nothing.
Result<> none_if_missing(Result<> read) {
  if (!read && read.error().code == base::ErrorCode::not_found) return {};
  return read;
}

std::string hash_in(Bytes user_data) {
  while (user_data.size() >= 2) {
    const size_t size = user_data[1];
    if (size + 2 > user_data.size()) break;
    if (user_data[0] == k_comment_type) {
      const std::string comment = text_of(user_data.subspan(2, size));
      if (comment.starts_with(k_hash_comment))
        return comment.substr(k_hash_comment.size(), k_hash_length);
    }
    user_data = user_data.subspan(size + 2);
  }
  return "";
}

struct Boundary {
  std::vector<uint8_t> key;
  bool is_end = false;
};

// The nets that intervals are. Nothing: some are no nets, so others made them.
std::optional<SetElements::Elements> nets_of(std::vector<Boundary> boundaries, size_t size) {
  std::ranges::sort(boundaries, [](const Boundary& a, const Boundary& b) {
    return a.key != b.key ? a.key < b.key : a.is_end && !b.is_end;
  });
  SetElements::Elements nets;
  const std::vector<uint8_t>* start = nullptr;
  // `last`: the last address of what began at `start`.
  const auto close = [&](const std::vector<uint8_t>& last) {
    const auto first_address = IPAddress::from_bytes(*start);
    const auto last_address = IPAddress::from_bytes(last);
    if (!first_address || !last_address) return false;
    unsigned length = 0;
    while (length < first_address->bits() &&
           first_address->bit(length) == last_address->bit(length))
      ++length;
    const Prefix net(*first_address, length);
    if (net.address() != *first_address || net.last() != *last_address) return false;
    nets.insert({.net = net});
    start = nullptr;
    return true;
  };
  for (const auto& boundary : boundaries) {
    if (boundary.key.size() != size) return std::nullopt;
    if (!boundary.is_end) {
      if (start) return std::nullopt;
      start = &boundary.key;
    } else if (start) {
      auto last = boundary.key;
      for (size_t i = last.size(); i-- > 0;)
        if (last[i]-- != 0) break;
      if (!close(last)) return std::nullopt;
    }
  }
  if (start && !close(std::vector<uint8_t>(size, 0xff))) return std::nullopt;
  return nets;
}

std::optional<SetMember> named_port_of(const std::vector<uint8_t>& key, IPFamily family) {
  const size_t size = address_size(family);
  if (key.size() < key_size(family, SetType::named_ports)) return std::nullopt;
  const auto address = IPAddress::from_bytes(Bytes(key).first(size));
  if (!address) return std::nullopt;
  return SetMember{
      Prefix(*address), key[size],
      static_cast<uint16_t>(key[size + k_register_size] << 8 | key[size + k_register_size + 1])};
}

Result<> for_each_element(net::NetlinkSocket& socket, IPFamily family, const std::string& set,
                          const std::function<void(Bytes)>& each) {
  auto elements = request(NFT_MSG_GETSETELEM, family);
  elements.put(NFTA_SET_ELEM_LIST_TABLE, k_table);
  elements.put(NFTA_SET_ELEM_LIST_SET, set);
  return socket.dump(elements, "read set " + set, [&](const nlmsghdr& message) {
    if (const auto list = attributes_of(message).bytes(NFTA_SET_ELEM_LIST_ELEMENTS))
      for_each(*list, [&](uint16_t, Bytes element) { each(element); });
  });
}

Result<SetElements::KernelSet> read_members(net::NetlinkSocket& socket, IPFamily family,
                                            const std::string& name, SetType type) {
  std::vector<Boundary> keys;
  MARGAY_CHECK(for_each_element(socket, family, name, [&](Bytes element) {
    const Bytes key = within(within(element, NFTA_SET_ELEM_KEY), NFTA_DATA_VALUE);
    uint32_t flags = 0;
    if (const Bytes bytes = within(element, NFTA_SET_ELEM_FLAGS); bytes.size() == sizeof flags)
      std::memcpy(&flags, bytes.data(), sizeof flags);
    keys.push_back({{key.begin(), key.end()}, (ntohl(flags) & NFT_SET_ELEM_INTERVAL_END) != 0});
  }));
  if (type == SetType::nets) {
    auto nets = nets_of(std::move(keys), address_size(family));
    if (!nets) return SetElements::KernelSet{};
    return SetElements::KernelSet{type, std::move(*nets)};
  }
  SetElements::KernelSet set{type, {}};
  for (const auto& key : keys) {
    const auto member = named_port_of(key.key, family);
    if (!member) return SetElements::KernelSet{};
    set.elements.insert(*member);
  }
  return set;
}

Result<KernelSets::Map> read_map(net::NetlinkSocket& socket, IPFamily family,
                                 const std::string& name) {
  KernelSets::Map map{.usable = true};
  MARGAY_CHECK(for_each_element(socket, family, name, [&](Bytes element) {
    const Bytes key = within(within(element, NFTA_SET_ELEM_KEY), NFTA_DATA_VALUE);
    const Bytes verdict = within(within(element, NFTA_SET_ELEM_DATA), NFTA_DATA_VERDICT);
    uint32_t code = 0;
    if (const Bytes bytes = within(verdict, NFTA_VERDICT_CODE); bytes.size() == sizeof code)
      std::memcpy(&code, bytes.data(), sizeof code);
    const bool goes = static_cast<int32_t>(ntohl(code)) == NFT_GOTO;
    map.chains[text_of(key)] = goes ? text_of(within(verdict, NFTA_VERDICT_CHAIN)) : "";
  }));
  return map;
}

}  // namespace

Hook hook_of(Layer layer, const std::string& name) {
  uint32_t hook = NF_INET_POST_ROUTING;
  if (name == "PREROUTING") hook = NF_INET_PRE_ROUTING;
  if (name == "INPUT") hook = NF_INET_LOCAL_IN;
  if (name == "FORWARD") hook = NF_INET_FORWARD;
  if (name == "OUTPUT") hook = NF_INET_LOCAL_OUT;
  // The kernel's own numbers of the layers (linux/netfilter_ipv4.h). Of the chains that translate,
  // ours come before others', as they stand first in iptables.
  switch (layer) {
    case Layer::raw:
      return {hook, -300, "filter"};
    case Layer::mangle:
      return {hook, -150, "filter"};
    case Layer::nat:
      return {hook, (hook == NF_INET_POST_ROUTING ? 100 : -100) - 1, "nat"};
    case Layer::filter:
      break;
  }
  return {hook, 0, "filter"};
}

Result<KernelRules> read_rules(net::NetlinkSocket& socket, IPFamily family) {
  KernelRules found;
  auto tables = request(NFT_MSG_GETTABLE, family);
  MARGAY_CHECK(socket.dump(tables, "read nf_tables' tables", [&](const nlmsghdr& message) {
    const auto table = attributes_of(message);
    if (table.text(NFTA_TABLE_NAME) == k_table)
      found.table = (number(table, NFTA_TABLE_FLAGS) & NFT_TABLE_F_DORMANT) == 0;
  }));
  auto chains = request(NFT_MSG_GETCHAIN, family);
  MARGAY_CHECK(socket.dump(chains, "read nf_tables' chains", [&](const nlmsghdr& message) {
    const auto chain = attributes_of(message);
    if (chain.text(NFTA_CHAIN_TABLE) != k_table) return;
    auto& known = found.chains[chain.text(NFTA_CHAIN_NAME)];
    if (!chain.has(NFTA_CHAIN_HOOK)) return;
    const auto hook = chain.nested(NFTA_CHAIN_HOOK);
    known.hook =
        Hook{number(hook, NFTA_HOOK_HOOKNUM),
             static_cast<int32_t>(number(hook, NFTA_HOOK_PRIORITY)), chain.text(NFTA_CHAIN_TYPE)};
    known.drops_by_policy = number(chain, NFTA_CHAIN_POLICY) != NF_ACCEPT;
  }));
  auto rules = request(NFT_MSG_GETRULE, family);
  rules.put(NFTA_RULE_TABLE, k_table);
  MARGAY_CHECK(
      none_if_missing(socket.dump(rules, "read nf_tables' rules", [&](const nlmsghdr& message) {
        const auto rule = attributes_of(message);
        if (rule.text(NFTA_RULE_TABLE) != k_table) return;
        found.chains[rule.text(NFTA_RULE_CHAIN)].hashes.push_back(
            hash_in(rule.bytes(NFTA_RULE_USERDATA).value_or(Bytes{})));
      })));
  return found;
}

Result<KernelSets> read_sets(net::NetlinkSocket& socket, IPFamily family) {
  struct Header {
    uint32_t flags = 0, key_type = 0, key_size = 0, data_type = 0;
  };
  std::map<std::string, Header> headers;
  auto sets = request(NFT_MSG_GETSET, family);
  sets.put(NFTA_SET_TABLE, k_table);
  MARGAY_CHECK(
      none_if_missing(socket.dump(sets, "read nf_tables' sets", [&](const nlmsghdr& message) {
        const auto set = attributes_of(message);
        if (set.text(NFTA_SET_TABLE) != k_table) return;
        const uint32_t flags = number(set, NFTA_SET_FLAGS);
        if (flags & NFT_SET_ANONYMOUS) return;  // goes with the rule of others that has it
        headers[set.text(NFTA_SET_NAME)] = {flags, number(set, NFTA_SET_KEY_TYPE),
                                            number(set, NFTA_SET_KEY_LEN),
                                            number(set, NFTA_SET_DATA_TYPE)};
      })));
  KernelSets found;
  for (const auto& [name, header] : headers) {
    if (name == k_from_workload_map || name == k_to_workload_map) {
      const bool usable = header.flags == NFT_SET_MAP && header.key_size == k_interface_name_size &&
                          header.data_type == k_verdict_data;
      if (usable) {
        MARGAY_TRY(found.maps[name], read_map(socket, family, name));
      } else {
        found.maps[name] = {};
      }
      continue;
    }
    auto& set = found.sets[name];
    for (const auto type : {SetType::nets, SetType::named_ports})
      if (header.flags == set_flags(type) && header.key_type == key_type(family, type) &&
          header.key_size == key_size(family, type)) {
        MARGAY_TRY(set, read_members(socket, family, name, type));
        break;
      }
  }
  return found;
}

// ---- messages -----------------------------------------------------------------------------------

void add_table(Batch& batch, IPFamily family) {
  batch.add(family, NFT_MSG_NEWTABLE, NLM_F_CREATE, [](AttributeWriter& out) {
    out.put_text(NFTA_TABLE_NAME, k_table);
    out.put_u32(NFTA_TABLE_FLAGS, 0);
  });
}

void remove_table(Batch& batch, IPFamily family) {
  batch.add(family, NFT_MSG_DELTABLE, 0,
            [](AttributeWriter& out) { out.put_text(NFTA_TABLE_NAME, k_table); });
}

void add_chain(Batch& batch, IPFamily family, const std::string& name,
               const std::optional<Hook>& hook) {
  batch.add(family, NFT_MSG_NEWCHAIN, NLM_F_CREATE, [&](AttributeWriter& out) {
    out.put_text(NFTA_CHAIN_TABLE, k_table);
    out.put_text(NFTA_CHAIN_NAME, name);
    if (!hook) return;
    out.nest(NFTA_CHAIN_HOOK, [&] {
      out.put_u32(NFTA_HOOK_HOOKNUM, hook->number);
      out.put_u32(NFTA_HOOK_PRIORITY, static_cast<uint32_t>(hook->priority));
    });
    out.put_text(NFTA_CHAIN_TYPE, hook->type);
    out.put_u32(NFTA_CHAIN_POLICY, NF_ACCEPT);
  });
}

void remove_chain(Batch& batch, IPFamily family, const std::string& name) {
  batch.add(family, NFT_MSG_DELCHAIN, 0, [&](AttributeWriter& out) {
    out.put_text(NFTA_CHAIN_TABLE, k_table);
    out.put_text(NFTA_CHAIN_NAME, name);
  });
}

void flush_chain(Batch& batch, IPFamily family, const std::string& name) {
  batch.add(family, NFT_MSG_DELRULE, 0, [&](AttributeWriter& out) {
    out.put_text(NFTA_RULE_TABLE, k_table);
    out.put_text(NFTA_RULE_CHAIN, name);
  });
}

void add_rule(Batch& batch, IPFamily family, const std::string& chain,
              const Expressions& expressions, const std::string& comment) {
  batch.add(family, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND, [&](AttributeWriter& out) {
    out.put_text(NFTA_RULE_TABLE, k_table);
    out.put_text(NFTA_RULE_CHAIN, chain);
    out.nest(NFTA_RULE_EXPRESSIONS, [&] { out.append(expressions); });
    const std::string text = comment.substr(0, k_comment_length);
    std::vector<uint8_t> user_data{k_comment_type, static_cast<uint8_t>(text.size() + 1)};
    user_data.insert(user_data.end(), text.begin(), text.end());
    user_data.push_back(0);
    out.put(NFTA_RULE_USERDATA, user_data);
  });
}

void add_set(Batch& batch, IPFamily family, const std::string& name, SetType type) {
  batch.add(family, NFT_MSG_NEWSET, NLM_F_CREATE, [&](AttributeWriter& out) {
    out.put_text(NFTA_SET_TABLE, k_table);
    out.put_text(NFTA_SET_NAME, name);
    out.put_u32(NFTA_SET_FLAGS, set_flags(type));
    out.put_u32(NFTA_SET_KEY_TYPE, key_type(family, type));
    out.put_u32(NFTA_SET_KEY_LEN, key_size(family, type));
    out.put_u32(NFTA_SET_ID, static_cast<uint32_t>(batch.size()));
  });
}

void add_map(Batch& batch, IPFamily family, const std::string& name) {
  batch.add(family, NFT_MSG_NEWSET, NLM_F_CREATE, [&](AttributeWriter& out) {
    out.put_text(NFTA_SET_TABLE, k_table);
    out.put_text(NFTA_SET_NAME, name);
    out.put_u32(NFTA_SET_FLAGS, NFT_SET_MAP);
    out.put_u32(NFTA_SET_KEY_TYPE, k_type_interface);
    out.put_u32(NFTA_SET_KEY_LEN, k_interface_name_size);
    out.put_u32(NFTA_SET_DATA_TYPE, k_verdict_data);
    out.put(NFTA_SET_USERDATA, k_text_keys);
    out.put_u32(NFTA_SET_ID, static_cast<uint32_t>(batch.size()));
  });
}

void remove_set(Batch& batch, IPFamily family, const std::string& name) {
  batch.add(family, NFT_MSG_DELSET, 0, [&](AttributeWriter& out) {
    out.put_text(NFTA_SET_TABLE, k_table);
    out.put_text(NFTA_SET_NAME, name);
  });
}

namespace {

void put_key(AttributeWriter& out, std::span<const uint8_t> key, bool is_end = false) {
  out.nest(NFTA_LIST_ELEM, [&] {
    out.nest(NFTA_SET_ELEM_KEY, [&] { out.put(NFTA_DATA_VALUE, key); });
    if (is_end) out.put_u32(NFTA_SET_ELEM_FLAGS, NFT_SET_ELEM_INTERVAL_END);
  });
}

// An interval goes from its first address up to the one behind its last; the family's last address
// has none behind it.
void put_member(AttributeWriter& out, SetType type, const SetMember& member) {
  if (type == SetType::nets) {
    put_key(out, member.net.address().bytes());
    const IPAddress behind = member.net.last().plus(1);
    if (member.net.last() < behind) put_key(out, behind.bytes(), true);
    return;
  }
  const auto address = member.net.address().bytes();
  std::vector<uint8_t> key(address.begin(), address.end());
  key.resize(key.size() + 2 * k_register_size);
  key[address.size()] = member.protocol;
  key[address.size() + k_register_size] = static_cast<uint8_t>(member.port >> 8);
  key[address.size() + k_register_size + 1] = static_cast<uint8_t>(member.port);
  put_key(out, key);
}

void add_elements(Batch& batch, IPFamily family, const std::string& set, bool add,
                  const std::function<void(AttributeWriter&)>& fill) {
  batch.add(family, add ? NFT_MSG_NEWSETELEM : NFT_MSG_DELSETELEM,
            add ? uint16_t{NLM_F_CREATE} : uint16_t{0}, [&](AttributeWriter& out) {
              out.put_text(NFTA_SET_ELEM_LIST_TABLE, k_table);
              out.put_text(NFTA_SET_ELEM_LIST_SET, set);
              out.nest(NFTA_SET_ELEM_LIST_ELEMENTS, [&] { fill(out); });
            });
}

}  // namespace

void change_elements(Batch& batch, IPFamily family, const std::string& set, SetType type,
                     std::span<const SetMember> members, bool add) {
  while (!members.empty()) {
    const auto now = members.first(std::min(members.size(), k_elements_per_message));
    members = members.subspan(now.size());
    add_elements(batch, family, set, add, [&](AttributeWriter& out) {
      for (const auto& member : now) put_member(out, type, member);
    });
  }
}

void change_map(Batch& batch, IPFamily family, const std::string& map,
                const std::map<std::string, std::string>& chains, bool add) {
  for (auto next = chains.begin(); next != chains.end();)
    add_elements(batch, family, map, add, [&](AttributeWriter& out) {
      for (size_t i = 0; i < k_elements_per_message && next != chains.end(); ++i, ++next)
        out.nest(NFTA_LIST_ELEM, [&] {
          std::vector<uint8_t> name(next->first.begin(), next->first.end());
          name.resize(k_interface_name_size);
          out.nest(NFTA_SET_ELEM_KEY, [&] { out.put(NFTA_DATA_VALUE, name); });
          if (!add) return;
          out.nest(NFTA_SET_ELEM_DATA, [&] {
            out.nest(NFTA_DATA_VERDICT, [&] {
              out.put_u32(NFTA_VERDICT_CODE, static_cast<uint32_t>(NFT_GOTO));
              out.put_text(NFTA_VERDICT_CHAIN, next->second);
            });
          });
        });
    });
}

}  // namespace margay::dataplane::nftables
