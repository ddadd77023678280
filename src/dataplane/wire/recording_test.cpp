#include "dataplane/wire/recording.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <fstream>

#include "base/file.h"
#include "dataplane/memory/memory_dataplane.h"
#include "dataplane/wire/messages.h"
#include "policy/generate.h"
#include "policy/graph.h"

namespace margay::dataplane::wire {
namespace {

using memory::MemoryDataPlane;
using testing::HasSubstr;

struct RecordingTest : testing::Test {
  std::filesystem::path file =
      std::filesystem::temp_directory_path() / ("margay-recording-" + std::to_string(getpid()));

  ~RecordingTest() override {
    std::filesystem::remove(file);
    std::filesystem::remove(file.string() + ".previous");
  }

  // Records an agent's work on a generated cluster; returns the state that was reached.
  policy::ProgramState record(uint64_t seed) {
    auto plane = std::make_unique<MemoryDataPlane>();
    const MemoryDataPlane& reached = *plane;
    auto recorder = *Recorder::create(std::move(plane), file, "node-a");
    policy::Generator generator(seed);
    policy::Model model = generator.model();
    policy::Graph graph("node-a");
    for (const auto& change : model.changes()) graph.on_change(change);
    recorder->on_interface({.name = "eth0", .index = 2, .up = true});
    recorder->apply();
    graph.on_in_sync();
    for (int step = 0; step < 20; ++step) {
      for (const auto& delta : graph.flush())
        if (accepts(recorder->capabilities(), delta)) recorder->on_delta(delta);
      EXPECT_TRUE(recorder->apply().outcome);
      recorder->resync(StateKind::sets);
      const auto change = generator.change(model);
      model.apply(change);
      graph.on_change(change);
    }
    recorder->on_interface_removed("eth0");
    recorder->apply();
    return reached.programmed();
  }
  std::string bytes() const { return *base::read_file(file); }
  void write(const std::string& text) const { ASSERT_TRUE(base::write_file(file, text)); }
};

TEST_F(RecordingTest, PlaysToTheSameState) {
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    const policy::ProgramState reached = record(seed);
    auto recording = Recording::open(file);
    ASSERT_TRUE(recording) << recording.error().message;
    EXPECT_EQ(recording->node(), "node-a");
    MemoryDataPlane replayed;
    const auto played = recording->play(replayed);
    ASSERT_TRUE(played) << played.error().message;
    EXPECT_EQ(replayed.programmed(), reached) << "seed " << seed;
    EXPECT_EQ(played->applies, 22U);
    EXPECT_EQ(played->failed_applies, 0U);
    EXPECT_EQ(played->endpoints.size(), reached.workloads.size() + reached.host_endpoints.size());
  }
}

TEST_F(RecordingTest, ThatIsCutOffSaysWhereAndHowFarItGot) {
  record(1);
  const std::string whole = bytes();
  size_t clean_ends = 0;
  for (size_t size = 0; size < whole.size(); size += whole.size() / 97 + 1) {
    write(whole.substr(0, size));
    auto recording = Recording::open(file);
    if (!recording) {
      EXPECT_THAT(recording.error().message,
                  HasSubstr("is no recording: it does not begin as a stream of a margay"));
      continue;
    }
    MemoryDataPlane replayed;
    const auto played = recording->play(replayed);
    if (played) {
      ++clean_ends;  // cut between two frames, as when the agent ended there
      continue;
    }
    EXPECT_EQ(played.error().code, base::ErrorCode::invalid);
    EXPECT_THAT(played.error().message, HasSubstr("it is cut off"));
    EXPECT_THAT(played.error().message, HasSubstr("deltas and"));
  }
  EXPECT_LT(clean_ends, 20U);
}

TEST_F(RecordingTest, ThatIsSomethingElseIsRefused) {
  const std::string foreign[] = {"",
                                 "{\"kind\":\"Pod\"}\n",
                                 "#!/bin/sh\necho hello\n",
                                 std::string(4096, '\0'),
                                 std::string(4096, '\xff'),
                                 std::string("\x1f\x8b\x08\0\0\0\0\0\0\x03", 10)};
  for (const auto& text : foreign) {
    write(text);
    const auto recording = Recording::open(file);
    ASSERT_FALSE(recording) << text.substr(0, 20);
    EXPECT_EQ(recording.error().code, base::ErrorCode::invalid);
    EXPECT_THAT(recording.error().message, HasSubstr(file.string() + " is no recording"));
  }
  std::filesystem::remove(file);
  EXPECT_EQ(Recording::open(file).error().code, base::ErrorCode::not_found);
}

TEST_F(RecordingTest, OfALaterVersionIsRefusedByName) {
  auto header = header_of("node-a");
  header.mutable_header()->set_version(2);
  header.mutable_header()->set_program("margay v9");
  const std::string frame = header.SerializeAsString();
  write(std::string(1, static_cast<char>(frame.size())) + frame);
  const auto recording = Recording::open(file);
  ASSERT_FALSE(recording);
  EXPECT_THAT(recording.error().message,
              HasSubstr("it is of version 2 (by margay v9); this program reads version 1"));
}

TEST_F(RecordingTest, WithABadDeltaNamesTheFrame) {
  record(1);
  proto::Frame bad;
  bad.mutable_delta()->mutable_route_remove()->set_address("12345");
  std::ofstream(file, std::ios::app)
      << static_cast<char>(bad.ByteSizeLong()) << bad.SerializeAsString();
  MemoryDataPlane replayed;
  const auto played = Recording::open(file)->play(replayed);
  ASSERT_FALSE(played);
  EXPECT_THAT(played.error().message, HasSubstr("an address has 4 or 16 bytes"));
  EXPECT_THAT(played.error().message, HasSubstr(": frame "));
}

TEST_F(RecordingTest, WithAFrameOfALaterVersionIsNotPlayedPastIt) {
  record(1);
  const std::string whole = bytes();
  // Field 21 of Frame, a text: nothing that this version knows.
  const std::string unheard_of("\xaa\x01\x02hi", 5);
  write(whole + static_cast<char>(unheard_of.size()) + unheard_of);
  MemoryDataPlane replayed;
  const auto played = Recording::open(file)->play(replayed);
  ASSERT_FALSE(played);
  EXPECT_EQ(played.error().code, base::ErrorCode::unsupported);
  EXPECT_THAT(played.error().message, HasSubstr("22 applies: it is of a kind that this version"));
}

TEST_F(RecordingTest, OfTheAgentBeforeIsKept) {
  record(1);
  const std::string first = bytes();
  record(2);
  const std::string previous = file.string() + ".previous";
  EXPECT_EQ(base::read_file(previous), first);
  EXPECT_NE(bytes(), first);
  record(3);
  EXPECT_NE(base::read_file(previous), first);
}

TEST_F(RecordingTest, ThatCannotGoOnDoesNotStopTheDataPlane) {
  if (access("/dev/full", W_OK) != 0) GTEST_SKIP() << "needs /dev/full";
  EXPECT_FALSE(Recorder::create(std::make_unique<MemoryDataPlane>(), "/dev/full", "node-a"))
      << "a recording that cannot begin is an error at start";
}

TEST(Frames, CrossASocket) {
  int ends[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
  FrameWriter writer{base::UniqueFd(ends[0])};
  FrameReader reader{base::UniqueFd(ends[1])};
  ASSERT_TRUE(writer.write(header_of("node-a")));
  proto::Frame delta;
  *delta.mutable_delta() = to_message(policy::SetRemove{std::string(1000, 'x')});
  for (int i = 0; i < 50; ++i) ASSERT_TRUE(writer.write(delta));
  ASSERT_TRUE(writer.flush());
  ASSERT_TRUE(reader.read_header());
  for (int i = 0; i < 50; ++i) {
    const auto read = reader.read();
    ASSERT_TRUE(read);
    ASSERT_TRUE(*read);
    EXPECT_EQ((*read)->SerializeAsString(), delta.SerializeAsString());
  }
  writer = FrameWriter(base::UniqueFd());
  const auto end = reader.read();
  ASSERT_TRUE(end);
  EXPECT_FALSE(*end) << "the other end has closed";
}

}  // namespace
}  // namespace margay::dataplane::wire
