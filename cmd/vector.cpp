#include "vector.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace margay {
namespace {

using base::ErrorCode;
using base::fail;
using base::Result;

struct Level {
  std::string_view name;
  const char* program;
  bool is_supported;
};

// The best first.
std::vector<Level> levels() {
#if defined(__x86_64__)
  return {{"v4", "margay-vector-v4", __builtin_cpu_supports("x86-64-v4") != 0},
          {"v3", "margay-vector-v3", __builtin_cpu_supports("x86-64-v3") != 0},
          {"v2", "margay-vector", __builtin_cpu_supports("x86-64-v2") != 0}};
#else
  return {{"v2", "margay-vector", true}};
#endif
}

Result<std::filesystem::path> program() {
  std::error_code error;
  const auto own = std::filesystem::read_symlink("/proc/self/exe", error);
  if (error) return base::fail_errno("/proc/self/exe", error.value());
  const char* wanted = std::getenv("MARGAY_VECTOR_ISA");
  bool is_known = false, is_built = false;
  for (const auto& level : levels()) {
    if (wanted && level.name != wanted) continue;
    is_known = true;
    auto path = own.parent_path() / level.program;
    const bool exists = std::filesystem::exists(path, error);
    if (level.is_supported && exists) return path;
    is_built |= exists;
  }
  if (wanted && !is_known)
    return fail(
        ErrorCode::invalid,
        fmt::format("MARGAY_VECTOR_ISA: Invalid value: \"{}\": must be v2, v3 or v4", wanted));
  if (wanted)
    return fail(ErrorCode::unsupported,
                fmt::format("MARGAY_VECTOR_ISA={}: not for this CPU, or the program is not in {}",
                            wanted, own.parent_path().string()));
  if (!is_built)
    return fail(ErrorCode::not_found,
                fmt::format("no margay-vector in {} beside margay (`make build` builds it)",
                            own.parent_path().string()));
  return fail(ErrorCode::unsupported,
              fmt::format("no margay-vector in {} that this CPU can run (it needs x86-64-v2)",
                          own.parent_path().string()));
}

Result<> run(std::vector<std::string> arguments) {
  MARGAY_TRY(const auto path, program());
  arguments.insert(arguments.begin(), "margay vector");
  std::vector<char*> argv;
  argv.reserve(arguments.size() + 1);
  for (auto& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  execv(path.c_str(), argv.data());
  return base::fail_errno(path.string(), errno);
}

}  // namespace

void add_vector_command(CLI::App& app, int& status) {
  auto* vector = app.add_subcommand("vector", "The vector engine: run, look into, measure");
  vector->set_help_flag();
  vector->prefix_command();
  vector->callback([vector, &status] {
    // It only returns when it fails.
    fmt::print(stderr, "margay vector: {}\n", run(vector->remaining()).error().message);
    status = 1;
  });
}

}  // namespace margay
