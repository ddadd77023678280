#include "apiserver/reads.h"

#include "api/codec.h"

namespace margay::apiserver {
namespace {

Answer<> check_revision(const ListOptions& options, store::Revision current) {
  const auto asked = options.revision.value_or(0);
  if (options.match == RevisionMatch::any) return {};
  if (asked > current) return refuse(revision_too_large(asked, current));
  // History is for watches and for pages that go on; a list at an old revision is not kept.
  if (options.match == RevisionMatch::exact && asked != current)
    return refuse(expired("The resourceVersion for the provided list is too old."));
  return {};
}

Status page_error(const api::Kind& kind, const base::Error& error, bool resumed) {
  if (resumed && error.code == base::ErrorCode::invalid)
    return bad_request("continue key is not valid: " + error.message);
  if (error.code == base::ErrorCode::too_old)
    return expired(
        "The provided continue parameter is too old to display a consistent list "
        "result. You can start a new list without the continue parameter.");
  return from_error(kind, {}, error);
}

}  // namespace

Answer<store::List> read_list_page(store::Store& store, const api::Kind& kind,
                                   const ListOptions& options, const std::string& resume,
                                   store::ListOptions page) {
  page.name_prefix = options.name_prefix;
  page.resume = resume;
  auto list = store.list(options.scope, page);
  if (!list) return refuse(page_error(kind, list.error(), !resume.empty()));
  MARGAY_CHECK(check_revision(options, list->revision));
  return std::move(*list);
}

bool matches(const Filter& filter, const store::Entry& entry) {
  const auto object = api::parse_json(entry.value);
  return object && object->is_object() && filter.matches(object->as_object());
}

}  // namespace margay::apiserver
