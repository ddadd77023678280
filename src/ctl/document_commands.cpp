#include "ctl/document_commands.h"

#include <CLI/CLI.hpp>
#include <memory>
#include <string>

#include "api/codec.h"
#include "api/custom_resources.h"
#include "api/openapi.h"
#include "ctl/printed_form.h"
#include "ctl/program.h"

namespace margay::ctl {
namespace {

Outcome print_definitions() {
  Outcome outcome;
  for (const auto& definition : api::custom_resource_definitions())
    outcome.output += (outcome.output.empty() ? "" : "---\n") + api::to_yaml(definition);
  return outcome;
}

Outcome print_openapi(const std::string& path) {
  if (path.empty()) return {.output = indented_json(api::openapi_v2()), .error = {}};
  const auto document = api::openapi_v3(path);
  if (!document) return {.output = {}, .error = document.error().message};
  return {.output = indented_json(*document), .error = {}};
}

}  // namespace

void add_document_commands(CLI::App& app, int& status) {
  app.add_subcommand(
         "crds", "Print the CustomResourceDefinitions of crd.projectcalico.org, for kubectl apply")
      ->callback([&status] { status = tell(print_definitions()); });
  auto path = std::make_shared<std::string>();
  auto* openapi = app.add_subcommand("openapi", "Print the OpenAPI document of all kinds");
  openapi->add_option("--v3", *path,
                      "Version 3, of one group: api/v1, apis/projectcalico.org/v3, ...");
  openapi->callback([path, &status] { status = tell(print_openapi(*path)); });
}

}  // namespace margay::ctl
