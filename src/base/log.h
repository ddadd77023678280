#pragma once

// Logging is spdlog's; this only sets it up once, in main. Log with spdlog::info("...", args).
// Lines go to standard error: "2021-04-30T12:00:00.123Z INFO  node  message".

#include <spdlog/formatter.h>

#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

namespace margay::base {

// `component` names the process in each line. `level`: trace, debug, info, warning, error, fatal,
// none, in any letter case (Calico's LogSeverity names are accepted).
Result<> set_up_log(std::string_view component, std::string_view level);

// For sinks: lines of spdlog's pattern, in UTC. A message is one line, whatever it quotes: objects
// that others write must not be able to write lines of their own (base/printable.h).
std::unique_ptr<spdlog::formatter> line_formatter(std::string pattern);

}  // namespace margay::base
