#include "vector/service/service_config.h"

#include <fmt/format.h>

#include <algorithm>

namespace margay::vector {
namespace {

using base::FieldError;

constexpr bool is_balanced_protocol(uint8_t protocol) {
  return protocol == 6 || protocol == 17 || protocol == 132;
}

void check(const std::vector<Frontend>& frontends, size_t index, std::vector<FieldError>* errors) {
  const auto& frontend = frontends[index];
  const auto path = fmt::format("frontends[{}]", index);
  if (!is_balanced_protocol(frontend.protocol))
    errors->push_back({FieldError::Type::not_supported, path + ".protocol",
                       fmt::to_string(frontend.protocol),
                       "must be 6 (TCP), 17 (UDP) or 132 (SCTP)"});
  if (frontend.port == 0)
    errors->push_back({FieldError::Type::invalid, path + ".port", "0", "must be 1 to 65535"});
  const auto is_it = [&](const Frontend& other) {
    return other.address == frontend.address && other.protocol == frontend.protocol &&
           other.port == frontend.port;
  };
  if (std::any_of(frontends.begin(), frontends.begin() + static_cast<ptrdiff_t>(index), is_it))
    errors->push_back({FieldError::Type::duplicate, path,
                       fmt::format("{}:{}", frontend.address.to_string(), frontend.port),
                       "must not be there twice"});
}

}  // namespace

base::Result<> validate(const ServiceConfig& config) {
  std::vector<FieldError> errors;
  if (config.name.empty())
    errors.push_back({FieldError::Type::required, "name", "", "must be set"});
  for (size_t i = 0; i < config.frontends.size(); ++i) check(config.frontends, i, &errors);
  for (size_t i = 0; i < config.backends.size(); ++i)
    if (config.backends[i].identity.port == 0)
      errors.push_back({FieldError::Type::invalid, fmt::format("backends[{}].port", i), "0",
                        "must be 1 to 65535"});
  if (config.backends.size() > k_maglev_max_backends)
    errors.push_back({FieldError::Type::too_long, "backends",
                      fmt::to_string(config.backends.size()),
                      fmt::format("must not be more than {}", k_maglev_max_backends)});
  if (!errors.empty()) return base::fail(std::move(errors));
  return {};
}

}  // namespace margay::vector
