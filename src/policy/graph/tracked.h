#pragma once

#include <map>
#include <optional>
#include <utility>
#include <vector>

namespace margay::policy {

// A table that knows how it differs from what it was at the last take_difference(). An entry that
// changed and changed back does not differ.
template <typename K, typename V>
class Tracked {
 public:
  struct Difference {
    std::vector<std::pair<K, V>> updated;
    std::vector<K> removed;
  };

  void set(const K& key, V value) {
    const auto [entry, is_new] = entries_.try_emplace(key);
    if (is_new)
      before_.try_emplace(key, std::nullopt);
    else
      before_.try_emplace(key, entry->second);
    entry->second = std::move(value);
  }

  void erase(const K& key) {
    const auto entry = entries_.find(key);
    if (entry == entries_.end()) return;
    before_.try_emplace(key, std::move(entry->second));
    entries_.erase(entry);
  }

  void assign(const K& key, const std::optional<V>& value) {
    if (value)
      set(key, *value);
    else
      erase(key);
  }

  const V* find(const K& key) const {
    const auto entry = entries_.find(key);
    return entry == entries_.end() ? nullptr : &entry->second;
  }

  size_t size() const { return entries_.size(); }

  Difference take_difference() {
    Difference difference;
    for (auto& [key, before] : before_) {
      const V* now = find(key);
      if (now && (!before || !(*before == *now)))
        difference.updated.emplace_back(key, *now);
      else if (!now && before)
        difference.removed.push_back(key);
    }
    before_.clear();
    return difference;
  }

 private:
  std::map<K, V> entries_;
  std::map<K, std::optional<V>> before_;  // entries touched since, as they were; unset: not there
};

}  // namespace margay::policy
