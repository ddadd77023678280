#include "base/log.h"

#include <gtest/gtest.h>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>

#include <sstream>

#include "base/printable.h"

namespace margay::base {
namespace {

TEST(Printable, MakesControlCharactersVisibleAndLeavesTheRest) {
  struct Case {
    const char* name;
    std::string_view text, expected;
  };
  using namespace std::string_view_literals;
  for (const auto& c : {
           Case{"nothing", "", ""},
           Case{"plain", "policy shop/web: \"x\" \\ %s", "policy shop/web: \"x\" \\ %s"},
           Case{"letters of others", "größe \u202f→ ñ", "größe \u202f→ ñ"},
           Case{"lines", "a\nb\r\n", "a\\nb\\x0d\\n"},
           Case{"commands of a terminal", "\x1b[2J\a\x7f", "\\x1b[2J\\x07\\x7f"},
           Case{"the same in one character", "\u009b2J\u0085", "\\u009b2J\\u0085"},
           Case{"zero", "a\0b"sv, "a\\x00b"},
           Case{"UTF-8 that is cut off", "a\xc2", "a\xc2"},
       })
    EXPECT_EQ(printable(c.text), c.expected) << c.name;
}

TEST(Log, AMessageIsOneLineWhateverItQuotes) {
  std::ostringstream out;
  auto sink = std::make_shared<spdlog::sinks::ostream_sink_mt>(out);
  sink->set_formatter(line_formatter("%l %v"));
  spdlog::logger logger("test", sink);
  logger.warn("pools \"{}\"", "\x1b[2J\n2026-01-01 info all is well");
  logger.warn("again");
  EXPECT_EQ(out.str(), "warning pools \"\\x1b[2J\\n2026-01-01 info all is well\"\nwarning again\n");
}

}  // namespace
}  // namespace margay::base
