#include "node/process_metrics.h"

#include <sys/resource.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <sstream>
#include <string>

namespace margay::node {
namespace {

using prometheus::MetricFamily;
using prometheus::MetricType;

void add(std::vector<MetricFamily>& families, const char* name, const char* help, MetricType type,
         double value) {
  prometheus::ClientMetric metric;
  (type == MetricType::Counter ? metric.counter.value : metric.gauge.value) = value;
  families.push_back({name, help, type, {std::move(metric)}});
}

// Fields of /proc/self/stat, from the third on: the second may have blanks in it.
std::vector<double> stat_fields() {
  std::ifstream file("/proc/self/stat");
  const std::string text(std::istreambuf_iterator<char>(file), {});
  std::istringstream rest(text.substr(std::min(text.rfind(')') + 1, text.size())));
  std::string state;
  rest >> state;
  return {std::istream_iterator<double>(rest), {}};
}

// In seconds since the epoch.
std::optional<double> boot_time() {
  std::ifstream file("/proc/stat");
  for (std::string line; std::getline(file, line);)
    if (line.starts_with("btime ")) return std::stod(line.substr(6));
  return std::nullopt;
}

}  // namespace

std::vector<MetricFamily> process_metrics() {
  // Places in stat_fields() of the fields 14, 15, 22, 23 and 24 of proc(5).
  constexpr size_t k_user = 10, k_system = 11, k_start = 18, k_virtual = 19, k_resident = 20;
  std::vector<MetricFamily> families;
  const auto fields = stat_fields();
  const auto ticks = static_cast<double>(sysconf(_SC_CLK_TCK));
  if (fields.size() > k_resident) {
    add(families, "process_cpu_seconds_total", "Total user and system CPU time spent in seconds.",
        MetricType::Counter, (fields[k_user] + fields[k_system]) / ticks);
    add(families, "process_virtual_memory_bytes", "Virtual memory size in bytes.",
        MetricType::Gauge, fields[k_virtual]);
    add(families, "process_resident_memory_bytes", "Resident memory size in bytes.",
        MetricType::Gauge, fields[k_resident] * static_cast<double>(sysconf(_SC_PAGESIZE)));
    if (const auto boot = boot_time())
      add(families, "process_start_time_seconds",
          "Start time of the process since unix epoch in seconds.", MetricType::Gauge,
          *boot + fields[k_start] / ticks);
  }
  std::error_code error;
  const std::filesystem::directory_iterator descriptors("/proc/self/fd", error);
  if (!error)
    add(families, "process_open_fds", "Number of open file descriptors.", MetricType::Gauge,
        static_cast<double>(std::distance(begin(descriptors), end(descriptors))));
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
    add(families, "process_max_fds", "Maximum number of open file descriptors.", MetricType::Gauge,
        static_cast<double>(limit.rlim_cur));
  return families;
}

}  // namespace margay::node
