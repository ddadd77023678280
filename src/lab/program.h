#pragma once

// The programs a lab consists of, and one that is kept running.

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/backoff.h"
#include "base/clock.h"
#include "base/process.h"
#include "lab/layout.h"

namespace margay::lab {

struct Program {
  std::string name;  // "agent-node1": of its log, and in processes.json
  std::vector<std::string> argv;
  std::map<std::string, std::string> environment;  // besides the supervisor's own
  std::string network_namespace;                   // name; empty: the host's
};

// `binary` is this program's own file.
Program apiserver_program(const Layout& layout, const std::string& binary);
Program scheduler_program(const Layout& layout, const std::string& binary);
Program agent_program(const Layout& layout, const Settings& settings, const std::string& binary,
                      int node_number);
Program pod_runner_program(const Layout& layout, const std::string& binary, int node_number);

// Keeps one program running: started again when it ends, after a pause that doubles while it keeps
// ending soon. Driven by its owner's calls to tend(). Ending this object kills the program.
class KeptProgram {
 public:
  // What lived this long did not end soon: its next pause is the shortest again.
  static constexpr std::chrono::milliseconds k_settled{2000};

  KeptProgram(Program program, std::string log_file, const base::Clock& clock);

  // Starts it when it is due. Returns whether it was started now.
  bool tend();
  const std::string& name() const { return program_.name; }
  // Nothing while it is not running.
  std::optional<pid_t> pid() const;
  // When tend() has work to do next; nothing while it runs.
  std::optional<base::Clock::Steady> due() const;

 private:
  void note_end(int status);
  base::Result<base::ChildProcess> start() const;

  Program program_;
  std::string log_file_;
  const base::Clock& clock_;
  std::optional<base::ChildProcess> process_;
  base::Clock::Steady started_{};
  base::Clock::Steady due_{};
  base::Backoff pause_{std::chrono::milliseconds(50), std::chrono::seconds(2)};
};

}  // namespace margay::lab
