#include "ctl/resource_commands.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "api/codec.h"
#include "api/json_path.h"
#include "base/text.h"
#include "ctl/manifest.h"
#include "ctl/objects.h"
#include "ctl/printed_form.h"
#include "ctl/printer.h"
#include "ctl/validation.h"

namespace margay::ctl {
namespace {

using api::text_at;
using base::ErrorCode;
using base::fail;
using base::Result;

using Targets = std::vector<ManifestObject>;

// ---- what a command is about
// ------------------------------------------------------------------------

ManifestObject named(const ResourceType& type, const std::string& name, const std::string& ns) {
  ManifestObject target{.type = &type, .object = {{"metadata", {{"name", name}}}}, .file = {}};
  if (type.kind->namespaced && !ns.empty())
    target.object.at("metadata").get_object()["namespace"] = ns;
  return target;
}

// What a user's words or files mean, or why they mean nothing.
struct Subject {
  Targets targets;
  std::string nothing;  // why there are none, where that is an error
};

Result<Subject> subject_of_file(const ResourceArguments& arguments) {
  MARGAY_TRY(auto found, read_manifests({.path = arguments.file,
                                         .recursive = arguments.recursive,
                                         .skip_empty = arguments.skip_empty}));
  for (const auto& each : found.objects)
    if (const auto valid = validate_metadata(*each.type, each.object); !valid)
      return fail(told(valid.error(), *each.type, each.ns(), each.name()));
  Subject subject{.targets = std::move(found.objects), .nothing = {}};
  if (!found.empty_file.empty())
    subject.nothing = "No resources specified in file " + found.empty_file;
  else if (subject.targets.empty() && !arguments.skip_empty)
    subject.nothing = "No resources specified in directory " + arguments.file;
  return subject;
}

Subject subject_of_words(const ResourceArguments& arguments) {
  const auto* type = find_resource_type(arguments.kind);
  if (type == nullptr)
    return {.targets = {},
            .nothing = fmt::format("resource type '{}' is not supported", arguments.kind)};
  if (std::ranges::count(arguments.names, "") > 0)
    return {.targets = {}, .nothing = "resource name may not be empty"};
  Subject subject;
  for (const auto& name : arguments.names)
    subject.targets.push_back(named(*type, name, arguments.ns));
  if (subject.targets.empty()) subject.targets.push_back(named(*type, "", arguments.ns));
  return subject;
}

// Of the object and the command's options; the object's is set where it has none. With
// --all-namespaces it is empty.
Result<> settle_namespace(ManifestObject& target, const ResourceArguments& arguments) {
  const auto& kind = *target.type->kind;
  const auto own = target.ns();
  auto& metadata = target.object.at("metadata").get_object();
  if (!kind.namespaced) {
    if (!own.empty())
      return fail(ErrorCode::invalid,
                  fmt::format("namespace should not be specified for a non-namespaced resource. {} "
                              "is not a namespaced resource",
                              kind.name));
    if (arguments.all_namespaces || !arguments.ns.empty())
      return fail(ErrorCode::invalid, kind.name + " is not namespaced");
    return {};
  }
  if (arguments.all_namespaces && !arguments.ns.empty())
    return fail(ErrorCode::invalid,
                "cannot use both --namespace and --all-namespaces flags at the same time");
  if (arguments.all_namespaces) {
    metadata.erase("namespace");
  } else if (own.empty()) {
    metadata["namespace"] = arguments.ns.empty() ? "default" : arguments.ns;
  } else if (!arguments.ns.empty() && own != arguments.ns) {
    return fail(ErrorCode::invalid,
                fmt::format("resource namespace does not match client namespace. {} != {}", own,
                            arguments.ns));
  }
  return {};
}

// The kind of all of them; empty where they differ.
std::string single_kind(const Targets& targets) {
  std::set<std::string> kinds;
  for (const auto& target : targets) kinds.insert(target.type->kind->name);
  return kinds.size() == 1 ? *kinds.begin() : std::string();
}

// ---- doing it to each
// -------------------------------------------------------------------------------

using Action = std::function<Result<>(Objects& objects, ManifestObject& target)>;

struct Run {
  std::string failure;  // before anything was done
  bool is_file_invalid = false;
  size_t total = 0;
  size_t handled = 0;
  std::string kind;  // of all of them
  std::vector<std::string> errors;
};

bool is_skipped(const ResourceArguments& arguments, ErrorCode code) {
  return (code == ErrorCode::already_exists && arguments.skip_exists) ||
         (code == ErrorCode::not_found && arguments.skip_not_exists);
}

// Everything is read before the datastore is opened: of an embedded store nobody else can have it
// meanwhile.
Run run_each(const ResourceArguments& arguments, const Connect& connect, Access access,
             const Action& action) {
  Run run;
  auto subject = arguments.file.empty() ? Result<Subject>(subject_of_words(arguments))
                                        : subject_of_file(arguments);
  if (!subject) {
    run.failure = subject.error().message;
    run.is_file_invalid = true;
    return run;
  }
  run.failure = subject->nothing;
  run.total = subject->targets.size();
  run.kind = single_kind(subject->targets);
  if (run.total == 0 || !run.failure.empty()) return run;
  const auto store = connect(access);
  if (!store) {
    run.failure = "Failed to create Calico API client: " + store.error().message;
    return run;
  }
  Objects objects(**store);
  for (auto& target : subject->targets) {
    auto done = settle_namespace(target, arguments);
    if (done) done = action(objects, target);
    if (done || is_skipped(arguments, done.error().code))
      ++run.handled;
    else
      run.errors.push_back(done.error().message);
  }
  return run;
}

// ---- telling it
// -------------------------------------------------------------------------------------

// As Go prints a list of errors.
std::string in_brackets(const std::vector<std::string>& errors) {
  return fmt::format("[{}]", fmt::join(errors, " "));
}

struct Verb {
  std::string_view infinitive;  // "apply"
  std::string_view past;        // "applied"
};

Outcome tell_failure(const Run& run) {
  return {.output = {},
          .error = run.is_file_invalid ? "Failed to execute command: " + run.failure : run.failure};
}

std::string of_kind(const std::string& kind) { return kind.empty() ? "" : " '" + kind + "'"; }

Outcome tell(const Run& run, const Verb& verb) {
  if (!run.failure.empty()) return tell_failure(run);
  if (run.total == 0) return {.output = "No resources specified\n", .error = {}};
  const auto kind = of_kind(run.kind);
  if (run.handled == 0)
    return {.output = {},
            .error = fmt::format("Failed to {}{}{} resource{}: {}", verb.infinitive,
                                 run.total == 1 ? "" : " any", kind, run.total == 1 ? "" : "s",
                                 in_brackets(run.errors))};
  if (run.errors.empty())
    return {
        .output = fmt::format("Successfully {} {}{} resource(s)\n", verb.past, run.handled, kind),
        .error = {}};
  Outcome outcome{.output = {},
                  .error = fmt::format("Hit error{}: {}", verb.past == "applied" ? "(s)" : "",
                                       in_brackets(run.errors))};
  if (run.handled > run.errors.size())
    outcome.output = fmt::format("Partial success: {} the first {} out of {}{} resources:\n",
                                 verb.past, run.handled, run.total, kind);
  return outcome;
}

// ---- get
// ------------------------------------------------------------------------------------------------

// What is of this cluster only.
void strip_for_export(json::object& object) {
  auto& metadata = object.at("metadata").get_object();
  for (const auto* member :
       {"namespace", "uid", "resourceVersion", "deletionTimestamp", "deletionGracePeriodSeconds"})
    metadata.erase(member);
  metadata["creationTimestamp"] = nullptr;
}

Result<Shown> look_up(Objects& objects, const ManifestObject& target, bool is_export) {
  const auto& type = *target.type;
  const auto name = target.name();
  if (name.empty()) {
    MARGAY_TRY(auto list, objects.list(type, target.ns()));
    for (auto& item : list.items) item = printed_form(type, std::move(item.get_object()));
    return Shown{&type, list_form(type, std::move(list.items), list.revision), true};
  }
  if (type.kind->namespaced && target.ns().empty())
    return fail(ErrorCode::invalid,
                "cannot use --all-namespace flag for getting a single resource");
  MARGAY_TRY(auto object, objects.get(type, target.ns(), name));
  auto printed = printed_form(type, std::move(object));
  if (is_export) strip_for_export(printed);
  return Shown{&type, std::move(printed), false};
}

std::string default_as_number(Objects& objects) {
  const auto configuration = objects.get(*find_resource_type("bgpconfiguration"), "", "default");
  constexpr const char* k_default = "64512";
  if (!configuration)
    return configuration.error().code == ErrorCode::not_found ? k_default : "unknown";
  const auto* number = api::find_at(*configuration, {"spec", "asNumber"});
  return number == nullptr ? k_default : api::to_json(*number);
}

}  // namespace

Outcome get_resources(const ResourceArguments& arguments, const Connect& connect) {
  const auto format = parse_output_format(arguments.output);
  if (!format) return {.output = {}, .error = format.error().message};
  std::vector<Shown> shown;
  std::string as_number;
  const bool is_export = arguments.is_export && !arguments.names.empty();
  const bool may_need_number =
      format->type != OutputFormat::Type::table && format->type != OutputFormat::Type::yaml &&
      format->type != OutputFormat::Type::json && format->type != OutputFormat::Type::names;
  const auto run = run_each(arguments, connect, Access::read,
                            [&](Objects& objects, ManifestObject& target) -> Result<> {
                              MARGAY_TRY(auto one, look_up(objects, target, is_export));
                              const bool is_node = one.type->kind->name == "Node";
                              if (may_need_number && is_node && as_number.empty())
                                as_number = default_as_number(objects);
                              shown.push_back(std::move(one));
                              return {};
                            });
  if (!run.failure.empty())
    return {.output = {},
            .error = (run.is_file_invalid ? "Failed to execute command: "
                                          : "Failed to get resources: ") +
                     run.failure};
  const bool with_namespace = arguments.all_namespaces || !arguments.ns.empty();
  const auto text =
      print(*format, shown, with_namespace, {.default_as_number = [&] { return as_number; }});
  if (!text) return {.output = {}, .error = text.error().message};
  return {.output = *text, .error = fmt::format("{}", fmt::join(run.errors, "\n"))};
}

Outcome for_each_resource(
    const ResourceArguments& arguments, const Connect& connect,
    const std::function<Result<std::string>(Objects& objects, const ManifestObject& target)>&
        look) {
  std::string output;
  const auto run = run_each(arguments, connect, Access::read,
                            [&](Objects& objects, ManifestObject& target) -> Result<> {
                              MARGAY_TRY(const auto text, look(objects, target));
                              output += text;
                              return {};
                            });
  if (!run.failure.empty()) return tell_failure(run);
  return {.output = output, .error = fmt::format("{}", fmt::join(run.errors, "\n"))};
}

Outcome create_resources(const ResourceArguments& arguments, const Connect& connect) {
  return tell(run_each(arguments, connect, Access::write,
                       [](Objects& objects, ManifestObject& target) {
                         return objects.create(*target.type, target.object);
                       }),
              {"create", "created"});
}

Outcome apply_resources(const ResourceArguments& arguments, const Connect& connect) {
  return tell(run_each(arguments, connect, Access::write,
                       [](Objects& objects, ManifestObject& target) {
                         return objects.apply(*target.type, target.object);
                       }),
              {"apply", "applied"});
}

Outcome replace_resources(const ResourceArguments& arguments, const Connect& connect) {
  return tell(run_each(arguments, connect, Access::write,
                       [](Objects& objects, ManifestObject& target) {
                         return objects.replace(*target.type, target.object);
                       }),
              {"replace", "replaced"});
}

Outcome delete_resources(const ResourceArguments& arguments, const Connect& connect) {
  const auto run = run_each(
      arguments, connect, Access::write, [](Objects& objects, ManifestObject& target) -> Result<> {
        if (target.name().empty())
          return fail(ErrorCode::invalid, "resource name may not be empty");
        const std::string revision(text_at(target.object, {"metadata", "resourceVersion"}));
        return objects.remove(*target.type, target.ns(), target.name(), revision);
      });
  if (!run.failure.empty()) return tell_failure(run);
  if (run.total == 0) return {.output = "No resources specified\n", .error = {}};
  Outcome outcome;
  if (run.handled > 0)
    outcome.output =
        fmt::format("Successfully deleted {}{} resource(s)\n", run.handled, of_kind(run.kind));
  for (const auto& error : run.errors)
    outcome.error += fmt::format("Failed to delete{} resource: {}\n", of_kind(run.kind), error);
  return outcome;
}

Outcome patch_resource(const ResourceArguments& arguments, const Connect& connect) {
  if (!arguments.patch_type.empty() && arguments.patch_type != "strategic")
    return {.output = {},
            .error = fmt::format("patch type '{}' is not implemented: must be strategic",
                                 arguments.patch_type)};
  const auto patch = api::parse_json(arguments.patch);
  if (!patch)
    return {.output = {},
            .error = "Hit error: performing strategic merge patch: " + patch.error().message};
  const auto run =
      run_each(arguments, connect, Access::write, [&](Objects& objects, ManifestObject& target) {
        return objects.patch(*target.type, target.ns(), target.name(), *patch);
      });
  if (!run.failure.empty()) return {.output = {}, .error = run.failure};
  if (!run.errors.empty()) return {.output = {}, .error = "Hit error: " + run.errors.front()};
  return {.output = fmt::format("Successfully patched {} '{}' resource\n", run.handled, run.kind),
          .error = {}};
}

// ---- label
// ------------------------------------------------------------------------------------------------

namespace {

struct Label {
  std::string key, value;
};

Result<Label> label_of(const LabelArguments& arguments) {
  if (arguments.remove) return Label{arguments.label, {}};
  const auto parts = base::split(arguments.label, '=');
  if (parts.size() != 2) return fail(ErrorCode::invalid, "invalid label " + arguments.label);
  return Label{std::string(parts[0]), std::string(parts[1])};
}

// Changes the labels; what was done, as it is told.
Result<std::string> change_labels(const LabelArguments& arguments, const Label& label,
                                  json::object& labels) {
  const auto& [key, value] = label;
  const auto what = fmt::format("{} {}", arguments.kind, arguments.name);
  const bool is_there = labels.contains(key);
  if (arguments.remove) {
    if (!is_there)
      return fail(ErrorCode::not_found,
                  fmt::format("can not remove label of {}, key {} does not exist", what, key));
    labels.erase(key);
    return fmt::format("Successfully removed label {} from {}\n", key, what);
  }
  if (is_there && !arguments.overwrite && labels.at(key) != json::value(value))
    return fail(ErrorCode::conflict,
                fmt::format("failed to update label of {}, key {} is already present. please use "
                            "'--overwrite' to set a new value.",
                            what, key));
  labels[key] = value;
  return fmt::format("Successfully {} label {} on {}\n", is_there ? "updated" : "set", key, what);
}

Result<std::string> label_object(const LabelArguments& arguments, const Label& label,
                                 Objects& objects, const ManifestObject& target) {
  auto object = objects.get(*target.type, target.ns(), target.name());
  if (!object && object.error().code == ErrorCode::not_found)
    return fail(ErrorCode::not_found,
                fmt::format("{} {} not found", arguments.kind, arguments.name));
  if (!object)
    return fail(object.error().wrap(
        fmt::format("failed to get {} {}, error", arguments.kind, arguments.name)));
  auto& labels = object->at("metadata").get_object()["labels"];
  if (!labels.is_object()) labels.emplace_object();
  MARGAY_TRY(auto told, change_labels(arguments, label, labels.get_object()));
  if (const auto written = objects.replace(*target.type, *object); !written)
    return fail(written.error().wrap(
        fmt::format("failed to update {} {}, label not changed", arguments.kind, arguments.name)));
  return told;
}

}  // namespace

Outcome label_resource(const LabelArguments& arguments, const Connect& connect) {
  const auto label = label_of(arguments);
  if (!label) return {.output = {}, .error = label.error().message};
  std::string told;
  const auto run =
      run_each({.kind = arguments.kind, .names = {arguments.name}, .ns = arguments.ns}, connect,
               Access::write, [&](Objects& objects, ManifestObject& target) -> Result<> {
                 MARGAY_TRY(told, label_object(arguments, *label, objects, target));
                 return {};
               });
  if (!run.failure.empty())
    return {.output = {},
            .error = fmt::format("failed to get {} {}, error {}", arguments.kind, arguments.name,
                                 run.failure)};
  if (!run.errors.empty()) return {.output = {}, .error = run.errors.front()};
  return {.output = told, .error = {}};
}

}  // namespace margay::ctl
