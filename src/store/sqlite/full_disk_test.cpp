// What the store does on a disk that is full.

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <functional>

#include "store/sqlite/sqlite_fixture.h"

namespace margay::store::sqlite {
namespace {

using namespace std::string_literals;
using base::ErrorCode;

class FullDisk : public SqliteStoreTest {};

constexpr int k_no_permission = 77;

// Runs `body` in a child process with a file system of `size` bytes of its own at `folder`.
int on_small_disk(const std::string& folder, const char* size, const std::function<int()>& body) {
  const pid_t child = ::fork();
  if (child == 0) {
    const bool mounted = ::unshare(CLONE_NEWNS) == 0 &&
                         ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
                         ::mount("tmpfs", folder.c_str(), "tmpfs", 0, size) == 0;
    ::_exit(mounted ? body() : k_no_permission);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

TEST_F(FullDisk, RefusesWritesKeepsTheRestAndRecovers) {
  const int status = on_small_disk(folder_.file(""), "size=4m", [this] {
    const auto ballast = folder_.file("ballast");
    std::ofstream(ballast) << std::string(2U << 20U, 'x');
    const auto store = open();
    int written = 0;
    base::Result<Entry> result;
    do {
      result = store->create(thing(std::to_string(written)), std::string(10'000, 'v'));
    } while (result && ++written < 10'000);
    if (result || result.error().code != ErrorCode::unavailable) return 1;
    if (written == 0) return 2;
    for (int i = 0; i < written; ++i)
      if (!store->get(thing(std::to_string(i)))) return 3;
    if (store->get(thing(std::to_string(written)))) return 4;
    const auto head = store->head().value();

    std::filesystem::remove(ballast);
    const auto again = store->create(thing(std::to_string(written)), "fits now");
    if (!again) return 5;
    return again->revision == head + 1 ? 0 : 6;
  });
  if (status == k_no_permission) GTEST_SKIP() << "mounting a file system needs CAP_SYS_ADMIN";
  EXPECT_EQ(status, 0);
}

// Changes of one object are history, which goes when the disk is full.
TEST_F(FullDisk, ADiskThatHistoryFilledIsWrittenAgain) {
  const int status = on_small_disk(folder_.file(""), "size=64m", [this] {
    const auto store = open();
    if (!store->create(thing("one"), "small")) return 1;
    int refused = 0;
    for (int i = 0; i < 600; ++i) {  // 120 MB
      const auto written = store->update(thing("one"), std::string(200'000, 'v'), std::nullopt);
      if (!written && written.error().code != ErrorCode::unavailable) return 2;
      refused += written ? 0 : 1;
    }
    if (refused > 30) return 3;
    if (!store->create(thing("another"), std::string(200'000, 'v'))) return 4;
    return store->remove(thing("one"), std::nullopt) ? 0 : 5;
  });
  if (status == k_no_permission) GTEST_SKIP() << "mounting a file system needs CAP_SYS_ADMIN";
  EXPECT_EQ(status, 0);
}

// Objects that grow on a full disk do not take the room that removing them needs.
TEST_F(FullDisk, OnAFullDiskObjectsThatGrowLeaveRoomForRemovals) {
  const int status = on_small_disk(folder_.file(""), "size=64m", [this] {
    const auto store = open();
    int written = 0;
    for (int refused = 0; refused < 3 && written < 5'000; ++written)
      if (!store->create(thing(std::to_string(written)), std::string(30'000, 'v'))) {
        ++refused;
        --written;
      }
    for (int i = 0; i < written; ++i)
      static_cast<void>(
          store->update(thing(std::to_string(i)), std::string(200'000, 'w'), std::nullopt));
    // A mark that it is to be removed.
    for (int i = 0; i < written; ++i)
      if (!store->update(thing(std::to_string(i)), std::string(30'100, 'm'), std::nullopt))
        return 2;
    int removed = 0;
    for (int i = 0; i < written; ++i)
      for (int attempt = 0; attempt < 20; ++attempt)
        if (store->remove(thing(std::to_string(i)), std::nullopt)) {
          ++removed;
          break;
        }
    return removed == written && written > 100 ? 0 : 1;
  });
  if (status == k_no_permission) GTEST_SKIP() << "mounting a file system needs CAP_SYS_ADMIN";
  EXPECT_EQ(status, 0);
}

// The room that the file has is used up by names, not only by values.
TEST_F(FullDisk, SmallObjectsWithLongNamesDoNotOutrunTheLookAtTheDisk) {
  const int status = on_small_disk(folder_.file(""), "size=24m", [this] {
    const auto store = open();
    const auto name = [](int i) { return thing(std::to_string(i) + std::string(240, 'n')); };
    const auto fill = [&](int from) {
      while (store->create(name(from), "v")) ++from;
      return from;
    };
    const auto remove = [&](int from, int to) {
      for (; from < to; ++from)
        if (!store->remove(name(from), std::nullopt) && !store->remove(name(from), std::nullopt))
          return false;
      return true;
    };
    const int first = fill(0);
    if (!remove(0, first * 3 / 5)) return 1;
    const int second = fill(first);
    if (second == first) return 2;
    return remove(first * 3 / 5, second) ? 0 : 3;
  });
  if (status == k_no_permission) GTEST_SKIP() << "mounting a file system needs CAP_SYS_ADMIN";
  EXPECT_EQ(status, 0);
}

// Nobody could make room if the store did not open: what is held for that is given up.
TEST_F(FullDisk, OnADiskThatOthersFilledItOpensAgain) {
  const int status = on_small_disk(folder_.file(""), "size=24m", [this] {
    if (!open()->create(thing("0"), "v")) return 1;
    std::ofstream ballast(folder_.file("ballast"));
    while (ballast << std::string(4'096, 'x') << std::flush) {
    }
    const auto store = open();
    const auto again = store->create(thing("0"), "v");
    if (again || again.error().code != ErrorCode::already_exists) return 2;
    // The commit that meets the full disk is refused.
    return store->remove(thing("0"), std::nullopt) || store->remove(thing("0"), std::nullopt) ? 0
                                                                                              : 3;
  });
  if (status == k_no_permission) GTEST_SKIP() << "mounting a file system needs CAP_SYS_ADMIN";
  EXPECT_EQ(status, 0);
}

// What fills the disk are objects: none can be created, but all removed, and then there is room.
TEST_F(FullDisk, OnADiskFullOfObjectsTheyCanBeRemoved) {
  const int status = on_small_disk(folder_.file(""), "size=64m", [this] {
    const auto store = open();
    int written = 0;
    int refused = 0;
    for (int i = 0; i < 2'000 && refused < 20; ++i) {
      const auto made = store->create(thing(std::to_string(written)), std::string(100'000, 'v'));
      written += made ? 1 : 0;
      refused += made ? 0 : 1;
    }
    if (refused < 20 || written < 20) return 1;
    int removed = 0;
    for (int i = 0; i < written; ++i)
      for (int attempt = 0; attempt < 20; ++attempt)
        if (store->remove(thing(std::to_string(i)), std::nullopt)) {
          ++removed;
          break;
        }
    if (removed != written) return 2;
    return store->create(thing("after"), std::string(100'000, 'v')) ? 0 : 3;
  });
  if (status == k_no_permission) GTEST_SKIP() << "mounting a file system needs CAP_SYS_ADMIN";
  EXPECT_EQ(status, 0);
}

}  // namespace
}  // namespace margay::store::sqlite
