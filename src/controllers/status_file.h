#pragma once

// How the controllers stand, in a file that probes read, as Calico's kube-controllers write it
// (pkg/status): {"Readiness":{"<part>":{"Ready":true,"Reason":""}}}.

#include <chrono>
#include <filesystem>
#include <map>
#include <string>

#include "base/result.h"

namespace margay::controllers {

inline constexpr const char* k_default_status_file = "/status/status.json";

struct Condition {
  bool ready = false;
  std::string reason;  // why it is not
  bool operator==(const Condition&) const = default;
};
using Readiness = std::map<std::string, Condition>;  // by part

base::Result<> write_status(const std::filesystem::path& file, const Readiness& readiness);
// `not_found` before the first write.
base::Result<Readiness> read_status(const std::filesystem::path& file);

// What a probe wants to know: fine, or why not. Ready: every part is. Live: the file was written
// within `patience`; a program that waits for its API server is live, one that hangs is not.
base::Result<> check_ready(const std::filesystem::path& file);
base::Result<> check_live(const std::filesystem::path& file,
                          std::chrono::seconds patience = std::chrono::seconds(60));

}  // namespace margay::controllers
