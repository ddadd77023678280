#include "comparison.h"

#include <fmt/format.h>
#include <re2/re2.h>

#include <boost/json/serialize.hpp>

#include "differences.h"

namespace margay::peers {

namespace {

// The message without what differs from object to object: indices, quoted text and numbers.
std::string shape(std::string message) {
  RE2::GlobalReplace(&message, R"('[^']*'|"(\\.|[^"\\])*"|\{.*\}|\d+)", "#");
  return message.substr(0, 300);
}

}  // namespace

void Comparison::disagree(const std::string& what, std::string example) {
  Class& of = unexplained_[what];
  ++of.count;
  if (of.example.empty() || example.size() < of.example.size()) of.example = std::move(example);
}

void Comparison::add(const std::string& kind, const json::object& object,
                     const std::vector<std::string>& errors, const Verdict& calico) {
  if (errors.empty() == calico.valid) {
    ++(calico.valid ? agreed_valid_ : agreed_invalid_);
    return;
  }
  const auto side = calico.valid ? Difference::Side::we_refuse : Difference::Side::we_accept;
  const auto messages = calico.valid ? errors : std::vector{calico.error};
  for (const auto& message : messages) {
    const Difference* difference = find_difference(side, kind, message);
    if (difference != nullptr) {
      ++explained_[difference->name];
      continue;
    }
    disagree(
        fmt::format("{}, {}: {}", kind, calico.valid ? "we refuse" : "we accept", shape(message)),
        fmt::format("{}\n      {}", message, json::serialize(object)));
  }
}

void Comparison::add(const std::string& selector, const Verdict& margay, const Verdict& calico) {
  if (margay.valid != calico.valid) {
    disagree(fmt::format("selector, {}", calico.valid ? "we refuse" : "we accept"),
             fmt::format("{:?}: {}", selector, calico.valid ? margay.error : calico.error));
  } else if (margay.text != calico.text || margay.id != calico.id) {
    disagree("selector, printed differently",
             fmt::format("{:?}: {} is {}", selector, margay.text, calico.text));
  } else {
    ++(calico.valid ? agreed_valid_ : agreed_invalid_);
  }
}

size_t Comparison::unexplained() const { return unexplained_.size(); }

std::string Comparison::report() const {
  std::string text =
      fmt::format("{} accepted and {} refused by both\n", agreed_valid_, agreed_invalid_);
  for (const auto& [name, count] : explained_)
    text += fmt::format("known difference: {}: {}\n", name, count);
  for (const auto& [what, of] : unexplained_)
    text += fmt::format("DIFFERENT: {} ({} times)\n      {}\n", what, of.count,
                        of.example.substr(0, 1500));
  return text;
}

}  // namespace margay::peers
