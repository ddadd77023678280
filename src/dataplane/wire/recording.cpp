#include "dataplane/wire/recording.h"

#include <fcntl.h>
#include <spdlog/spdlog.h>

#include "dataplane/wire/messages.h"

namespace margay::dataplane::wire {

using base::Result;

Result<std::unique_ptr<Recorder>> Recorder::create(std::unique_ptr<DataPlane> recorded,
                                                   const std::filesystem::path& file,
                                                   const std::string& node) {
  if (std::error_code ignored; std::filesystem::is_regular_file(file, ignored)) {
    const std::string previous = file.string() + ".previous";
    if (rename(file.c_str(), previous.c_str()) != 0)
      return base::fail_errno("keep the recording before as " + previous, errno);
  }
  base::UniqueFd fd(open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!fd) return base::fail_errno("record into " + file.string(), errno);
  std::unique_ptr<Recorder> recorder(new Recorder(std::move(recorded), std::move(fd)));
  MARGAY_CHECK(recorder->writer_.write(header_of(node)));
  MARGAY_CHECK(recorder->writer_.flush());
  return recorder;
}

Recorder::Recorder(std::unique_ptr<DataPlane> recorded, base::UniqueFd file)
    : recorded_(std::move(recorded)),
      writer_(std::move(file)),
      started_(std::chrono::steady_clock::now()) {}

void Recorder::end_on(const Result<>& failure) {
  if (failure) return;
  ended_ = true;
  spdlog::error("the recording ends here: {}", failure.error().message);
}

void Recorder::record(proto::Frame frame) {
  if (ended_) return;
  const auto elapsed = std::chrono::steady_clock::now() - started_;
  frame.set_elapsed_ns(
      static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(elapsed).count()));
  end_on(writer_.write(frame));
}

void Recorder::flush() {
  if (!ended_) end_on(writer_.flush());
}

void Recorder::on_delta(const policy::Delta& delta) {
  proto::Frame frame;
  *frame.mutable_delta() = to_message(delta);
  record(std::move(frame));
  recorded_->on_delta(delta);
}

void Recorder::on_interface(const Interface& interface) {
  proto::Frame frame;
  *frame.mutable_interface() = to_message(interface);
  record(std::move(frame));
  recorded_->on_interface(interface);
}

void Recorder::on_interface_removed(const std::string& name) {
  proto::Frame frame;
  frame.set_interface_removed(name);
  record(std::move(frame));
  recorded_->on_interface_removed(name);
}

ApplyReport Recorder::apply() {
  proto::Frame frame;
  frame.mutable_apply();
  record(std::move(frame));
  flush();
  ApplyReport report = recorded_->apply();
  proto::Frame answer;
  *answer.mutable_report() = to_message(report);
  record(std::move(answer));
  return report;
}

void Recorder::resync(StateKind kind) {
  proto::Frame frame;
  frame.set_resync(static_cast<proto::StateKind>(kind));
  record(std::move(frame));
  recorded_->resync(kind);
}

Result<> Recorder::clean_up() {
  proto::Frame frame;
  frame.mutable_clean_up();
  record(std::move(frame));
  flush();
  return recorded_->clean_up();
}

Result<Recording> Recording::open(const std::filesystem::path& file) {
  base::UniqueFd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return base::fail_errno("replay " + file.string(), errno);
  FrameReader reader(std::move(fd));
  const auto header = reader.read_header();
  if (!header) return base::fail(header.error().wrap(file.string() + " is no recording"));
  return Recording(file.string(), std::move(reader), header->node());
}

Result<> Recording::play(const proto::Frame& frame, DataPlane& data_plane, Replayed& replayed) {
  switch (frame.content_case()) {
    case proto::Frame::kDelta: {
      MARGAY_TRY(const policy::Delta delta, from_message(frame.delta()));
      data_plane.on_delta(delta);
      ++replayed.deltas;
      return {};
    }
    case proto::Frame::kInterface: {
      MARGAY_TRY(const Interface interface, from_message(frame.interface()));
      data_plane.on_interface(interface);
      return {};
    }
    case proto::Frame::kInterfaceRemoved:
      data_plane.on_interface_removed(frame.interface_removed());
      return {};
    case proto::Frame::kResync:
      if (frame.resync() > proto::ROUTES)
        return base::fail(base::ErrorCode::invalid, "resync: a kind that is not known");
      data_plane.resync(static_cast<StateKind>(frame.resync()));
      return {};
    case proto::Frame::kCleanUp:
      return data_plane.clean_up();
    case proto::Frame::kApply: {
      const ApplyReport report = data_plane.apply();
      ++replayed.applies;
      if (!report.outcome) {
        ++replayed.failed_applies;
        replayed.last_failure = report.outcome.error().message;
      }
      for (const auto& [key, status] : report.endpoints) {
        if (status)
          replayed.endpoints.insert_or_assign(key, *status);
        else
          replayed.endpoints.erase(key);
      }
      return {};
    }
    case proto::Frame::kCapabilities:  // what the recorded data plane said
    case proto::Frame::kReport:
    case proto::Frame::kEndpoint:
    case proto::Frame::kFlows:
    case proto::Frame::kPublicKey:
      return {};
    case proto::Frame::kHeader:
      return base::fail(base::ErrorCode::invalid, "another stream begins within this one");
    case proto::Frame::CONTENT_NOT_SET:
      break;
  }
  // Passed over, it could be the rule that closes something.
  return base::fail(base::ErrorCode::unsupported,
                    "it is of a kind that this version does not know: a later version wrote it");
}

Result<Replayed> Recording::play(DataPlane& data_plane) {
  Replayed replayed{.node = node_};
  for (uint64_t number = 1;; ++number) {
    const auto frame = reader_.read();
    if (!frame)
      return base::fail(frame.error().wrap(fmt::format("{}: after {} deltas and {} applies", path_,
                                                       replayed.deltas, replayed.applies)));
    if (!*frame) return replayed;
    if (const auto played = play(**frame, data_plane, replayed); !played)
      return base::fail(
          played.error().wrap(fmt::format("{}: frame {}, after {} deltas and {} applies", path_,
                                          number, replayed.deltas, replayed.applies)));
  }
}

}  // namespace margay::dataplane::wire
