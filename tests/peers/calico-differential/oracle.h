#pragma once

// Calico's own validator and selector parser, in a program of their own
// (tests/peers/calico-oracle), asked in batches.

#include <boost/json/object.hpp>
#include <string>
#include <vector>

#include "base/result.h"

namespace margay::peers {

namespace json = boost::json;

struct Verdict {
  bool valid = false;
  std::string error;
  std::string text;  // of a selector: its canonical form
  std::string id;    // of a selector
};

// One field of a kind as Calico's Go types have it.
struct GoField {
  std::string name;            // as JSON has it; empty: the object itself, or what a list holds
  std::string type;            // "object", "list", "map", or the Go type: "uint16", "Port"
  std::string rule;            // the validator's tag
  std::vector<GoField> parts;  // of an object: its fields; of a list or map: what it holds
};

class Oracle {
 public:
  explicit Oracle(std::string program) : program_(std::move(program)) {}

  // Each answer stands where its question does.
  base::Result<std::vector<Verdict>> judge_objects(const std::string& kind,
                                                   const std::vector<json::object>& objects) const;
  base::Result<std::vector<Verdict>> judge_selectors(const std::vector<std::string>& texts) const;
  base::Result<GoField> describe(const std::string& kind) const;

 private:
  base::Result<std::vector<json::value>> ask(const std::vector<json::object>& questions) const;

  std::string program_;
};

}  // namespace margay::peers
