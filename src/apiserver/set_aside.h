#pragma once

// Stored objects that cannot be read: answers go without them, so that one bad row stops nobody
// else. Each is named once in the log and counted. Safe from any thread.

#include <functional>
#include <map>
#include <mutex>

#include "apiserver/status.h"
#include "store/store.h"

namespace margay::apiserver {

class SetAside {
 public:
  // `why` names the object. Told once for each revision of it.
  void add(const store::Entry& entry, const Status& why);
  // Called with each that is new. To be set before the first.
  void on_new(std::function<void(const store::Key&)> call) { on_new_ = std::move(call); }

 private:
  std::mutex mutex_;
  std::map<store::Key, store::Revision> told_;
  std::function<void(const store::Key&)> on_new_;
};

}  // namespace margay::apiserver
