#include "base/node_state.h"

#include <charconv>
#include <string_view>

#include "base/file.h"

namespace margay::base {
namespace {

Result<std::string> boot_id() { return read_file("/proc/sys/kernel/random/boot_id"); }

}  // namespace

NodeState NodeState::from_environment(const char* const* environment) {
  NodeState state;
  for (; *environment != nullptr; ++environment) {
    const std::string_view line = *environment;
    const auto value_of = [&](std::string_view name) {
      return line.starts_with(name) ? line.substr(name.size()) : std::string_view{};
    };
    if (const auto lib = value_of("MARGAY_STATE_DIR="); !lib.empty()) state.lib = lib;
    if (const auto run = value_of("MARGAY_RUN_DIR="); !run.empty()) state.run = run;
  }
  return state;
}

bool has_closed_start(const NodeState& state) {
  const auto boot = boot_id();
  const auto mark = read_file(state.closed_start_file());
  return boot && mark && *boot == *mark;
}

Result<> mark_closed_start(const NodeState& state) {
  MARGAY_TRY(const std::string boot, boot_id());
  return write_file(state.closed_start_file(), boot, 0644);
}

Result<uint32_t> read_workload_mtu(const NodeState& state) {
  MARGAY_TRY(const std::string text, read_file(state.mtu_file()));
  uint32_t mtu = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, mtu);
  const bool only_space =
      std::string_view(rest, end).find_first_not_of(" \t\r\n") == std::string_view::npos;
  if (error != std::errc{} || !only_space || mtu == 0)
    return fail(ErrorCode::invalid, state.mtu_file().string() + ": must be a number");
  return mtu;
}

Result<> write_workload_mtu(const NodeState& state, uint32_t mtu) {
  return write_file(state.mtu_file(), std::to_string(mtu), 0644);
}

}  // namespace margay::base
