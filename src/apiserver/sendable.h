#pragma once

// Text on its way to a client, taken a piece at a time. What many clients are sent is shared and
// never copied as a whole: of an event of a megabyte, each of a thousand connections holds the
// piece that it is writing.

#include <deque>
#include <memory>
#include <string>
#include <string_view>

namespace margay::apiserver {

class Sendable {
 public:
  void push(std::string text) {
    auto owned = std::make_shared<const std::string>(std::move(text));
    const std::string_view whole = *owned;
    push(std::move(owned), whole);
  }
  // `owner` keeps the text alive.
  void push(std::shared_ptr<const void> owner, std::string_view text) {
    if (!text.empty()) parts_.push_back({std::move(owner), text});
  }
  bool empty() const { return parts_.empty(); }

  // Appends to `out` until it has `size` bytes or there is no more.
  void take(std::string& out, size_t size) {
    while (out.size() < size && !parts_.empty()) {
      auto& part = parts_.front();
      const auto piece = part.text.substr(0, size - out.size());
      out += piece;
      part.text.remove_prefix(piece.size());
      if (part.text.empty()) parts_.pop_front();
    }
  }

 private:
  struct Part {
    std::shared_ptr<const void> owner;
    std::string_view text;
  };
  std::deque<Part> parts_;
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
