#pragma once

// Reads the text in an object's fields, and remembers what could not be read, with its path.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/meta.h"
#include "base/result.h"
#include "policy/model.h"

namespace margay::k8s {

using Problems = std::vector<base::FieldError>;

// A place in an object: "spec.ingress[2].source.nets". The problems outlive it.
class Field {
 public:
  Field(std::string path, Problems& problems) : path_(std::move(path)), problems_(&problems) {}

  Field operator/(std::string_view name) const;
  Field operator[](size_t index) const;
  void invalid(std::string_view value, std::string detail) const;
  void invalid(int64_t value, std::string detail) const;

 private:
  void add(std::string value, std::string detail) const;

  std::string path_;
  Problems* problems_;
};

struct Ports {
  std::vector<policy::PortRange> ranges;
  std::vector<std::string> names;
};

// The same in as few ranges and names as can be, in order.
void simplify(Ports& ports);

// Each name is a set in the kernel, which has 65,535 for all.
void check_names(const Ports& ports, const Field& field);

// What cannot be read is reported and left out of the answer.
std::optional<policy::Prefix> read_net(const std::string& net, const Field& field);
std::vector<policy::Prefix> read_nets(const std::vector<std::string>& nets, const Field& field);
// "10.0.0.1" and "10.0.0.1/32".
std::optional<policy::IPAddress> read_address(std::string_view text, const Field& field);
std::vector<policy::IPAddress> read_addresses(const std::vector<std::string>& addresses,
                                              const Field& field);
// 80, "80", "8080:8090", "http".
void read_port(const api::IntOrString& port, const Field& field, Ports& ports);
Ports read_ports(const std::vector<api::IntOrString>& ports, const Field& field);
std::optional<uint16_t> read_port_number(int64_t port, const Field& field);
// A number or a name, in any case.
std::optional<uint8_t> read_protocol(const api::IntOrString& protocol, const Field& field);
std::optional<selector::Selector> read_selector(std::string_view text, const Field& field);
// Of namespaces, as endpoints see them: keys prefixed pcns., all() is "has a namespace" and
// global() "has none".
std::optional<selector::Selector> read_namespace_selector(std::string_view text,
                                                          const Field& field);
// The same with every all() in it meaning "has this label".
selector::Selector with_all_as(const selector::Selector& selector, std::string_view label);
// Of service accounts: keys prefixed pcsa.
std::optional<selector::Selector> read_service_account_selector(std::string_view text,
                                                                const Field& field);

}  // namespace margay::k8s
