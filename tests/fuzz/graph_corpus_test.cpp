// Every seed, and what the fuzzer once found, through the graph.

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

#include "graph_steps.h"

namespace margay::fuzz {
namespace {

TEST(GraphCorpus, EverythingHolds) {
  size_t inputs = 0;
  for (const auto& entry : std::filesystem::directory_iterator(CORPUS)) {
    SCOPED_TRACE(entry.path().filename().string());
    std::ifstream file(entry.path(), std::ios::binary);
    const std::vector<uint8_t> input{std::istreambuf_iterator<char>(file), {}};
    run_graph(input);  // ends the process when something does not hold
    ++inputs;
  }
  EXPECT_GT(inputs, 50U);
}

}  // namespace
}  // namespace margay::fuzz
