#pragma once

// Objects from YAML and JSON files.

#include <boost/json/object.hpp>
#include <string>
#include <vector>

#include "api/kind.h"
#include "base/result.h"
#include "store/store.h"

namespace margay::ctl {

struct FileObject {
  const api::Kind* kind = nullptr;
  boost::json::object object;
  std::string origin;  // "shop.yaml: Pod shop/web", for messages

  store::Key key() const;
};

struct FileObjects {
  std::vector<FileObject> objects;
  std::vector<std::string> warnings;
};

// Each path is a file, "-" for standard input, or a folder, of which every *.yaml, *.yml and *.json
// is read, sub-folders too, in order of name. A List counts as its items; an object that belongs in
// a namespace and names none is in "default".
//
// What is projectcalico.org's must be valid, as the API server would have it; what is wrong is an
// error. Objects of Kubernetes come from a cluster that has accepted them: what is wrong with them
// is a warning. Kinds without a bearing on policy are left out with a warning.
base::Result<FileObjects> read_objects(const std::vector<std::string>& paths);

}  // namespace margay::ctl
