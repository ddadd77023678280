#include "lab/matrix.h"

#include <gtest/gtest.h>

#include <boost/json/parse.hpp>

namespace margay::lab {
namespace {

using Result = Outcome::Result;

Outcome outcome(std::string from, std::string to, const std::string& port,
                const std::string& address, Result result, std::string detail = {}) {
  return {{std::move(from), std::move(to), ServedPort::parse(port).value(),
           base::IPAddress::parse(address).value()},
          result,
          std::move(detail)};
}

TEST(Matrix, RowsConnectToColumns) {
  const std::vector outcomes{
      outcome("x/a", "x/b", "tcp:80", "10.0.0.2", Result::allow),
      outcome("x/b", "x/a", "tcp:80", "10.0.0.1", Result::deny),
  };
  EXPECT_EQ(matrix_text(outcomes),
            "from \\ to  x/a  x/b\n"
            "x/a         ·    ✓\n"
            "x/b         ✗    ·\n");
}

TEST(Matrix, ACellSaysWhereItsAttemptsDiffer) {
  struct Case {
    const char* name;
    std::vector<Outcome> outcomes;
    const char* symbol;
  };
  const auto one = [](const char* port, const char* address, Result result) {
    return outcome("x/b", "x/a", port, address, result);
  };
  const std::vector<Case> cases{
      {"both families pass",
       {one("tcp:80", "10.0.0.2", Result::allow), one("tcp:80", "fd00::2", Result::allow)},
       "✓"},
      {"IPv4 alone",
       {one("tcp:80", "10.0.0.2", Result::allow), one("tcp:80", "fd00::2", Result::deny)},
       "4"},
      {"IPv6 alone",
       {one("tcp:80", "10.0.0.2", Result::deny), one("tcp:80", "fd00::2", Result::allow)},
       "6"},
      {"one port of two",
       {one("tcp:80", "10.0.0.2", Result::allow), one("tcp:81", "10.0.0.2", Result::deny)},
       "~"},
      {"an error outweighs all",
       {one("tcp:80", "10.0.0.2", Result::allow), one("tcp:81", "10.0.0.2", Result::error)},
       "!"},
  };
  for (const auto& one_case : cases) {
    const auto text = matrix_text(one_case.outcomes);
    EXPECT_NE(text.find(std::string("x/b         ") + one_case.symbol), std::string::npos)
        << one_case.name << ":\n"
        << text;
  }
}

TEST(Matrix, TellsErrorsBelow) {
  const std::vector outcomes{
      outcome("x/a", "x/b", "udp:53", "10.0.0.2", Result::error, "Connection refused")};
  EXPECT_NE(matrix_text(outcomes).find("! x/a -> x/b udp:53 (10.0.0.2): Connection refused\n"),
            std::string::npos);
}

TEST(Matrix, OfNothingSaysSo) { EXPECT_EQ(matrix_text({}), "no pods to probe\n"); }

TEST(MatrixJson, HasOneObjectAnAttempt) {
  const std::vector outcomes{outcome("x/a", "x/b", "udp:53", "fd00::2", Result::deny)};
  EXPECT_EQ(boost::json::parse(matrix_json(outcomes)),
            boost::json::parse(R"([{"from":"x/a","to":"x/b","protocol":"udp","port":53,
                                    "ip":"fd00::2","family":6,"result":"deny"}])"));
  EXPECT_EQ(boost::json::parse(matrix_json({})), boost::json::parse("[]"));
}

}  // namespace
}  // namespace margay::lab
