#include "ctl/node_status.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <utility>

#include "base/text.h"
#include "base/unique_fd.h"
#include "ctl/text_table.h"

namespace margay::ctl {
namespace {

namespace fs = std::filesystem;
using base::ErrorCode;
using base::fail;
using base::Result;

// ---- BIRD
// -----------------------------------------------------------------------------------------

constexpr std::array<std::pair<std::string_view, std::string_view>, 3> k_session_types{{
    {"Mesh_", "node-to-node mesh"},
    {"Global_", "global"},
    {"Node_", "node specific"},
}};

std::vector<std::string> words_of(std::string_view line) {
  std::vector<std::string> words;
  for (const auto word : base::split_trimmed(line, ' ')) words.emplace_back(word);
  return words;
}

// "Mesh_10_0_0_5 BGP master up 2016-11-21 Established"
std::optional<BgpSession> session_of(std::string_view line, bool is_v6) {
  const auto words = words_of(line);
  constexpr size_t k_least = 6;
  if (words.size() < k_least || words[1] != "BGP") return std::nullopt;
  for (const auto& [prefix, type] : k_session_types) {
    if (!words[0].starts_with(prefix)) continue;
    BgpSession session{.address = words[0].substr(prefix.size()),
                       .type = std::string(type),
                       .state = words[3],
                       .since = words[4],
                       .info = {}};
    std::ranges::replace(session.address, '_', is_v6 ? ':' : '.');
    for (size_t i = 5; i < words.size(); ++i)
      session.info += (session.info.empty() ? "" : " ") + words[i];
    return session;
  }
  return std::nullopt;
}

bool are_headings(std::string_view line) {
  const std::vector<std::string> expected{"name", "proto", "table", "state", "since", "info"};
  auto words = words_of(line);
  for (auto& word : words)
    std::ranges::transform(word, word.begin(), [](unsigned char c) { return std::tolower(c); });
  return words == expected;
}

std::string sessions_text(bool is_v6) {
  const std::string_view suffix = is_v6 ? "6" : "";
  auto text = fmt::format("\nIPv{} BGP status\n", is_v6 ? 6 : 4);
  const std::string command = "show protocols";
  auto answer = ask_bird(fmt::format("/var/run/calico/bird{}.ctl", suffix), command);
  if (!answer) answer = ask_bird(fmt::format("/var/run/bird/bird{}.ctl", suffix), command);
  if (!answer) return text + fmt::format("Error querying BIRD: {}\n", answer.error().message);
  const auto sessions = parse_bird_protocols(*answer, is_v6);
  if (!sessions) return text + fmt::format("Error querying BIRD: {}\n", sessions.error().message);
  if (sessions->empty()) return text + fmt::format("No IPv{} peers found.\n", is_v6 ? 6 : 4);
  std::vector<Row> rows;
  for (const auto& one : *sessions)
    rows.push_back({one.address, one.type, one.state, one.since, one.info});
  return text + framed_table({"PEER ADDRESS", "PEER TYPE", "STATE", "SINCE", "INFO"}, rows);
}

// ---- processes
// ------------------------------------------------------------------------------------

using CommandLine = std::vector<std::string>;  // the program without its folder, and its arguments

std::vector<CommandLine> processes() {
  std::vector<CommandLine> found;
  std::error_code error;
  for (fs::directory_iterator entry("/proc", error); !error && entry != fs::directory_iterator();
       entry.increment(error)) {
    std::ifstream file(entry->path() / "cmdline");
    const std::string text(std::istreambuf_iterator<char>(file), {});
    if (text.empty()) continue;  // a thread of the kernel's, or not a process
    CommandLine line;
    for (const auto word : base::split(text, '\0')) line.emplace_back(word);
    line.front() = fs::path(line.front()).filename().string();
    found.push_back(std::move(line));
  }
  return found;
}

bool runs(const std::vector<CommandLine>& all, const CommandLine& wanted) {
  return std::ranges::any_of(all, [&](const CommandLine& line) {
    return line.size() >= wanted.size() && std::equal(wanted.begin(), wanted.end(), line.begin());
  });
}

}  // namespace

Result<std::vector<BgpSession>> parse_bird_protocols(std::string_view answer, bool is_v6) {
  std::vector<BgpSession> sessions;
  for (const auto line : base::split(answer, '\n')) {
    const auto code = line.substr(0, 4);
    if (code == "0000") break;
    if (line.empty() || code == "0001") continue;
    const bool is_heading = code == "2002";
    const bool is_row = code == "1002" || line.starts_with(' ');
    const auto rest = line.substr(std::min<size_t>(line.size(), line.starts_with(' ') ? 1 : 5));
    if ((!is_heading && !is_row) || (is_heading && !are_headings(rest)))
      return fail(ErrorCode::internal, fmt::format("BIRD answers \"{}\"", line));
    if (auto session = session_of(rest, is_v6); is_row && session)
      sessions.push_back(*std::move(session));
  }
  return sessions;
}

Result<std::string> ask_bird(const std::string& socket, const std::string& command) {
  sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
  if (socket.size() >= sizeof address.sun_path)
    return fail(ErrorCode::invalid, socket + ": the path is too long for a socket");
  std::memcpy(address.sun_path, socket.data(), socket.size());
  const base::UniqueFd peer(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (::connect(peer.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return base::fail_errno("unable to connect to BIRD's socket " + socket, errno);
  const auto line = command + "\n";
  if (::send(peer.get(), line.data(), line.size(), MSG_NOSIGNAL) !=
      static_cast<ssize_t>(line.size()))
    return base::fail_errno("unable to write to BIRD's socket " + socket, errno);
  constexpr int k_patience_ms = 2'000;
  constexpr size_t k_most = 16 << 20;
  std::string answer;
  while (answer.find("\n0000") == std::string::npos && answer.size() < k_most) {
    pollfd waiting{.fd = peer.get(), .events = POLLIN, .revents = 0};
    if (::poll(&waiting, 1, k_patience_ms) <= 0)
      return fail(ErrorCode::timeout, "BIRD does not answer on " + socket);
    std::array<char, 4096> piece{};
    const auto size = ::recv(peer.get(), piece.data(), piece.size(), 0);
    if (size <= 0) break;  // it hangs up: what there is must do
    answer.append(piece.data(), static_cast<size_t>(size));
  }
  return answer;
}

Outcome node_status() {
  const auto all = processes();
  const bool is_running = runs(all, {"margay", "node"}) || runs(all, {"calico-felix"}) ||
                          runs(all, {"calico-node", "-felix"});
  if (!is_running) return {.output = {}, .error = "Calico process is not running."};
  Outcome outcome{.output = "Calico process is running.\n", .error = {}};
  const bool bird = runs(all, {"bird"});
  const bool bird6 = runs(all, {"bird6"});
  if (!bird && !bird6) {
    outcome.output += "\nNone of the BGP backend processes (BIRD or GoBGP) are running.\n";
  } else {
    outcome.output +=
        bird ? sessions_text(false) : "\nINFO: BIRDv4 process: 'bird' is not running.\n";
    outcome.output +=
        bird6 ? sessions_text(true) : "\nINFO: BIRDv6 process: 'bird6' is not running.\n";
  }
  outcome.output += "\n";
  return outcome;
}

}  // namespace margay::ctl
