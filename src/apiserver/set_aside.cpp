#include "apiserver/set_aside.h"

#include <spdlog/spdlog.h>

namespace margay::apiserver {

void SetAside::add(const store::Entry& entry, const Status& why) {
  {
    const std::lock_guard lock(mutex_);
    auto& told = told_[entry.key];
    if (told == entry.revision) return;
    told = entry.revision;
  }
  spdlog::error("{}; answers go without it: delete it, or restore it from a backup", why.message);
  if (on_new_) on_new_(entry.key);
}

}  // namespace margay::apiserver
