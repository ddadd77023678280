#pragma once

// Text on its way to a client, taken a piece at a time. What many clients are sent is shared and
// never copied as a whole: of an event of a megabyte, each of a thousand connections holds the
// piece that it is writing.

#include <deque>
#include <memory>
#include <string>
#include <string_view>

#include "apiserver/unread_answers.h"

namespace margay::apiserver {

class Sendable {
 public:
  void push(std::string text) {
    if (text.empty()) return;
    auto owner = std::make_shared<const std::string>(std::move(text));
    const std::string_view whole = *owner;
    parts_.push_back({std::move(owner), whole, whole.size(), false});
  }
  // `owner`, shared with others and of that many bytes, keeps the text alive.
  void push(std::shared_ptr<const void> owner, size_t bytes, std::string_view text) {
    if (!text.empty()) parts_.push_back({std::move(owner), text, bytes, true});
  }
  bool empty() const { return parts_.empty(); }
  // Whether a part has been taken, but not to its end.
  bool is_within_part() const { return within_part_; }
  void add_to(Unread& unread) const {
    for (const auto& part : parts_)
      if (part.is_shared)
        unread.shared.emplace_back(part.owner.get(), part.bytes);
      else
        unread.own += part.bytes;
  }

  // Appends to `out` until it has `size` bytes or there is no more.
  void take(std::string& out, size_t size) {
    while (out.size() < size && !parts_.empty()) {
      auto& part = parts_.front();
      const auto piece = part.text.substr(0, size - out.size());
      out += piece;
      part.text.remove_prefix(piece.size());
      within_part_ = !part.text.empty();
      if (!within_part_) parts_.pop_front();
    }
  }

 private:
  struct Part {
    std::shared_ptr<const void> owner;
    std::string_view text;
    size_t bytes;  // of the owner
    bool is_shared;
  };
  std::deque<Part> parts_;
  bool within_part_ = false;
};

// One piece of a body that is made while it is sent.
struct Piece {
  enum class Next {
    take,  // there is more
    read,  // read() first, which blocks on the store
    wait,  // there is nothing until on_ready()'s call
    end,   // that was the last
    cut,   // it cannot be finished: the connection must end without a proper end of the body
  };
  std::string text;
  Next next = Next::take;
};

// About a TLS record: what a connection holds of its body, whatever the body's size.
inline constexpr size_t k_piece_bytes = 16'000;
// What a body reads from the store at once (one object more, however large).
inline constexpr size_t k_page_bytes = 64 << 10;

}  // namespace margay::apiserver
