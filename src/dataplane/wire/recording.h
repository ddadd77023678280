#pragma once

// A data plane's work, kept in a file: what the agent asked of it, in its order, and when. An
// incident on a node becomes a file that can be played to any data plane, anywhere.
//
//   margay node --record FILE          margay replay FILE --dataplane memory
//
// A file is a stream of frames (frame.h). What was asked before an apply() is in the file before it
// is applied; an agent that is killed leaves a file that ends early, at worst within a frame.

#include <chrono>
#include <filesystem>
#include <map>
#include <memory>
#include <string>

#include "base/result.h"
#include "dataplane/dataplane.h"
#include "dataplane/wire/frame.h"

namespace margay::dataplane::wire {

// Passes everything on to the data plane that it records. A file that cannot be written any more is
// said once, and ends the recording, not the data plane.
class Recorder final : public DataPlane {
 public:
  // A recording that is there, that of the agent before, is kept as "<file>.previous"; what has
  // that name is replaced.
  static base::Result<std::unique_ptr<Recorder>> create(std::unique_ptr<DataPlane> recorded,
                                                        const std::filesystem::path& file,
                                                        const std::string& node);

  Capabilities capabilities() const override { return recorded_->capabilities(); }
  void on_delta(const policy::Delta& delta) override;
  void on_interface(const Interface& interface) override;
  void on_interface_removed(const std::string& name) override;
  ApplyReport apply() override;
  void resync(StateKind kind) override;
  base::Result<> clean_up() override;

 private:
  Recorder(std::unique_ptr<DataPlane> recorded, base::UniqueFd file);
  void record(proto::Frame frame);
  void flush();
  void end_on(const base::Result<>& failure);

  const std::unique_ptr<DataPlane> recorded_;
  FrameWriter writer_;
  const std::chrono::steady_clock::time_point started_;
  bool ended_ = false;
};

struct Replayed {
  std::string node;  // whose data plane was recorded
  uint64_t deltas = 0, applies = 0, failed_applies = 0;
  std::string last_failure;
  std::map<EndpointKey, EndpointStatus> endpoints;  // as last reported
};

// Opens a recording: `not_found`, or `invalid` when the file is none.
class Recording {
 public:
  static base::Result<Recording> open(const std::filesystem::path& file);
  const std::string& node() const { return node_; }
  // Plays the rest to `data_plane`, as fast as it takes it. `invalid` names the place from which on
  // the file cannot be read, and `unsupported` that of a frame that this version does not know:
  // everything before it has been played, and what was asked since the last apply() is not in
  // effect.
  base::Result<Replayed> play(DataPlane& data_plane);

 private:
  Recording(std::string path, FrameReader reader, std::string node)
      : path_(std::move(path)), reader_(std::move(reader)), node_(std::move(node)) {}
  base::Result<> play(const proto::Frame& frame, DataPlane& data_plane, Replayed& replayed);

  std::string path_;
  FrameReader reader_;
  std::string node_;
};

}  // namespace margay::dataplane::wire
