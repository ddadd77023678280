#include <array>
#include <string>

#include "cni/arguments.h"
#include "cni/config.h"
#include "targets.h"

namespace margay::fuzz {
namespace {

// The values of the runtime's variables, one a line, before an empty line; the configuration behind
// it.
constexpr std::array k_variables{"CNI_COMMAND", "CNI_CONTAINERID", "CNI_NETNS",
                                 "CNI_IFNAME",  "CNI_ARGS",        "CNI_PATH"};

}  // namespace

void cni(std::string_view bytes) {
  std::array<std::string, k_variables.size()> values;
  for (auto& value : values) {
    const auto end = bytes.find('\n');
    value = bytes.substr(0, end);
    bytes = end == bytes.npos ? std::string_view() : bytes.substr(end + 1);
  }
  const auto lookup = [&](std::string_view name) -> const char* {
    for (size_t i = 0; i < k_variables.size(); ++i)
      if (k_variables[i] == name && !values[i].empty()) return values[i].c_str();
    return nullptr;
  };
  if (const auto arguments = cni::parse_arguments(lookup)) {
    // DEL of a container without a known id is nothing that could be done.
    const bool is_about_a_container = arguments->operation != cni::Operation::version;
    require(!is_about_a_container || !arguments->container_id.empty(), "there is a container id");
  }
  static_cast<void>(cni::version_of(bytes));
  if (const auto config = cni::parse_config(bytes)) {
    require(cni::is_supported(config->version), "only versions that are supported go on");
    require(!config->name.empty(), "a network has a name");
  }
}

}  // namespace margay::fuzz
