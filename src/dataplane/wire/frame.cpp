#include "dataplane/wire/frame.h"

#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <cerrno>

namespace margay::dataplane::wire {
namespace {

using base::ErrorCode;
using base::fail;
using base::Result;

constexpr size_t k_chunk = size_t{64} * 1024;
constexpr size_t k_longest_length = 5;  // bytes of a LEB128 number below 2^35

void append_length(size_t length, std::string& to) {
  for (; length >= 0x80; length >>= 7) to += static_cast<char>(length | 0x80);
  to += static_cast<char>(length);
}

}  // namespace

proto::Frame header_of(const std::string& node) {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  proto::Frame frame;
  frame.mutable_header()->set_format(k_format);
  frame.mutable_header()->set_version(k_version);
  frame.mutable_header()->set_node(node);
  frame.mutable_header()->set_program(std::string("margay ") + MARGAY_VERSION);
  frame.mutable_header()->set_started_unix_ns(
      static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(now).count()));
  return frame;
}

Result<> FrameWriter::write(const proto::Frame& frame) {
  const size_t length = frame.ByteSizeLong();
  if (length > k_max_frame)
    return fail(ErrorCode::too_large, fmt::format("a frame of {} bytes", length));
  append_length(length, buffer_);
  if (!frame.AppendToString(&buffer_)) return fail(ErrorCode::internal, "a frame is incomplete");
  return {};
}

Result<> FrameWriter::flush() {
  size_t done = 0;
  while (done < buffer_.size()) {
    const ssize_t put = ::write(fd_.get(), buffer_.data() + done, buffer_.size() - done);
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return base::fail_errno("write frames", errno);
    done += static_cast<size_t>(put);
  }
  buffer_.clear();
  return {};
}

Result<bool> FrameReader::fill(size_t size) {
  std::array<char, k_chunk> chunk;
  while (buffer_.size() < size) {
    const ssize_t got = ::read(fd_.get(), chunk.data(), chunk.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return base::fail_errno("read frames", errno);
    if (got == 0) return false;
    buffer_.append(chunk.data(), static_cast<size_t>(got));
  }
  return true;
}

Result<std::optional<size_t>> FrameReader::read_length() {
  size_t length = 0;
  for (size_t i = 0; i < k_longest_length; ++i) {
    MARGAY_TRY(const bool there, fill(i + 1));
    if (!there && i == 0) return std::nullopt;
    if (!there) return fail(ErrorCode::invalid, fmt::format("byte {}: it is cut off", offset_));
    const auto byte = static_cast<uint8_t>(buffer_[i]);
    length |= size_t{byte & 0x7fU} << (7 * i);
    if ((byte & 0x80) != 0) continue;
    if (length > k_max_frame) break;
    buffer_.erase(0, i + 1);
    offset_ += i + 1;
    return length;
  }
  return fail(
      ErrorCode::invalid,
      fmt::format("byte {}: no frame begins here: it is damaged, or something else", offset_));
}

Result<std::optional<proto::Frame>> FrameReader::read() {
  MARGAY_TRY(const auto length, read_length());
  if (!length) return std::nullopt;
  MARGAY_TRY(const bool there, fill(*length));
  if (!there)
    return fail(ErrorCode::invalid,
                fmt::format("byte {}: it is cut off: a frame of {} bytes has {}", offset_, *length,
                            buffer_.size()));
  proto::Frame frame;
  const bool parsed = frame.ParseFromArray(buffer_.data(), static_cast<int>(*length));
  if (!parsed)
    return fail(ErrorCode::invalid,
                fmt::format("byte {}: no frame: it is damaged, or something else", offset_));
  buffer_.erase(0, *length);
  offset_ += *length;
  return frame;
}

Result<proto::Header> FrameReader::read_header() {
  const auto first = read();
  const bool ours =
      first && *first && (*first)->has_header() && (*first)->header().format() == k_format;
  if (!first && first.error().code != ErrorCode::invalid) return fail(first.error());
  if (!ours)
    return fail(ErrorCode::invalid, "it does not begin as a stream of a margay data plane does");
  const proto::Header& header = (*first)->header();
  if (header.version() != k_version)
    return fail(ErrorCode::unsupported,
                fmt::format("it is of version {} (by {}); this program reads version {}",
                            header.version(), header.program(), k_version));
  return header;
}

}  // namespace margay::dataplane::wire
