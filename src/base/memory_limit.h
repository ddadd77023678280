#pragma once

// How much memory this process may use: what the machine has, or less where a control group says so
// (https://docs.kernel.org/admin-guide/cgroup-v2.html, memory.max; version 1:
// memory.limit_in_bytes). What is allowed to a group is allowed to no group below it either.

#include <cstddef>
#include <filesystem>
#include <string_view>

namespace margay::base {

// Bytes.
size_t memory_limit();

// The least that the control groups allow; SIZE_MAX where none sets a limit. `groups` is the text
// of /proc/self/cgroup, `mounted` is /sys/fs/cgroup.
size_t memory_limit_of_groups(std::string_view groups, const std::filesystem::path& mounted);

}  // namespace margay::base
