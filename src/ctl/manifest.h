#pragma once

// What calicoctl's commands are given by `-f`: objects of projectcalico.org/v3 in YAML or JSON.
//
// A file has any number of documents; a document is an object, one of its kind's lists, or a
// sequence of these. Of a folder every *.yaml, *.yml and *.json is read, in order of name, and with
// `recursive` those of its folders too; a file that says nothing is then an error unless
// `skip_empty`.

#include <boost/json/object.hpp>
#include <string>
#include <vector>

#include "base/result.h"
#include "ctl/resource_type.h"

namespace margay::ctl {

struct ManifestObject {
  const ResourceType* type = nullptr;
  json::object object;
  std::string file;

  std::string ns() const;
  std::string name() const;
};

struct ManifestOptions {
  std::string path;  // "-": standard input
  bool recursive = false;
  bool skip_empty = false;  // files without objects are fine
};

struct Manifests {
  std::vector<ManifestObject> objects;
  std::string empty_file;  // the first that has none, if that counts; what comes after is not read
};

// A kind that there is not, or what is no YAML, is `invalid`. Whether values are right is not
// asked.
base::Result<Manifests> read_manifests(const ManifestOptions& options);

// The files that a path stands for.
base::Result<std::vector<std::string>> manifest_files(const ManifestOptions& options);
// The text of one; "-" is standard input.
base::Result<std::string> read_manifest_text(const std::string& file);
// The objects of a text, lists taken apart.
base::Result<std::vector<ManifestObject>> parse_manifest(std::string_view text,
                                                         const std::string& file);

}  // namespace margay::ctl
