#pragma once

// Calico's stored form. With Kubernetes as its datastore Calico v3.19 keeps the objects of
// projectcalico.org/v3 as custom resources of crd.projectcalico.org/v1, and its own programs
// (Felix, calicoctl, the CNI plugin) read and write them there. A kind of that group here has no
// objects of its own: it shows those of its v3 kind in that form
// (docs/decisions/0068-two-views-of-one-object.md). What differs is
//
// * the group and version;
// * the names of policies, which carry their tier: "default.web" is v3's "web". Names with a dot
//   ("knp.default.web") are the same in both;
// * policies of other tiers than `default`, which it does not have: v3.19 knows no tiers, and takes
//   "ops.web" for the policy "web";
// * the annotation projectcalico.org/metadata, which has as JSON what is in v3's metadata beside
//   name, namespace, resourceVersion, labels and annotations. Calico's programs read and write
//   these there, and no others in metadata but the uid.

#include <optional>
#include <string>
#include <string_view>

#include "api/kind.h"

namespace margay::api {

inline constexpr std::string_view k_metadata_annotation = "projectcalico.org/metadata";

// The kind whose objects `kind` shows; null when it has objects of its own.
const Kind* shown_kind(const Kind& kind);
// Null when nothing shows the objects of `kind`.
const Kind* stored_form_of(const Kind& kind);

// Whether the stored form `kind` has the v3 object `name`: a policy of another tier is not in it.
// A kind that is no such form has all its objects.
bool has_form(const Kind& kind, std::string_view name);
// The name in the stored form of the v3 object `name`, and back: nothing when no object can have
// that stored name. `kind` is the one of the stored form; also for the prefix in generateName.
std::string stored_name(const Kind& kind, std::string_view name);
std::optional<std::string> shown_name(const Kind& kind, std::string_view stored);
// `invalid`, with the rule, where shown_name() says nothing.
base::Result<> check_stored_name(const Kind& kind, std::string_view stored);
bool names_differ(const Kind& kind);  // from those of v3

// A v3 object in stored form.
json::object to_stored_form(const Kind& kind, json::object object);

// What a client sent in stored form as the v3 object that it means. The annotation counts where the
// client read its metadata from there, as Calico's programs do; whoever sends a creationTimestamp
// has metadata that Kubernetes' clients keep, and they count. Fails with `invalid` when the
// annotation is no JSON object, when no object can have that name, or when it is in another tier.
base::Result<json::object> from_stored_form(const Kind& kind, json::object object);

// Whoever knows v3.19 alone drops what is beyond it (Field::is_beyond_v3_19) when it reads, changes
// and writes. So `object`, which is to replace `before`, keeps those of its fields that it does not
// mention. Both in either form.
void keep_later_fields(const Kind& kind, const json::object& before, json::object& object);

// The annotation is the stored form's: a v3 object that has it is `invalid`, unless it has had it
// `before`, from a time when nobody looked, or from a store that others wrote.
base::Result<> check_no_stored_metadata(const Kind& kind, const json::object& object,
                                        const json::object& before = {});

}  // namespace margay::api
