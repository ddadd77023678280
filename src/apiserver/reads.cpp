#include "apiserver/reads.h"

#include <boost/json/parse.hpp>

namespace margay::apiserver {
namespace {

bool matches(const Filter& filter, const store::Entry& entry) {
  boost::system::error_code error;
  const auto object = boost::json::parse(entry.value, error);
  return !error && object.is_object() && filter.matches(object.as_object());
}

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

Answer<Listing> list_objects(store::Store& store, const api::Kind& kind,
                             const ListOptions& options) {
  auto page = store.list(
      options.scope,
      {.name_prefix = options.name_prefix, .limit = options.limit, .resume = options.resume});
  if (!page) return refuse(page_error(kind, page.error(), !options.resume.empty()));
  MARGAY_CHECK(check_revision(options, page->revision));
  Listing out{std::move(page->entries), {.revision = page->revision, .resume = page->resume}};
  if (options.filter.empty())
    out.meta.remaining = page->remaining;  // with a filter nobody knows
  else
    std::erase_if(out.entries, [&](const auto& entry) { return !matches(options.filter, entry); });
  return out;
}

}  // namespace margay::apiserver
