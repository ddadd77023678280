#pragma once

// calicoctl's commands about resources: get, create, apply, replace, patch, delete and label. Each
// is a function of its arguments and a datastore; the texts are Calico v3.19's.

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "ctl/connection.h"
#include "store/store.h"

namespace margay::ctl {

// How a command ended: what it prints, and why it failed (else empty).
struct Outcome {
  std::string output;
  std::string error;
  bool differs = false;  // of diff: fails too, without a word
};

using Connect = std::function<base::Result<std::unique_ptr<store::Store>>(Access access)>;

struct ResourceArguments {
  // Either a kind and names of it, or a file.
  std::string kind;
  std::vector<std::string> names;
  std::string file;
  bool recursive = false;
  bool skip_empty = false;
  bool skip_exists = false;      // of create
  bool skip_not_exists = false;  // of delete
  std::string ns;
  bool all_namespaces = false;
  bool is_export = false;  // of get
  std::string output = "ps";
  std::string patch;
  std::string patch_type;
};

Outcome get_resources(const ResourceArguments& arguments, const Connect& connect);
Outcome create_resources(const ResourceArguments& arguments, const Connect& connect);
Outcome apply_resources(const ResourceArguments& arguments, const Connect& connect);
Outcome replace_resources(const ResourceArguments& arguments, const Connect& connect);
Outcome delete_resources(const ResourceArguments& arguments, const Connect& connect);
class Objects;
struct ManifestObject;
// What `look` says of each, its errors together at the end; for commands that write nothing.
Outcome for_each_resource(
    const ResourceArguments& arguments, const Connect& connect,
    const std::function<base::Result<std::string>(Objects& objects, const ManifestObject& target)>&
        look);

Outcome patch_resource(const ResourceArguments& arguments, const Connect& connect);

struct LabelArguments {
  std::string kind, name, ns;
  std::string label;  // "key=value", or the key to remove
  bool overwrite = false;
  bool remove = false;
};

Outcome label_resource(const LabelArguments& arguments, const Connect& connect);

}  // namespace margay::ctl
