#pragma once

// Bearer tokens from a file of Kubernetes' static token form, one a line:
// token,user,uid,"group1,group2" (the groups may be left out). Empty lines and lines that begin
// with '#' are skipped.

#include <filesystem>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "apiserver/http_message.h"
#include "base/result.h"

namespace margay::apiserver {

struct Token {
  std::string secret;
  User user;
};

// A malformed line is an error that says which line, not a token less.
base::Result<std::vector<Token>> parse_tokens(std::string_view csv);

// The users of a token file, read again when the file changes; a token that is taken out of it
// stops being one at once, or within a second when the file is edited in place. Safe from any
// thread.
class TokenFile {
 public:
  static base::Result<std::unique_ptr<TokenFile>> open(std::filesystem::path path);

  std::optional<User> find(std::string_view secret);

 private:
  struct Version {
    int64_t modified_ns = 0;
    int64_t size = 0;
    uint64_t inode = 0;
    bool operator==(const Version&) const = default;
    bool is_being_written() const;
  };
  explicit TokenFile(std::filesystem::path path) : path_(std::move(path)) {}
  Version version_on_disk() const;
  base::Result<> reload();

  const std::filesystem::path path_;
  std::mutex mutex_;
  Version version_;
  bool is_unsettled_ = false;  // to be read again
  // By SHA-256, so that looking up takes no time that depends on the secret.
  std::unordered_map<std::string, User> users_;
};

}  // namespace margay::apiserver
