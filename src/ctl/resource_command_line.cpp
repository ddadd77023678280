// get, create, apply, replace, patch, delete and label on the command line.

#include <CLI/CLI.hpp>

#include "ctl/diff_command.h"
#include "ctl/program.h"

namespace margay::ctl {
namespace {

constexpr const char* k_kinds = "The kind of resource, in any case: ippool, networkpolicy, ...";

struct ResourceCommand {
  Common common;
  ResourceArguments arguments;
};
using RunResources = Outcome (*)(const ResourceArguments& arguments, const Connect& connect);

std::shared_ptr<ResourceCommand> on_resources(CLI::App& command, const SharedProgram& program,
                                              RunResources run, int& status) {
  auto given = std::make_shared<ResourceCommand>();
  add_connection_options(command, given->common);
  command.add_option("-n,--namespace", given->arguments.ns,
                     "The namespace of resources that are in one; by default \"default\"");
  command.callback([given, program, run, &status] {
    const bool has_words = !given->arguments.kind.empty();
    if (has_words != given->arguments.file.empty())
      throw CLI::RequiredError("either a kind or a file");
    status = tell(run(given->arguments, connection_of(program, given->common)));
  });
  return given;
}

void add_files(CLI::App& command, ResourceArguments& arguments, bool is_required) {
  auto* file = command.add_option("-f,--filename", arguments.file,
                                  "A file of resources in YAML or JSON, a folder of such, or - for "
                                  "standard input");
  if (is_required) file->required();
  command.add_flag("-R,--recursive", arguments.recursive, "Also the folders in a folder");
  command.add_flag("--skip-empty", arguments.skip_empty, "Files without resources are no error");
}

void add_words(CLI::App& command, ResourceArguments& arguments) {
  command.add_option("kind", arguments.kind, k_kinds)->option_text("KIND");
  command.add_option("names", arguments.names, "Which of them")->option_text("NAME ...");
}

void add_get(CLI::App& parent, const SharedProgram& program, int& status) {
  auto* command = parent.add_subcommand(
      "get", "Get a resource identified by file, directory, stdin or resource type and name");
  auto& arguments = on_resources(*command, program, get_resources, status)->arguments;
  add_words(*command, arguments);
  add_files(*command, arguments, false);
  command
      ->add_option("-o,--output", arguments.output,
                   "ps, wide, yaml, json, name, custom-columns=A,B, go-template=TEMPLATE or "
                   "go-template-file=FILE")
      ->capture_default_str();
  command->add_flag("-A,-a,--all-namespaces", arguments.all_namespaces, "Of every namespace");
  command->add_flag("--export", arguments.is_export,
                    "Without what is of this cluster only, of resources that are named");
}

void add_delete(CLI::App& parent, const SharedProgram& program, int& status) {
  auto* command = parent.add_subcommand(
      "delete", "Delete a resource identified by file, directory, stdin or resource type and name");
  auto& arguments = on_resources(*command, program, delete_resources, status)->arguments;
  add_words(*command, arguments);
  add_files(*command, arguments, false);
  command->add_flag("-s,--skip-not-exists", arguments.skip_not_exists,
                    "What is not there counts as deleted");
}

void add_file_command(CLI::App& parent, const SharedProgram& program, const std::string& name,
                      const std::string& description, RunResources run, int& status) {
  auto* command = parent.add_subcommand(name, description);
  auto& arguments = on_resources(*command, program, run, status)->arguments;
  add_files(*command, arguments, true);
  if (name == "create")
    command->add_flag("--skip-exists", arguments.skip_exists,
                      "What is there already counts as created");
}

void add_patch(CLI::App& parent, const SharedProgram& program, int& status) {
  auto* command = parent.add_subcommand("patch", "Patch a resource in place");
  auto& arguments = on_resources(*command, program, patch_resource, status)->arguments;
  command->add_option("kind", arguments.kind, k_kinds)->required()->option_text("KIND");
  command->add_option("name", arguments.names, "Which of them")
      ->required()
      ->expected(1)
      ->option_text("NAME");
  command->add_option("-p,--patch", arguments.patch, "The patch, in JSON")->required();
  command->add_option("-t,--type", arguments.patch_type, "strategic, which is the only one");
}

void add_label(CLI::App& parent, const SharedProgram& program, int& status) {
  struct Given {
    Common common;
    LabelArguments arguments;
  };
  auto given = std::make_shared<Given>();
  auto& arguments = given->arguments;
  auto* command = parent.add_subcommand("label", "Add, change or remove a label of a resource");
  command->add_option("kind", arguments.kind, k_kinds)->required()->option_text("KIND");
  command->add_option("name", arguments.name, "Which of them")->required()->option_text("NAME");
  command->add_option("label", arguments.label, "The label; with --remove its key")
      ->required()
      ->option_text("KEY=VALUE");
  command->add_option("-n,--namespace", arguments.ns,
                      "The namespace of a resource that is in one; by default \"default\"");
  auto* overwrite =
      command->add_flag("--overwrite", arguments.overwrite, "A value that is there is replaced");
  command->add_flag("--remove", arguments.remove, "The label is removed")->excludes(overwrite);
  add_connection_options(*command, given->common);
  command->callback([given, program, &status] {
    status = tell(label_resource(given->arguments, connection_of(program, given->common)));
  });
}

}  // namespace

void add_resource_commands(CLI::App& parent, const SharedProgram& program, int& status) {
  add_file_command(parent, program, "create", "Create a resource by file, directory or stdin",
                   create_resources, status);
  add_file_command(parent, program, "replace", "Replace a resource by file, directory or stdin",
                   replace_resources, status);
  add_file_command(
      parent, program, "apply",
      "Create a resource, or replace it where it is there, by file, directory or stdin",
      apply_resources, status);
  add_file_command(parent, program, "diff",
                   "Show what apply would change, field by field; status 1 if anything",
                   diff_resources, status);
  add_patch(parent, program, status);
  add_delete(parent, program, status);
  add_get(parent, program, status);
  add_label(parent, program, status);
}

}  // namespace margay::ctl
