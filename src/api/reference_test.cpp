// docs/reference is what the descriptions say. To write it anew:
//   MARGAY_WRITE_REFERENCE=1 margay_api_test --gtest_filter='Reference.*'

#include "api/reference.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace margay::api {
namespace {

namespace fs = std::filesystem;

const fs::path k_folder = MARGAY_REFERENCE_FOLDER;

std::string read(const fs::path& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

TEST(Reference, IsUpToDate) {
  const bool write = std::getenv("MARGAY_WRITE_REFERENCE") != nullptr;
  for (const auto& [name, text] : reference_pages()) {
    if (write) {
      fs::create_directories(k_folder);
      std::ofstream(k_folder / name) << text;
    }
    EXPECT_TRUE(read(k_folder / name) == text)
        << name << " is stale: run this test with MARGAY_WRITE_REFERENCE=1";
  }
}

}  // namespace
}  // namespace margay::api
