#include "lab/pod_record.h"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value_to.hpp>

#include "base/file.h"

namespace margay::lab {
namespace {

namespace json = boost::json;
using base::ErrorCode;
using base::fail;
using base::IPAddress;
using base::Result;

std::filesystem::path file_of(const PodRecord& record, const std::filesystem::path& directory) {
  return directory / (record.container_id + ".json");
}

Result<PodRecord> parse(const std::filesystem::path& path, const std::string& text) {
  try {
    const auto value = json::parse(text);
    PodRecord record{.container_id = json::value_to<std::string>(value.at("containerID")),
                     .ns = json::value_to<std::string>(value.at("namespace")),
                     .name = json::value_to<std::string>(value.at("name")),
                     .uid = json::value_to<std::string>(value.at("uid")),
                     .network_namespace = json::value_to<std::string>(value.at("netns")),
                     .host_network = value.at("hostNetwork").as_bool()};
    for (const auto& address : value.at("addresses").as_array()) {
      MARGAY_TRY(const auto parsed, IPAddress::parse(json::value_to<std::string>(address)));
      record.addresses.push_back(parsed);
    }
    for (const auto& port : value.at("ports").as_array()) {
      MARGAY_TRY(const auto parsed, ServedPort::parse(json::value_to<std::string>(port)));
      record.ports.push_back(parsed);
    }
    return record;
  } catch (const std::exception& wrong) {
    return fail(ErrorCode::invalid, path.string() + ": " + wrong.what());
  }
}

}  // namespace

Result<> PodRecord::save(const std::filesystem::path& directory) const {
  json::array address_texts, port_texts;
  for (const auto& address : addresses) address_texts.emplace_back(address.to_string());
  for (const auto& port : ports) port_texts.emplace_back(port.to_string());
  const json::object object{{"containerID", container_id},
                            {"namespace", ns},
                            {"name", name},
                            {"uid", uid},
                            {"netns", network_namespace},
                            {"hostNetwork", host_network},
                            {"addresses", address_texts},
                            {"ports", port_texts}};
  return base::write_file(file_of(*this, directory), json::serialize(object) + "\n");
}

Result<> PodRecord::erase(const std::filesystem::path& directory) const {
  std::error_code error;
  std::filesystem::remove(server_file(directory), error);
  std::filesystem::remove(file_of(*this, directory), error);
  if (error) return base::fail_errno("remove record of " + id(), error.value());
  return {};
}

Result<std::vector<PodRecord>> load_pod_records(const std::filesystem::path& directory) {
  std::vector<PodRecord> records;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(directory, error)) {
    if (entry.path().extension() != ".json") continue;
    const auto text = base::read_file(entry.path());
    if (!text && text.error().code == ErrorCode::not_found) continue;  // the pod went just now
    MARGAY_CHECK(text);
    MARGAY_TRY(auto record, parse(entry.path(), *text));
    records.push_back(std::move(record));
  }
  if (error && error != std::errc::no_such_file_or_directory) {
    return base::fail_errno(directory.string(), error.value());
  }
  return records;
}

Result<std::vector<PodRecord>> load_all_pod_records(const Layout& layout) {
  std::vector<PodRecord> all;
  std::error_code error;
  for (const auto& node : std::filesystem::directory_iterator(layout.nodes(), error)) {
    MARGAY_TRY(auto records, load_pod_records(node.path() / "pods"));
    all.insert(all.end(), std::make_move_iterator(records.begin()),
               std::make_move_iterator(records.end()));
  }
  return all;
}

}  // namespace margay::lab
