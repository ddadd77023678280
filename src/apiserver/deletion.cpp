#include "apiserver/deletion.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "api/fields.h"
#include "apiserver/body.h"
#include "apiserver/object.h"
#include "apiserver/query.h"

namespace margay::apiserver {
namespace {

using api::Fields;

constexpr int64_t k_default_pod_grace = 30;            // seconds
constexpr int64_t k_longest_grace = int64_t{1} << 31;  // seconds: beyond any use, within any clock

constexpr auto k_policies =
    std::to_array<std::string_view>({"", "Orphan", "Background", "Foreground"});

bool is_propagation(std::string_view policy) {
  return std::ranges::find(k_policies, policy) != k_policies.end();
}

Answer<> read_query(const Query& query, DeleteOptions& options) {
  MARGAY_TRY(options.grace_seconds, integer_in(query, "gracePeriodSeconds"));
  if (options.grace_seconds.value_or(0) > k_longest_grace)
    return refuse(bad_request(fmt::format("gracePeriodSeconds must be at most {}, not {}",
                                          k_longest_grace, *options.grace_seconds)));
  if (const auto policy = text_in(query, "propagationPolicy"); !is_propagation(policy))
    return refuse(bad_request(fmt::format(
        "propagationPolicy \"{}\" must be one of Orphan, Background, Foreground", policy)));
  MARGAY_TRY(options.dry_run, dry_run_in(query));
  return {};
}

std::optional<store::Revision> revision_of(const std::string& text) {
  store::Revision value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

void read_preconditions(Fields preconditions, DeleteOptions& options) {
  options.uid = preconditions.text("uid");
  const auto revision = preconditions.text("resourceVersion");
  if (options.uid == "") options.uid.reset();  // what typed clients send for "none"
  if (!revision || revision->empty()) return;
  options.revision = revision_of(*revision);
  if (!options.revision) preconditions.invalid("resourceVersion", "is not a resource version");
}

// A field that is not what it must be refuses the deletion: passed over, a precondition or a dry
// run would be one that deletes.
Answer<> read_body(const json::object& body, DeleteOptions& options) {
  Fields::Errors errors;
  Fields fields(body, {}, errors);
  if (const auto kind = fields.text("kind"); kind && !kind->empty() && kind != "DeleteOptions")
    return refuse(
        bad_request(fmt::format("the body of a DELETE is a DeleteOptions, not a {}", *kind)));
  if (const auto grace = fields.number("gracePeriodSeconds", INT64_MIN, k_longest_grace))
    options.grace_seconds = *grace;
  if (!is_propagation(fields.text("propagationPolicy").value_or("")))
    fields.invalid("propagationPolicy", "must be one of Orphan, Background, Foreground");
  read_preconditions(fields.object("preconditions"), options);
  for (const auto& value : fields.texts("dryRun")) {
    if (value != "All") fields.invalid("dryRun", "must be \"All\"");
    options.dry_run = true;
  }
  if (errors.empty()) return {};
  return refuse(bad_request(base::fail(std::move(errors)).error().message));
}

Answer<> check_preconditions(const api::Kind& kind, const json::object& object,
                             const DeleteOptions& options) {
  const auto name = text_at(object, {"metadata", "name"});
  const auto check = [&](std::string_view what, std::string_view wanted,
                         std::string_view found) -> Answer<> {
    if (wanted == found) return {};
    return refuse(conflict(kind, name,
                           fmt::format("Precondition failed: {0} in precondition: {1}, {0} in "
                                       "object meta: {2}",
                                       what, wanted, found)));
  };
  if (options.uid) MARGAY_CHECK(check("UID", *options.uid, text_at(object, {"metadata", "uid"})));
  if (options.revision)
    MARGAY_CHECK(check("ResourceVersion", std::to_string(*options.revision),
                       text_at(object, {"metadata", "resourceVersion"})));
  return {};
}

bool has_finalizers(const json::object& object) {
  const auto* finalizers = find_at(object, {"metadata", "finalizers"});
  return finalizers != nullptr && finalizers->is_array() && !finalizers->get_array().empty();
}

bool is_indispensable(const api::Kind& kind, const json::object& object) {
  if (kind.resource() != "namespaces") return false;
  const auto name = text_at(object, {"metadata", "name"});
  return name == "default" || name == "kube-system" || name == "kube-public";
}

// How long the object lives on: pods that run somewhere get time to end, everything else none.
int64_t grace_of(const api::Kind& kind, const json::object& object, const DeleteOptions& options) {
  if (kind.resource() != "pods") return 0;
  const auto phase = text_at(object, {"status", "phase"});
  const bool runs =
      !text_at(object, {"spec", "nodeName"}).empty() && phase != "Succeeded" && phase != "Failed";
  if (!runs) return 0;
  const auto own = integer_at(object, {"spec", "terminationGracePeriodSeconds"});
  // A negative period stands for one second, as in Kubernetes.
  const auto grace = options.grace_seconds.value_or(own.value_or(k_default_pod_grace));
  return grace < 0 ? 1 : std::min(grace, k_longest_grace);
}

Deletion mark(json::object object, int64_t grace, base::Clock::Wall now) {
  auto& metadata = metadata_of(object);
  metadata["deletionTimestamp"] = base::to_rfc3339(now + std::chrono::seconds(grace));
  metadata["deletionGracePeriodSeconds"] = grace;
  return {Deletion::Action::mark, std::move(object)};
}

Deletion mark_namespace(json::object object, base::Clock::Wall now) {
  auto& metadata = metadata_of(object);
  metadata["deletionTimestamp"] = base::to_rfc3339(now);
  object["status"] = {{"phase", "Terminating"}};
  return {Deletion::Action::mark, std::move(object)};
}

}  // namespace

Answer<DeleteOptions> parse_delete_options(const Request& request, const Query& query) {
  DeleteOptions options;
  MARGAY_CHECK(read_query(query, options));
  if (request.body.empty()) return options;
  MARGAY_TRY(const auto body, parse_body(request));
  MARGAY_CHECK(read_body(body, options));
  return options;
}

Answer<Deletion> plan_deletion(const api::Kind& kind, const json::object& object,
                               const DeleteOptions& options, base::Clock::Wall now) {
  MARGAY_CHECK(check_preconditions(kind, object, options));
  if (is_indispensable(kind, object))
    return refuse(forbidden(kind, text_at(object, {"metadata", "name"}),
                            "this namespace may not be deleted"));
  const bool deleting = !text_at(object, {"metadata", "deletionTimestamp"}).empty();
  if (kind.resource() == "namespaces")
    return deleting ? Deletion{Deletion::Action::nothing} : mark_namespace(object, now);
  const auto grace = grace_of(kind, object, options);
  if (!deleting && grace == 0 && !has_finalizers(object)) return Deletion{};
  if (!deleting) return mark(object, grace, now);
  // A second deletion may only shorten what is left.
  const auto granted = integer_at(object, {"metadata", "deletionGracePeriodSeconds"}).value_or(0);
  const bool shorter = kind.resource() == "pods" && options.grace_seconds && grace < granted;
  if (granted > 0 && !shorter) return Deletion{Deletion::Action::nothing};
  if (grace == 0 && !has_finalizers(object)) return Deletion{};
  return shorter ? mark(object, grace, now) : Deletion{Deletion::Action::nothing};
}

bool is_finished(const api::Kind& kind, const json::object& object) {
  if (kind.resource() == "namespaces") return false;  // it goes when its content has gone
  return !text_at(object, {"metadata", "deletionTimestamp"}).empty() && !has_finalizers(object) &&
         integer_at(object, {"metadata", "deletionGracePeriodSeconds"}).value_or(0) == 0;
}

}  // namespace margay::apiserver
