#include "vector/service/source_ranges.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>

namespace margay::vector {
namespace {

RC_GTEST_PROP(SourceRanges, ContainWhatOneOfTheirPrefixesContains, ()) {
  // Few bits, so that prefixes contain each other and touch.
  const auto address = [](bool is_v6, uint8_t byte) {
    if (is_v6) return base::IPAddress::v6({byte, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, byte});
    return base::IPAddress::v4(uint32_t{byte} << 24 | byte);
  };
  std::vector<base::Prefix> prefixes;
  for (int left = *rc::gen::inRange(0, 12); left != 0; --left)
    prefixes.emplace_back(address(*rc::gen::arbitrary<bool>(), *rc::gen::arbitrary<uint8_t>()),
                          *rc::gen::inRange(0U, 33U));
  const SourceRanges ranges(prefixes);
  for (unsigned byte = 0; byte < 256; ++byte)
    for (const bool is_v6 : {false, true}) {
      const auto each = address(is_v6, static_cast<uint8_t>(byte));
      const bool expected =
          std::ranges::any_of(prefixes, [&](const auto& prefix) { return prefix.contains(each); });
      RC_ASSERT(ranges.contains(address_bytes(each), is_v6 ? 6 : 4) == expected);
    }
}

}  // namespace
}  // namespace margay::vector
