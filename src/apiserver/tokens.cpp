#include "apiserver/tokens.h"

#include <fmt/format.h>
#include <openssl/evp.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>

#include <array>

#include "apiserver/state_dir.h"
#include "base/file.h"
#include "base/text.h"

namespace margay::apiserver {
namespace {

std::string digest(std::string_view secret) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> bytes{};
  unsigned size = 0;
  EVP_Digest(secret.data(), secret.size(), bytes.data(), &size, EVP_sha256(), nullptr);
  return {reinterpret_cast<const char*>(bytes.data()), size};
}

// One CSV record (RFC 4180); nothing when its quotes are unbalanced.
std::optional<std::vector<std::string>> split_record(std::string_view line) {
  std::vector<std::string> columns(1);
  bool quoted = false;
  for (size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if (c == '"' && quoted && i + 1 < line.size() && line[i + 1] == '"')
      columns.back() += line[++i];
    else if (c == '"')
      quoted = !quoted;
    else if (c == ',' && !quoted)
      columns.emplace_back();
    else
      columns.back() += c;
  }
  if (quoted) return std::nullopt;
  return columns;
}

base::Result<Token> parse_line(std::string_view line, size_t number) {
  const auto columns = split_record(line);
  const auto bad = [&](std::string_view why) {
    return base::fail(base::ErrorCode::invalid,
                      fmt::format("token file, line {}: {}", number, why));
  };
  if (!columns) return bad("a quote is not closed");
  if (columns->size() < 3 || columns->size() > 4)
    return bad("must be token,user,uid[,\"group,group\"]");
  if ((*columns)[0].empty() || (*columns)[1].empty())
    return bad("token and user must not be empty");
  Token token{(*columns)[0], {.name = (*columns)[1], .uid = (*columns)[2]}};
  if (columns->size() == 4)
    for (const auto group : base::split_trimmed((*columns)[3], ','))
      token.user.groups.emplace_back(group);
  return token;
}

}  // namespace

base::Result<std::vector<Token>> parse_tokens(std::string_view csv) {
  std::vector<Token> tokens;
  size_t number = 0;
  while (!csv.empty()) {
    ++number;
    const auto end = std::min(csv.find('\n'), csv.size());
    auto line = csv.substr(0, end);
    csv.remove_prefix(std::min(end + 1, csv.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty() || line.starts_with('#')) continue;
    MARGAY_TRY(auto token, parse_line(line, number));
    tokens.push_back(std::move(token));
  }
  return tokens;
}

base::Result<std::unique_ptr<TokenFile>> TokenFile::open(std::filesystem::path path) {
  std::unique_ptr<TokenFile> file(new TokenFile(std::move(path)));
  MARGAY_CHECK(file->reload());
  return file;
}

TokenFile::Version TokenFile::version_on_disk() const {
  struct stat status{};
  if (::stat(path_.c_str(), &status) != 0) return {};
  return {.modified_ns = int64_t{status.st_mtim.tv_sec} * 1'000'000'000 + status.st_mtim.tv_nsec,
          .size = status.st_size,
          .inode = status.st_ino};
}

// Whoever edits the file in place empties it first: until it has been left alone for a moment, what
// it had counts too. One that is put in its place is whole.
bool TokenFile::Version::is_being_written() const {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const auto age = std::chrono::nanoseconds(now) - std::chrono::nanoseconds(modified_ns);
  return age >= std::chrono::seconds(0) && age < std::chrono::seconds(1);
}

base::Result<> TokenFile::reload() {
  const auto before = std::exchange(version_, version_on_disk());
  is_unsettled_ = version_.inode == before.inode && version_.is_being_written();
  const auto text = base::read_file(path_);
  if (!text) {
    if (text.error().code == base::ErrorCode::not_found)
      users_.clear();  // no file, no tokens
    else
      is_unsettled_ = true;  // it is there: read once it can be
    return base::fail(text.error());
  }
  MARGAY_TRY(const auto tokens, parse_tokens(*text));
  std::unordered_map<std::string, User> users;
  for (const auto& token : tokens) users[digest(token.secret)] = token.user;
  if (is_unsettled_) users.merge(users_);
  users_ = std::move(users);
  return {};
}

std::optional<User> TokenFile::find(std::string_view secret) {
  const std::lock_guard lock(mutex_);
  if (is_unsettled_ || version_on_disk() != version_) {
    // A malformed file keeps the tokens read before, as one that is being written or cannot be
    // opened just now does: an edit must not lock every agent out. A missing one has no tokens.
    if (const auto read = reload(); !read)
      spdlog::error("{}: {}", path_.string(), read.error().message);
  }
  const auto found = users_.find(digest(secret));
  if (found == users_.end()) return std::nullopt;
  return found->second;
}

}  // namespace margay::apiserver
