// What the engine's tests share: an engine on a real store, turns by hand, and short words for commands.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "storage/temp_dir.h"
#include "streams/engine.h"

namespace tocsin::streams {

class EngineTest : public ::testing::Test {
 protected:
  EngineTest() { Reopen(); }

  void Reopen() {
    engine_.reset();
    store_.reset();
    auto opened = storage::OpenStore({.dir = dir_.path() + "/store", .min_free_bytes = 0});
    ASSERT_TRUE(opened.ok()) << opened.status().message();
    store_ = std::move(opened).value();
    engine_ = std::make_unique<StreamEngine>(*store_, clock_, options_);
  }

  // One turn with what was staged since the last.
  void Commit() {
    storage::Batch batch;
    ASSERT_TRUE(engine_->BeforeCommit(batch).ok());
    const auto status = store_->Write(batch, storage::Sync::kLater);
    ASSERT_TRUE(status.ok()) << status.message();
    engine_->AfterCommit(status);
    turn_changes_ = batch.changes();
  }

  // A turn that fails.
  void Fail() {
    storage::Batch batch;
    ASSERT_TRUE(engine_->BeforeCommit(batch).ok());
    engine_->AfterCommit({base::Code::kNoSpace, "full"});
  }

  // XADD key id f v
  std::string Add(std::string_view key, std::string_view id, AppendOptions options = {}, std::string_view value = "v") {
    const auto asked = ParseAddId(id);
    if (!asked) return std::string(kInvalidId);
    options.id = *asked;
    const FieldView fields[] = {{"f", value}};
    const auto added = engine_->Append(key, fields, options);
    if (!added.ok()) return std::string(added.status().message());
    return *added ? (*added)->ToString() : "nil";
  }

  std::vector<std::string> Ids(const base::Result<Entries>& entries) {
    std::vector<std::string> ids;
    if (!entries.ok()) return {std::string(entries.status().message())};
    for (const EntryView& entry : entries->list) ids.push_back(entry.id().ToString() + (entry.gone() ? " gone" : ""));
    return ids;
  }
  std::vector<std::string> All(std::string_view key) { return Ids(engine_->Range(key, {}, EntryId::Max())); }

  StreamReport Report(std::string_view key) {
    auto report = engine_->ReportStream(key);
    EXPECT_TRUE(report.ok()) << report.status().message();
    return report.ok() ? *report : StreamReport();
  }
  GroupReport Group(std::string_view key, std::string_view group) {
    auto reports = engine_->ReportGroups(key);
    EXPECT_TRUE(reports.ok());
    for (const auto& report : *reports) {
      if (report.name == group) return report;
    }
    ADD_FAILURE() << "no group " << group;
    return {};
  }
  void Take(std::string_view key, std::string_view group, std::string_view consumer, ReadGroupOptions options = {}) {
    EXPECT_TRUE(engine_->ReadGroup(key, group, consumer, options).ok());
  }
  uint64_t Delete(std::string_view key, std::vector<EntryId> ids) { return *engine_->Delete(key, ids); }

  storage::TempDir dir_;
  base::ManualClock clock_{1000};
  EngineOptions options_;
  std::unique_ptr<storage::Store> store_;
  std::unique_ptr<StreamEngine> engine_;
  size_t turn_changes_ = 0;
};

}  // namespace tocsin::streams
