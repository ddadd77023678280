#include "ipam/names.h"

#include <algorithm>

namespace margay::ipam {

std::string block_name(const base::Prefix& block) {
  std::string name = block.to_string();
  std::ranges::replace_if(name, [](char c) { return c == '.' || c == ':' || c == '/'; }, '-');
  return name;
}

std::string affinity_name(std::string_view host, const base::Prefix& block) {
  return std::string(host) + "-" + block_name(block);
}

std::string handle_name(std::string_view handle_id) {
  std::string name(handle_id);
  for (char& c : name) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return name;
}

}  // namespace margay::ipam
