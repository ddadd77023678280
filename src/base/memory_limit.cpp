#include "base/memory_limit.h"

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdint>

#include "base/file.h"
#include "base/text.h"

namespace margay::base {
namespace {

namespace fs = std::filesystem;

// "max", or no such file: no limit.
size_t read_limit(const fs::path& file) {
  const auto text = read_file(file);
  size_t limit = SIZE_MAX;
  if (text) std::from_chars(text->data(), text->data() + text->size(), limit);
  return limit;
}

// Of a group and all those it is in. A group of another namespace (".." in its path) cannot be
// seen: then the root's is.
size_t least_above(const fs::path& root, std::string_view group, std::string_view file) {
  size_t least = read_limit(root / file);
  fs::path at = root;
  for (const auto part : split_trimmed(group, '/')) {
    if (part.empty()) continue;
    if (part == "..") break;
    at /= part;
    least = std::min(least, read_limit(at / file));
  }
  return least;
}

}  // namespace

size_t memory_limit_of_groups(std::string_view groups, const fs::path& mounted) {
  size_t least = SIZE_MAX;
  // "hierarchy:controllers:path"; version 2 names no controllers.
  for (const auto line : split_trimmed(groups, '\n')) {
    const auto first = line.find(':');
    const auto second = line.find(':', first + 1);
    if (first == std::string_view::npos || second == std::string_view::npos) continue;
    const auto controllers = line.substr(first + 1, second - first - 1);
    const auto path = line.substr(second + 1);
    if (controllers.empty()) {
      least = std::min(least, least_above(mounted, path, "memory.max"));
      continue;
    }
    const auto names = split_trimmed(controllers, ',');
    if (std::ranges::find(names, "memory") != names.end())
      least = std::min(least, least_above(mounted / "memory", path, "memory.limit_in_bytes"));
  }
  return least;
}

size_t memory_limit() {
  const auto machine =
      static_cast<size_t>(::sysconf(_SC_PHYS_PAGES)) * static_cast<size_t>(::sysconf(_SC_PAGESIZE));
  const auto groups = read_file("/proc/self/cgroup");
  if (!groups) return machine;
  return std::min(machine, memory_limit_of_groups(*groups, "/sys/fs/cgroup"));
}

}  // namespace margay::base
