#include "base/log.h"

#include <gtest/gtest.h>
#include <sched.h>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <iterator>
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

std::string contents(const std::filesystem::path& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

// Sets the process's log up, and back.
class LogOutputsTest : public testing::Test {
 protected:
  ~LogOutputsTest() override {
    spdlog::set_default_logger(before_);
    std::filesystem::remove_all(folder_);
  }
  const std::shared_ptr<spdlog::logger> before_ = spdlog::default_logger();
  const std::filesystem::path folder_ =
      std::filesystem::temp_directory_path() / ("margay-log-" + std::to_string(getpid()));
  const std::filesystem::path file_ = folder_ / "calico" / "felix.log";
};

TEST_F(LogOutputsTest, AFileHasALevelOfItsOwn) {
  ASSERT_TRUE(set_up_log("node", {.screen = "none", .file = file_, .file_level = "WARNING"}));
  spdlog::info("nothing to see");
  spdlog::warn("look here");
  EXPECT_TRUE(contents(file_).ends_with("Z warning node  look here\n")) << contents(file_);
  EXPECT_EQ(contents(file_).find("nothing"), std::string::npos);
  ASSERT_TRUE(set_up_log("node", {.screen = "none", .file = file_, .file_level = "debug"}));
  spdlog::debug("and there");
  EXPECT_NE(contents(file_).find("look here"), std::string::npos) << "what was there stays";
  EXPECT_TRUE(contents(file_).ends_with("and there\n"));
}

TEST_F(LogOutputsTest, AFileThatIsMovedAwayIsMadeAnew) {
  ASSERT_TRUE(set_up_log("node", {.screen = "none", .file = file_, .file_level = "info"}));
  spdlog::info("first");
  std::filesystem::rename(file_, folder_ / "rotated");
  spdlog::info("second");
  EXPECT_TRUE(contents(folder_ / "rotated").ends_with("first\n"));
  EXPECT_TRUE(contents(file_).ends_with("second\n"));
}

TEST_F(LogOutputsTest, WithoutALevelNoFileIsMade) {
  for (const char* level : {"", "none"})
    ASSERT_TRUE(set_up_log("node", {.screen = "none", .file = file_, .file_level = level}));
  spdlog::critical("nobody hears");
  EXPECT_FALSE(std::filesystem::exists(file_));
}

TEST_F(LogOutputsTest, AFileThatCannotBeWrittenIsAnError) {
  const auto set = set_up_log("node", {.file = "/proc/felix.log", .file_level = "info"});
  ASSERT_FALSE(set);
  EXPECT_NE(set.error().message.find("/proc/felix.log"), std::string::npos);
  EXPECT_FALSE(set_up_log("node", {.file_level = "loud"}));
}

// In a process of its own, whose /dev is its own: syslog(3) writes to /dev/log.
int hears_of_warnings_by_syslog() {
  if (unshare(CLONE_NEWNS) != 0 ||
      mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
      mount("log", "/dev", "tmpfs", 0, nullptr) != 0)
    return 77;
  const int socket = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
  const sockaddr_un log{.sun_family = AF_UNIX, .sun_path = "/dev/log"};
  if (bind(socket, reinterpret_cast<const sockaddr*>(&log), sizeof log) != 0) return 2;
  if (!set_up_log("node", {.screen = "none", .syslog_level = "warning", .syslog_name = "felix"}))
    return 3;
  spdlog::info("nothing to see");
  spdlog::warn("look here");
  std::array<char, 1024> line{};
  const ssize_t got = recv(socket, line.data(), line.size(), 0);
  const std::string_view text(line.data(), got > 0 ? static_cast<size_t>(got) : 0);
  const bool is_ours = text.starts_with("<12>") && text.contains(" felix[") &&
                       text.contains("]: look here");  // LOG_USER | LOG_WARNING
  return is_ours && recv(socket, line.data(), line.size(), 0) < 0 ? 0 : 4;
}

TEST_F(LogOutputsTest, SyslogHearsWhatIsOfItsLevel) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root to have a /dev of its own";
  const pid_t child = fork();
  if (child == 0) _exit(hears_of_warnings_by_syslog());
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status));
  if (WEXITSTATUS(status) == 77) GTEST_SKIP() << "no mount namespaces here";
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

}  // namespace
}  // namespace margay::base
