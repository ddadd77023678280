#pragma once

// Logging is spdlog's; this only sets it up, in main and when settings are known. Log with
// spdlog::info("...", args). Lines go to standard error, and where asked for to a file and to
// syslog: "2021-04-30T12:00:00.123Z INFO  node  message".

#include <spdlog/formatter.h>

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

namespace margay::base {

// `component` names the process in each line. `level`: trace, debug, info, warning, error, fatal,
// none, in any letter case (Calico's LogSeverity names are accepted).
Result<> set_up_log(std::string_view component, std::string_view level);

// Each with a level of its own, as above; "none" or no text: nothing goes there.
struct LogOutputs {
  std::string screen = "info";
  std::filesystem::path file;  // its folder is made; one that is moved away is made anew
  std::string file_level;
  std::string syslog_level;  // by syslog(3), as `syslog_name`
  std::string syslog_name;
};
// `invalid` for a level; why the file cannot be written.
Result<> set_up_log(std::string_view component, const LogOutputs& outputs);

// For sinks: lines of spdlog's pattern, in UTC. A message is one line, whatever it quotes: objects
// that others write must not be able to write lines of their own (base/printable.h).
std::unique_ptr<spdlog::formatter> line_formatter(std::string pattern);

}  // namespace margay::base
