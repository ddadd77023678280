// Every seed, and what the fuzzer once found, without the fuzzer. What does not hold ends the
// process.

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include "graph_steps.h"
#include "targets.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size);  // packets.cpp

namespace margay::fuzz {
namespace {

using Input = std::vector<uint8_t>;

size_t run_all(const char* target, const std::function<void(const Input&)>& run) {
  size_t inputs = 0;
  for (const auto& entry :
       std::filesystem::directory_iterator(std::filesystem::path(CORPUS) / target)) {
    std::ifstream file(entry.path(), std::ios::binary);
    run(Input{std::istreambuf_iterator<char>(file), {}});
    ++inputs;
  }
  return inputs;
}

TEST(Corpus, EverythingHoldsInTheGraph) {
  EXPECT_GT(run_all("graph", [](const Input& input) { run_graph(input); }), 50U);
}

TEST(Corpus, EverythingHoldsOfSinglePackets) {
  const auto run = [](const Input& input) { LLVMFuzzerTestOneInput(input.data(), input.size()); };
  EXPECT_GT(run_all("packets", run), 40U);
}

struct InputTarget {
  const char* name;
  void (*run)(std::string_view bytes);
};

void PrintTo(const InputTarget& target, std::ostream* out) { *out << target.name; }

class Inputs : public testing::TestWithParam<InputTarget> {};

TEST_P(Inputs, EverythingHolds) {
  const auto& [name, target] = GetParam();
  const auto run = [&](const Input& input) {
    target({reinterpret_cast<const char*>(input.data()), input.size()});
  };
  EXPECT_GT(run_all(name, run), 10U);
}

INSTANTIATE_TEST_SUITE_P(Corpus, Inputs,
                         testing::Values(InputTarget{"json", json}, InputTarget{"yaml", yaml},
                                         InputTarget{"selector", selector}, InputTarget{"cni", cni},
                                         InputTarget{"protobuf", protobuf},
                                         InputTarget{"http", http}),
                         [](const auto& of) { return std::string(of.param.name); });

}  // namespace
}  // namespace margay::fuzz
