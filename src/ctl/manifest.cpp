#include "ctl/manifest.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <iostream>
#include <iterator>

#include "api/codec.h"
#include "api/json_path.h"
#include "base/file.h"

namespace margay::ctl {
namespace {

namespace fs = std::filesystem;
using api::text_at;
using base::ErrorCode;
using base::fail;
using base::Result;

constexpr std::string_view k_list = "List";

bool is_manifest(const fs::path& path) {
  auto extension = path.extension().string();
  std::ranges::transform(extension, extension.begin(),
                         [](unsigned char c) { return std::tolower(c); });
  return extension == ".yaml" || extension == ".yml" || extension == ".json";
}

// In order of name, folders among files.
Result<> collect(const fs::path& folder, bool recursive, std::vector<std::string>& files) {
  std::error_code error;
  std::vector<fs::directory_entry> entries;
  for (fs::directory_iterator entry(folder, error); !error && entry != fs::directory_iterator();
       entry.increment(error))
    entries.push_back(*entry);
  if (error) return base::fail_errno(folder.string(), error.value());
  std::ranges::sort(entries, {}, [](const auto& entry) { return entry.path().string(); });
  for (const auto& entry : entries) {
    if (entry.is_directory(error) && !entry.is_symlink(error)) {
      if (recursive) MARGAY_CHECK(collect(entry.path(), recursive, files));
    } else if (is_manifest(entry.path())) {
      files.push_back(entry.path().string());
    }
  }
  return {};
}

class Reader {
 public:
  explicit Reader(const std::string& file) : file_(file) {}

  Result<> add(json::value& value) {
    if (auto* list = value.if_array()) {
      for (auto& item : *list) MARGAY_CHECK(add(item));
      return {};
    }
    if (!value.is_object())
      return fail(ErrorCode::invalid, file_ + ": an object or a list of objects was expected");
    auto& object = value.get_object();
    const std::string version(text_at(object, {"apiVersion"}));
    const std::string kind(text_at(object, {"kind"}));
    if (kind.empty()) return fail(ErrorCode::invalid, file_ + ": Object 'Kind' is missing");
    if (const auto* type = find_resource_type(version, kind)) return add_object(*type, object);
    if (const auto* type = type_of_list(version, kind)) return add_list(*type, object);
    return fail(ErrorCode::invalid,
                fmt::format("Unknown resource type ({}) and/or version ({})", kind, version));
  }

  std::vector<ManifestObject> found;

 private:
  static const ResourceType* type_of_list(const std::string& version, std::string_view kind) {
    if (!kind.ends_with(k_list)) return nullptr;
    kind.remove_suffix(k_list.size());
    return find_resource_type(version, kind);
  }

  Result<> add_list(const ResourceType& type, json::object& list) {
    auto* items = list.if_contains("items");
    if (items == nullptr || items->is_null()) return {};
    if (!items->is_array()) return fail(ErrorCode::invalid, file_ + ": items must be a list");
    for (auto& item : items->get_array()) {
      if (!item.is_object())
        return fail(ErrorCode::invalid, file_ + ": each of items must be an object");
      auto& object = item.get_object();
      object["apiVersion"] = type.kind->api_version();
      object["kind"] = type.kind->name;
      MARGAY_CHECK(add_object(type, object));
    }
    return {};
  }

  Result<> add_object(const ResourceType& type, json::object& object) {
    ManifestObject made{.type = &type, .object = std::move(object), .file = file_};
    const auto* metadata = made.object.if_contains("metadata");
    if (metadata != nullptr && !metadata->is_object() && !metadata->is_null())
      return fail(ErrorCode::invalid,
                  fmt::format("{}: {}: metadata must be an object", file_, type.kind->name));
    if (metadata == nullptr || metadata->is_null()) made.object["metadata"].emplace_object();
    found.push_back(std::move(made));
    return {};
  }

  const std::string& file_;
};

}  // namespace

std::string ManifestObject::ns() const {
  return std::string(text_at(object, {"metadata", "namespace"}));
}

std::string ManifestObject::name() const {
  return std::string(text_at(object, {"metadata", "name"}));
}

Result<std::vector<std::string>> manifest_files(const ManifestOptions& options) {
  std::error_code error;
  if (options.path == "-" || !fs::is_directory(options.path, error))
    return std::vector<std::string>{options.path};
  std::vector<std::string> files;
  MARGAY_CHECK(collect(options.path, options.recursive, files));
  return files;
}

Result<std::string> read_manifest_text(const std::string& file) {
  if (file != "-") {
    auto text = base::read_file(file);
    if (!text && text.error().code == ErrorCode::not_found)
      text.error().message = fmt::format("open {}: no such file or directory", file);
    return text;
  }
  return std::string(std::istreambuf_iterator<char>(std::cin), {});
}

Result<std::vector<ManifestObject>> parse_manifest(std::string_view text, const std::string& file) {
  auto documents = api::parse_yaml(text);
  if (!documents) return fail(std::move(documents).error().wrap(file));
  Reader reader(file);
  for (auto& document : *documents) MARGAY_CHECK(reader.add(document));
  return std::move(reader.found);
}

Result<Manifests> read_manifests(const ManifestOptions& options) {
  MARGAY_TRY(const auto files, manifest_files(options));
  Manifests all;
  for (const auto& file : files) {
    MARGAY_TRY(const auto text, read_manifest_text(file));
    MARGAY_TRY(auto some, parse_manifest(text, file));
    if (some.empty() && !options.skip_empty) {
      all.empty_file = file;
      return all;
    }
    std::ranges::move(some, std::back_inserter(all.objects));
  }
  return all;
}

}  // namespace margay::ctl
