#pragma once

// What calicoctl calls each kind of projectcalico.org/v3, and which columns it shows of an object:
// Calico v3.19's names and columns, and for kinds that are later than that, those of the
// description (api/kind.h).

#include <boost/json/object.hpp>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "api/kind.h"

namespace margay::ctl {

namespace json = boost::json;

// What a cell may need beside its object.
struct TableFacts {
  // The AS number of nodes that have none of their own; asked only where such a node is shown.
  std::function<std::string()> default_as_number;
};

struct TableColumn {
  using Cell = std::function<std::string(const json::object& object, const TableFacts& facts)>;
  std::string heading;
  Cell cell;
};

struct ResourceType {
  const api::Kind* kind = nullptr;
  std::vector<std::string> names;  // in lower case: singular, plural, short ones
  std::vector<std::string> headings;
  std::vector<std::string> wide_headings;
  std::vector<TableColumn> columns;  // every one that can be asked for

  const TableColumn* find_column(std::string_view heading) const;  // null when there is none
};

// In the order of help texts. Immutable; safe from any thread.
std::span<const ResourceType> resource_types();
// By what a user calls it, in any case; null when nothing is called so.
const ResourceType* find_resource_type(std::string_view name);
// By what a manifest says; null when there is no such kind.
const ResourceType* find_resource_type(std::string_view api_version, std::string_view kind);

// "NetworkPolicy(shop/web)", "IPPool(a)": how messages name an object.
std::string identifier(const ResourceType& type, std::string_view ns, std::string_view name);

}  // namespace margay::ctl
