#pragma once

// Typed access to the records of address management: one kind of object in the store, read and
// written by compare-and-swap. For the files of this folder.

#include <spdlog/spdlog.h>

#include <algorithm>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/codec.h"
#include "base/result.h"
#include "store/store.h"

namespace margay::ipam {

template <typename T>
struct Record {
  T object;
  store::Revision revision = 0;
};

// Somebody else was faster: read again and think again.
inline bool lost_race(const base::Error& error) {
  return error.code == base::ErrorCode::conflict || error.code == base::ErrorCode::already_exists ||
         error.code == base::ErrorCode::not_found;
}

// A record that is no object of its kind, or contradicts itself. What it is about must not be used;
// work on others goes on.
inline bool is_unreadable(const base::Error& error) {
  return error.code == base::ErrorCode::invalid || error.code == base::ErrorCode::internal;
}

// A compare-and-swap by others must notice that this record was written, though nothing of it
// changes: API servers give an object that is written as it was no new revision.
template <typename T>
void touch(Record<T>& record) {
  record.object.metadata.annotations["ipam.margay.io/touched-at"] = std::to_string(record.revision);
}

// True when writes went through, false when others were faster.
template <typename T>
base::Result<bool> won(const base::Result<T>& written) {
  if (written) return true;
  if (lost_race(written.error())) return false;
  return base::fail(written.error());
}

template <typename T>
class Records {
 public:
  Records(store::Store& store, std::string_view resource) : store_(store), resource_(resource) {}

  base::Result<std::optional<Record<T>>> find(const std::string& name) const {
    const auto entry = store_.get(key(name));
    if (!entry && entry.error().code == base::ErrorCode::not_found) return std::nullopt;
    if (!entry) return base::fail(entry.error().wrap(resource_ + " " + name));
    MARGAY_TRY(Record<T> record, decode(*entry));
    return std::optional(std::move(record));
  }

  // Those whose names begin so. One that cannot be read must not stop work on the others: it is
  // left out, and told to `unreadable`.
  using Unreadable = std::function<void(const std::string& name, const base::Error& error)>;
  base::Result<std::vector<Record<T>>> list(const std::string& name_prefix = {},
                                            const Unreadable& unreadable = warn) const {
    MARGAY_TRY(const store::List list,
               store_.list({.resource = resource_}, {.name_prefix = name_prefix}));
    std::vector<Record<T>> records;
    records.reserve(list.entries.size());
    for (const auto& entry : list.entries) {
      auto record = decode(entry);
      if (record) {
        records.push_back(*std::move(record));
      } else {
        unreadable(entry.key.name, record.error());
      }
    }
    return records;
  }

  // The same writes as below, to be made together with others (store::Store::write).
  store::Write creation(const T& object) const {
    return {.type = store::Write::Type::create,
            .key = key(object.metadata.name),
            .value = text(object)};
  }
  store::Write change(const Record<T>& record) const {
    return {.type = store::Write::Type::update,
            .key = key(record.object.metadata.name),
            .value = text(record.object),
            .expected = record.revision};
  }
  store::Write removal(const Record<T>& record) const {
    return {.type = store::Write::Type::remove,
            .key = key(record.object.metadata.name),
            .expected = record.revision};
  }

  base::Result<Record<T>> create(T object) const {
    const std::string& name = object.metadata.name;
    MARGAY_TRY(const auto entry, store_.create(key(name), text(object)));
    return Record<T>{std::move(object), entry.revision};
  }

  // The record's revision must still be the stored one; becomes that of this write.
  base::Result<> update(Record<T>& record) const {
    const std::string& name = record.object.metadata.name;
    MARGAY_TRY(const auto entry, store_.update(key(name), text(record.object), record.revision));
    record.revision = entry.revision;
    return {};
  }

  base::Result<> remove(const Record<T>& record) const {
    MARGAY_CHECK(store_.remove(key(record.object.metadata.name), record.revision));
    return {};
  }

 private:
  store::Key key(const std::string& name) const {
    return {.resource = resource_, .ns = {}, .name = name};
  }
  static void warn(const std::string& name, const base::Error& error) {
    spdlog::warn("{} is not used: {}", name, error.message);
  }
  static std::string text(const T& object) { return api::to_json(api::encode(object)); }
  base::Result<Record<T>> decode(const store::Entry& entry) const {
    auto json = api::parse_json(entry.value);
    if (!json) return base::fail(std::move(json).error().wrap(resource_ + " " + entry.key.name));
    auto object = api::decode<T>(*json);
    if (!object)
      return base::fail(std::move(object).error().wrap(resource_ + " " + entry.key.name));
    return Record<T>{*std::move(object), entry.revision};
  }

  store::Store& store_;
  std::string resource_;
};

}  // namespace margay::ipam
