#include "vector/eal.h"

#include <fmt/format.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_memory.h>
#include <sys/mman.h>

#include <fstream>

namespace margay::vector {
namespace {

using base::ErrorCode;
using base::fail;
using base::Result;

// How much memory free hugepages hold.
size_t free_hugepage_mib() {
  std::ifstream meminfo("/proc/meminfo");
  std::string name;
  size_t value = 0, pages = 0, page_kib = 0;
  for (std::string unit; meminfo >> name >> value; std::getline(meminfo, unit)) {
    if (name == "HugePages_Free:") pages = value;
    if (name == "Hugepagesize:") page_kib = value;
  }
  return pages * page_kib / 1024;
}

int advise_huge(const rte_memseg_list* list, void* /*nothing*/) {
  madvise(list->base_va, list->len, MADV_HUGEPAGE);  // refused where the kernel has none
  return 0;
}

bool started = false;  // the EAL is the process's

}  // namespace

bool eal_is_started() { return started; }

Result<> start_eal(const EalOptions& options) {
  if (started) return fail(ErrorCode::already_exists, "the EAL runs already");
  std::vector<std::string> words = {"margay",
                                    "-m",
                                    std::to_string(options.memory_mib),
                                    "--no-telemetry",
                                    "--no-pci",
                                    "--no-shconf",
                                    "--log-level=lib.*:4",
                                    "-l",
                                    std::to_string(options.main_core)};
  const bool huge = free_hugepage_mib() >= options.memory_mib;
  words.emplace_back(huge ? "--in-memory" : "--no-huge");
  for (const auto& device : options.devices) words.push_back("--vdev=" + device);
  std::vector<char*> argv;
  argv.reserve(words.size());
  for (auto& word : words) argv.push_back(word.data());
  if (rte_eal_init(static_cast<int>(argv.size()), argv.data()) < 0)
    return fail(ErrorCode::unavailable,
                fmt::format("DPDK's environment does not start: {}", rte_strerror(rte_errno)));
  if (!huge) rte_memseg_list_walk(advise_huge, nullptr);
  started = true;
  return {};
}

}  // namespace margay::vector
