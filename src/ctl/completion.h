#pragma once

// Completion of commands in bash, zsh and fish: scripts that ask the program itself what may come
// next, so that they never differ from it.

#include <optional>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace margay::ctl {

// How the scripts ask: before the words that are there, the last of which is unfinished.
inline constexpr const char* k_complete = "__complete";

// What may stand in the last word's place: commands, options, kinds of resources.
std::vector<std::string> completions(const CLI::App& app, const std::vector<std::string>& words);

// For bash, zsh or fish; nothing for another shell. `program`: how it is called, "calicoctl".
std::optional<std::string> completion_script(const std::string& shell, const std::string& program);

}  // namespace margay::ctl
