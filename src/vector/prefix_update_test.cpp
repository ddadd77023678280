#include "vector/prefix_update.h"

#include <gmock/gmock.h>

#include <deque>
#include <map>
#include <random>

#include "vector/mapping.h"

namespace margay::vector {
namespace {

using Random = std::independent_bits_engine<std::mt19937, 32, uint32_t>;

template <typename Key>
typename std::conditional_t<sizeof(Key) == 4, PrefixNodes4, PrefixNodes6>::Address to_address(
    Key key) {
  if constexpr (sizeof(Key) == 4) {
    return key;
  } else {
    PrefixNodes6::Address bytes;
    for (unsigned i = 0; i < 16; ++i) bytes[i] = static_cast<uint8_t>(key >> (120 - 8 * i));
    return bytes;
  }
}

// Readers look while updates are under way: after each single store, both from the root and from
// every node that they reached a few updates ago, as a worker does that lost its core meanwhile.
template <typename Nodes>
class WatchedUpdates {
 public:
  using Key = typename Nodes::Key;
  static constexpr unsigned k_bits = k_key_bits<Key>;

  void let_all_end() {
    while (!under_way_.empty()) let_the_oldest_end();
  }

  void apply(Key key, unsigned length, uint32_t value) {
    key = masked(key, length);
    under_way_.push_back({readers_around(key, length), {}});
    const auto [own, above] = value != 0 ? tree_.set(key, length, value) : tree_.erase(key, length);
    if (value != 0) {
      model_[{length, key}] = value;
    } else {
      model_.erase({length, key});
    }
    for (auto& round : under_way_)
      for (Reader& reader : round.readers) reader.allowed.push_back(expected(reader.key));

    if ((own != 0 ? own : above) != (value != 0 ? value : above)) {
      PrefixUpdate<Nodes> update(tree_, root_.data(), blocks_, under_way_.back().retired);
      update.watch([&] {
        ++stores_;
        judge();
      });
      update.changed(key, length);
    }
    judge();
    for (const Reader& reader : under_way_.back().readers)
      EXPECT_EQ(fresh(reader.key), reader.allowed.back());
    if (under_way_.size() > k_rounds_under_way) let_the_oldest_end();
  }

  size_t stores() const { return stores_; }
  size_t memory() const { return blocks_.memory(); }
  std::map<std::pair<unsigned, Key>, uint32_t> content() const { return model_; }

 private:
  static constexpr size_t k_rounds_under_way = 4;

  struct Reader {
    Key key;
    std::vector<uint32_t> allowed;  // what has been right since it began
    std::vector<Entry> passed;
  };
  struct Round {
    std::vector<Reader> readers;  // began before the update
    std::vector<Entry> retired;   // by the update
  };

  std::vector<Reader> readers_around(Key key, unsigned length) {
    std::vector<Key> places = {key, static_cast<Key>(key | ~masked(~Key{0}, length))};
    for (unsigned bit = 0; bit < k_bits; bit += bit + 4 < length || bit > length + 4 ? 7 : 1)
      places.push_back(key ^ Key{1} << (k_bits - 1 - bit));
    // One inside the prefixes nearby, since these are what an update moves.
    for (const auto& [prefix, value] : model_) places.push_back(prefix.second);
    std::vector<Reader> readers;
    for (const Key place : places) {
      Reader reader{place, {expected(place)}, {}};
      Entry entry = load(root_[Nodes::root_index(to_address(place))]);
      for (; is_node(entry); entry = step<Nodes>(blocks_, entry, to_address(place)))
        reader.passed.push_back(entry);
      readers.push_back(reader);
    }
    return readers;
  }

  void judge() const {
    for (const Round& round : under_way_)
      for (const Reader& reader : round.readers) judge(reader);
    for (const Reader& reader : under_way_.back().readers)
      EXPECT_THAT(reader.allowed, testing::Contains(fresh(reader.key)));
  }
  void judge(const Reader& reader) const {
    for (const Entry entry : reader.passed)
      EXPECT_THAT(reader.allowed,
                  testing::Contains(finish<Nodes>(blocks_, entry, to_address(reader.key))));
  }

  void let_the_oldest_end() {
    for (const Entry node : under_way_.front().retired)
      blocks_.free(node & k_block, PrefixUpdate<Nodes>::block_bytes(blocks_, node));
    under_way_.pop_front();
  }

  uint32_t fresh(Key key) const {
    const auto address = to_address(key);
    return finish<Nodes>(blocks_, load(root_[Nodes::root_index(address)]), address);
  }
  uint32_t expected(Key key) const {
    for (unsigned length = k_bits + 1; length-- > 0;) {
      const auto found = model_.find({length, masked(key, length)});
      if (found != model_.end()) return found->second;
    }
    return 0;
  }

  PrefixTree<Key> tree_{size_t{1} << 24};
  MappedArray<Entry> root_{size_t{1} << Nodes::k_root_bits};
  BlockPool blocks_{size_t{1} << 24};
  std::map<std::pair<unsigned, Key>, uint32_t> model_;
  std::deque<Round> under_way_;
  size_t stores_ = 0;
};

template <typename Nodes>
class PrefixUpdateTest : public testing::Test {};
using Families = testing::Types<PrefixNodes4, PrefixNodes6>;
TYPED_TEST_SUITE(PrefixUpdateTest, Families);

// All in one place below the root, so that blocks are split, moved and merged.
TYPED_TEST(PrefixUpdateTest, AfterEachStoreEachReaderGetsAValueThatWasRightSinceItBegan) {
  using Key = typename TypeParam::Key;
  constexpr unsigned k_bits = k_key_bits<Key>;
  Random random(11);
  WatchedUpdates<TypeParam> updates;
  for (int round = 0; round < 1500; ++round) {
    // Along one path, and off it by a few bits.
    Key key = static_cast<Key>(0xfd) << (k_bits - 8);
    for (int flips = 0; flips < 3; ++flips)
      key ^= Key{1} << (random() % (k_bits - TypeParam::k_root_bits + 1));
    const unsigned length =
        TypeParam::k_root_bits - 2 + random() % (k_bits - TypeParam::k_root_bits + 3);
    // Erases more than it inserts when there is much.
    const bool erase = random() % 40 < updates.content().size();
    if (erase) {
      const auto content = updates.content();
      const auto victim = std::next(content.begin(), random() % content.size());
      updates.apply(victim->first.second, victim->first.first, 0);
    } else {
      updates.apply(key, length, 1 + random() % 4);
    }
    if (this->HasFailure()) FAIL() << "in round " << round;
  }
  EXPECT_GT(updates.stores(), 1000U);
  for (const auto& [prefix, value] : updates.content())
    updates.apply(prefix.second, prefix.first, 0);
  updates.let_all_end();
  EXPECT_EQ(updates.memory(), 0U);
}

}  // namespace
}  // namespace margay::vector
