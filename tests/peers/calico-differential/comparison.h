#pragma once

// What two verdicts on the same question say about each other, gathered by kind of difference.

#include <map>
#include <string>

#include "oracle.h"

namespace margay::peers {

class Comparison {
 public:
  // `errors`: what Margay says; none: it accepts.
  void add(const std::string& kind, const json::object& object,
           const std::vector<std::string>& errors, const Verdict& calico);
  // Also compares the canonical text and the id.
  void add(const std::string& selector, const Verdict& margay, const Verdict& calico);

  size_t unexplained() const;
  // Counts; and each unexplained kind of difference with its smallest example.
  std::string report() const;

 private:
  struct Class {
    size_t count = 0;
    std::string example;
  };

  void disagree(const std::string& what, std::string example);

  size_t agreed_valid_ = 0;
  size_t agreed_invalid_ = 0;
  std::map<std::string, size_t> explained_;  // by the difference's name
  std::map<std::string, Class> unexplained_;
};

}  // namespace margay::peers
