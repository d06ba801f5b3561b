// What the tests of the services around streams share: a real store and engine, turns by a committer that is driven by
// hand, words for commands.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "storage/temp_dir.h"
#include "streams/engine.h"

namespace tocsin::notifier {

class UpkeepTest : public testing::Test {
 protected:
  UpkeepTest() {
    auto opened = storage::OpenStore({.dir = dir_.path(), .min_free_bytes = 0});
    EXPECT_TRUE(opened.ok()) << opened.status().ToString();
    store_ = std::move(*opened);
    streams_ = std::make_unique<streams::StreamEngine>(*store_, clock_);
  }

  // Before the first turn. The engine comes last.
  template <typename Service>
  void Serve(Service& service) {
    committer_ = std::make_unique<storage::Committer>(*store_, clock_,
                                                      std::vector<storage::Participant*>{&service, streams_.get()});
    committer_->Wake();
    Turns();
  }

  void Turns() {
    while (committer_->RunTurn()) {
    }
    EXPECT_EQ(committer_->stats().failed_turns, 0u);
  }

  // Lets time pass, and whatever it brings.
  void Pass(int64_t ms) {
    clock_.Advance(ms);
    Turns();
  }

  // In a turn of its own; ids are the time.
  std::string Add(std::string_view stream, std::string_view value = "v") {
    std::string id;
    EXPECT_TRUE(committer_
                    ->Submit([&](storage::Batch&) {
                      const streams::FieldView fields[] = {{"f", value}};
                      auto added = streams_->Append(stream, fields);
                      ASSERT_TRUE(added.ok()) << added.status().ToString();
                      id = (**added).ToString();
                    })
                    .ok());
    Turns();
    return id;
  }
  void AddMany(std::string_view stream, int entries, std::string_view value = "v") {
    ASSERT_TRUE(committer_
                    ->Submit([&](storage::Batch&) {
                      const streams::FieldView fields[] = {{"f", value}};
                      for (int i = 0; i < entries; ++i) ASSERT_TRUE(streams_->Append(stream, fields).ok());
                    })
                    .ok());
    Turns();
  }
  void MakeGroup(std::string_view stream, std::string_view group) {
    ASSERT_TRUE(streams_->GroupCreate(stream, group, {.make_stream = streams::MakeStream::kYes}).ok());
  }
  std::vector<model::EntryId> Read(std::string_view stream, std::string_view group, size_t count = SIZE_MAX) {
    std::vector<model::EntryId> ids;
    auto read = streams_->ReadMany(
        {.streams = {{.key = std::string(stream)}}, .group = std::string(group), .consumer = "worker", .count = count});
    EXPECT_TRUE(read.ok()) << read.status().ToString();
    for (const auto& one : *read) {
      for (const auto& entry : one.entries.list) ids.push_back(entry.id());
    }
    return ids;
  }
  uint64_t Length(std::string_view stream) { return *streams_->Length(stream); }

  storage::TempDir dir_;
  base::ManualClock clock_{1'000'000};
  std::unique_ptr<storage::Store> store_;
  std::unique_ptr<streams::StreamEngine> streams_;
  std::unique_ptr<storage::Committer> committer_;
};

}  // namespace tocsin::notifier
