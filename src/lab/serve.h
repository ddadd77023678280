#pragma once

// What runs in a pod of the lab, in place of containers: a server on every declared port.
//
//   TCP, SCTP  says "namespace/pod\n" to whoever connects, then echoes: a connection stays up as
//              long as both sides want, so that established flows can be watched
//   UDP        answers each datagram with "namespace/pod\n" followed by that datagram

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "base/result.h"

namespace margay::lab {

struct ServedPort {
  enum class Protocol : uint8_t { tcp, udp, sctp };
  Protocol protocol = Protocol::tcp;
  uint16_t number = 0;
  auto operator<=>(const ServedPort&) const = default;

  // "tcp:80"
  static base::Result<ServedPort> parse(const std::string& text);
  std::string to_string() const;
};

struct ServerOptions {
  std::string identity;  // "namespace/pod"
  std::vector<ServedPort> ports;
  // Held locked while the server lives: how others see that it does. Its text, once every port is
  // open or has failed, is a ServerReport.
  std::filesystem::path lock_file;
};

struct ServerReport {
  std::vector<std::string> unserved;  // "sctp:80: Protocol not supported"
};

// Serves until the process ends, in the calling thread's namespaces. Another server that holds the
// lock is not an error: returns at once.
base::Result<> serve(const ServerOptions& options);

// The report of a living server; `unavailable` while it starts, `not_found` when none lives.
base::Result<ServerReport> server_report(const std::filesystem::path& lock_file);

}  // namespace margay::lab
