#pragma once

// Objects of one kind: mostly well formed ones, filled at random, with no, one or a few things that
// stand at the edge of what a field takes, or beyond it.

#include <boost/json/object.hpp>

#include "oracle.h"
#include "random.h"

namespace margay::peers {

class ObjectSource {
 public:
  // `fields` is what Calico's type of the kind has.
  ObjectSource(std::string kind, GoField fields, Random& random);

  json::object next();

 private:
  json::object starting_point();
  json::value usual(const GoField& field, int depth);
  void fill(const GoField& of, json::object& object, unsigned percent, int depth);
  void change(const GoField& of, json::object& object);
  void change_list(const GoField& of, json::array& list);
  void change_map(json::object& map);

  std::string kind_;
  GoField fields_;
  Random& random_;
};

}  // namespace margay::peers
