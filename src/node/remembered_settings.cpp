#include "node/remembered_settings.h"

#include <spdlog/spdlog.h>

#include <boost/json/serialize.hpp>
#include <boost/json/value_from.hpp>
#include <boost/json/value_to.hpp>

#include "api/codec.h"
#include "base/file.h"

namespace margay::node {
namespace {

namespace json = boost::json;
using base::Result;

std::filesystem::path file_of(const base::NodeState& state) { return state.lib / "felix-settings"; }

Result<std::vector<Settings>> read(const std::filesystem::path& path) {
  MARGAY_TRY(const std::string text, base::read_file(path));
  MARGAY_TRY(const json::value value, api::parse_json(text));
  const auto settings = json::try_value_to<std::vector<Settings>>(value);
  if (!settings)
    return base::fail(base::ErrorCode::invalid, path.string() + ": must be a list of settings");
  return *settings;
}

}  // namespace

std::vector<Settings> remembered_settings(const base::NodeState& state) {
  auto settings = read(file_of(state));
  if (settings) return *std::move(settings);
  if (settings.error().code != base::ErrorCode::not_found)
    spdlog::warn("settings of the last run: {}; starting without them", settings.error().message);
  return {};
}

Result<> remember_settings(const base::NodeState& state, const std::vector<Settings>& stored) {
  return base::write_file(file_of(state), json::serialize(json::value_from(stored)) + "\n");
}

}  // namespace margay::node
