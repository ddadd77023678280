#pragma once

// Frames of dataplane.proto on a file descriptor: each after its length. A file or a socket;
// blocking. One thread for a writer, one for a reader.

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "base/result.h"
#include "base/unique_fd.h"
#include "dataplane/wire/dataplane.pb.h"

namespace margay::dataplane::wire {

inline constexpr const char* k_format = "margay data plane";
inline constexpr uint32_t k_version = 1;
// Longer ones are damage, not data: a set of 1,000,000 members takes 25 MB.
inline constexpr size_t k_max_frame = size_t{256} * 1024 * 1024;

// What a stream begins with.
proto::Frame header_of(const std::string& node);

class FrameWriter {
 public:
  explicit FrameWriter(base::UniqueFd fd) : fd_(std::move(fd)) {}

  // Kept back until flush().
  base::Result<> write(const proto::Frame& frame);
  base::Result<> flush();

 private:
  base::UniqueFd fd_;
  std::string buffer_;
};

class FrameReader {
 public:
  explicit FrameReader(base::UniqueFd fd) : fd_(std::move(fd)) {}

  // Nothing at the end of the stream. `invalid` when it ends within a frame or is no such stream,
  // with the place.
  base::Result<std::optional<proto::Frame>> read();
  // The stream's first frame: `invalid` when it is of another format or a later version.
  base::Result<proto::Header> read_header();

 private:
  // Of the frame that begins here; nothing at the end of the stream.
  base::Result<std::optional<size_t>> read_length();
  // Makes `size` bytes available in buffer_; false when the stream ends before.
  base::Result<bool> fill(size_t size);

  base::UniqueFd fd_;
  std::string buffer_;
  uint64_t offset_ = 0;  // of the buffer's first byte in the stream
};

}  // namespace margay::dataplane::wire
