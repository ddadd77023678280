#include "ctl/completion.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>

#include "ctl/resource_type.h"

namespace margay::ctl {
namespace {

constexpr const char* k_bash = R"sh({0}() {{
  local IFS=$'\n'
  COMPREPLY=($(compgen -W "$({1} {2} "${{COMP_WORDS[@]:1:COMP_CWORD}}" 2>/dev/null)" -- "${{COMP_WORDS[COMP_CWORD]}}"))
}}
complete -o default -F {0} {1}
)sh";
constexpr const char* k_zsh = R"sh(#compdef {1}
{0}() {{
  compadd -- ${{(f)"$({1} {2} "${{(@)words[2,CURRENT]}}" 2>/dev/null)"}}
}}
compdef {0} {1}
)sh";
constexpr const char* k_fish =
    R"sh(complete -c {1} -a '({1} {2} (commandline -opc)[2..-1] (commandline -ct) 2>/dev/null)'
)sh";

// Where a word goes: into a command below, or (nothing) to this one as an argument.
const CLI::App* command_below(const CLI::App& app, const std::string& word) {
  for (const auto* command : app.get_subcommands([](const CLI::App*) { return true; }))
    if (command->get_name() == word) return command;
  return nullptr;
}

void add_options(const CLI::App& app, std::vector<std::string>& found) {
  for (const auto* option : app.get_options())
    for (const auto& name : option->get_lnames()) found.push_back("--" + name);
  // Groups of options are commands without a name.
  for (const auto* group : app.get_subcommands([](const CLI::App*) { return true; }))
    if (group->get_name().empty())
      for (const auto* option : group->get_options())
        for (const auto& name : option->get_lnames()) found.push_back("--" + name);
}

}  // namespace

std::vector<std::string> completions(const CLI::App& app, const std::vector<std::string>& words) {
  const auto* command = &app;
  bool has_arguments = false;
  for (size_t i = 0; i + 1 < words.size(); ++i) {
    if (const auto* below = command_below(*command, words[i])) {
      command = below;
      has_arguments = false;
    } else if (!words[i].starts_with('-')) {
      has_arguments = true;
    }
  }
  const std::string last = words.empty() ? "" : words.back();
  std::vector<std::string> found;
  if (last.starts_with('-')) {
    add_options(*command, found);
  } else {
    for (const auto* below : command->get_subcommands([](const CLI::App*) { return true; }))
      if (!below->get_name().empty()) found.push_back(below->get_name());
    if (!has_arguments && command->get_option_no_throw("kind") != nullptr)
      for (const auto& type : resource_types()) found.push_back(type.names.front());
  }
  std::erase_if(found, [&](const std::string& word) { return !word.starts_with(last); });
  std::ranges::sort(found);
  return found;
}

std::optional<std::string> completion_script(const std::string& shell, const std::string& program) {
  const auto function = "_" + program;
  if (shell == "bash") return fmt::format(fmt::runtime(k_bash), function, program, k_complete);
  if (shell == "zsh") return fmt::format(fmt::runtime(k_zsh), function, program, k_complete);
  if (shell == "fish") return fmt::format(fmt::runtime(k_fish), function, program, k_complete);
  return std::nullopt;
}

}  // namespace margay::ctl
