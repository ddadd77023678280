#include "dataplane/iptables/chain.h"

#include <fmt/format.h>

#include "dataplane/iptables/linux_names.h"
#include "policy/digest.h"

namespace margay::dataplane::iptables {
namespace {

constexpr size_t k_hash_length = 16;
constexpr size_t k_comment_length = 200;  // the kernel keeps 255

}  // namespace

std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c < ' ' || c > '~') continue;
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + '"';
}

std::vector<HashedRule> hashed(const Chain& chain) {
  std::vector<HashedRule> out;
  out.reserve(chain.rules.size());
  std::string previous = chain.name;
  for (const auto& rule : chain.rules) {
    const std::string comment =
        rule.comment.empty()
            ? ""
            : " -m comment --comment " + quoted(rule.comment.substr(0, k_comment_length));
    const std::string body = fmt::format("{}{} {}", rule.match, comment, rule.target);
    previous = policy::digest(fmt::format("{}\n{}", previous, body), k_hash_length);
    out.push_back({previous, fmt::format("-m comment --comment \"{}{}\" {}", k_hash_comment,
                                         previous, body)});
  }
  return out;
}

}  // namespace margay::dataplane::iptables
