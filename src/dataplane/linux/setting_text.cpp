#include "dataplane/linux/setting_text.h"

#include <algorithm>

#include "base/interface_name.h"

namespace margay::dataplane::linux_host {
namespace {

using base::Result;

constexpr size_t k_log_prefix_length = 27;  // the kernel keeps 29, and ": " is added

Result<> invalid(const char* rule) { return base::fail(base::ErrorCode::invalid, rule); }

}  // namespace

Result<> check_log_prefix(std::string_view text) {
  if (text.size() > k_log_prefix_length ||
      !std::ranges::all_of(text, [](char c) { return c >= ' ' && c <= '~'; }))
    return invalid("must have at most 27 characters, all of them printable ASCII");
  return {};
}

Result<> check_interface_prefix(std::string_view text) {
  // A name has one character more at least.
  if (!base::is_interface_name(text) || text.size() >= base::k_longest_interface_name)
    return invalid("must be 1 to 14 letters, digits, '_', '.' or '-', not beginning with '-'");
  return {};
}

Result<> check_interface_filter(std::string_view text) {
  if (text.size() > 1 && text.ends_with('+')) text.remove_suffix(1);
  if (!base::is_interface_name(text))
    return invalid("must be an interface name, or the beginning of some and '+'");
  return {};
}

}  // namespace margay::dataplane::linux_host
