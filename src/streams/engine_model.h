// The obvious model of the engine: sorted maps, and every command written as its definition reads. Commands on entries
// are in engine_model_entries.h, on groups in engine_model_groups.h, the runs in engine_model_test.cc.
#pragma once

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "base/random.h"
#include "streams/engine.h"

namespace tocsin::streams {

struct ModelPending {
  std::string consumer;
  int64_t delivered_ms;
  uint64_t deliveries;
};

struct ModelGroup {
  EntryId last;
  std::map<EntryId, ModelPending> pending;
  std::map<std::string, int64_t> consumers;  // active_ms
};

struct ModelStream {
  std::map<EntryId, std::string> entries;
  EntryId last, max_deleted;
  uint64_t added = 0;
  std::map<std::string, ModelGroup> groups;
  int64_t expires_ms = 0;
};

using Model = std::map<std::string, ModelStream>;

inline std::string Text(EntryId id) { return id.ToString() + " "; }

// Holds the model beside an engine, chooses arguments, compares.
class ModelBase {
 public:
  ModelBase(storage::Store& store, uint64_t seed, storage::Sync sync) : store_(&store), random_(seed), sync_(sync) {
    const uint64_t entries[] = {100, 100, 5, 1, 0};
    const uint64_t bytes[] = {4096, 4096, 300, 0};
    options_.nodes = {.max_entries = entries[random_.Below(5)], .max_bytes = bytes[random_.Below(4)]};
    options_.memory_bytes = random_.Below(2) == 0 ? 1 : 64 << 20;
    Restart();
    Good(engine_->DeleteAll());
    Commit();
  }

  // What was committed last must be in the store, or what a turn that failed tried to commit.
  void Recover(storage::Store& store) {
    store_ = &store;
    const bool attempt_survived = [&] {
      Restart();
      const bool same = std::exchange(same_, true);
      CompareAll();
      return std::exchange(same_, same);
    }();
    if (!attempt_survived) model_ = committed_;
    trace_.clear();
    committed_ = model_;
    Restart();
    CompareAll();
    if (!same_) ADD_FAILURE() << trace_;
  }
  // A turn that may fail for good; true when it did not.
  bool TryCommit() {
    storage::Batch batch;
    auto status = engine_->BeforeCommit(batch);
    if (status.ok()) status = store_->Write(batch, sync_);
    engine_->AfterCommit(status);
    if (status.ok()) committed_ = model_;
    return status.ok();
  }

 protected:
  std::string Key() { return std::string(1, static_cast<char>('a' + random_.Below(4))); }

  std::string GroupName() { return "g" + std::to_string(random_.Below(2)); }

  std::string ConsumerName() { return "c" + std::to_string(random_.Below(3)); }

  ModelStream* Find(const std::string& key) {
    const auto found = model_.find(key);
    return found == model_.end() ? nullptr : &found->second;
  }

  ModelGroup* FindGroup(const std::string& key, const std::string& group) {
    ModelStream* stream = Find(key);
    if (stream == nullptr) return nullptr;
    const auto found = stream->groups.find(group);
    return found == stream->groups.end() ? nullptr : &found->second;
  }

  // Mostly an id that is there.
  EntryId SomeId(const std::string& key) {
    const ModelStream* stream = Find(key);
    if (stream == nullptr || stream->entries.empty() || random_.Below(5) == 0) {
      return {static_cast<uint64_t>(clock_.NowMs()) - random_.Below(100), random_.Below(3)};
    }
    auto at = stream->entries.begin();
    std::advance(at, static_cast<std::ptrdiff_t>(random_.Below(stream->entries.size())));
    return at->first;
  }

  std::vector<EntryId> SomeIds(const std::string& key) {
    std::vector<EntryId> ids(1 + random_.Below(6));
    for (EntryId& id : ids) id = SomeId(key);
    return ids;
  }

  Refs SomeRefs() {
    const Refs all[] = {Refs::kKeep, Refs::kDelete, Refs::kAcked};
    return all[random_.Below(3)];
  }

  void Same(const std::string& what, const std::string& expected, const std::string& found) {
    trace_ += what + "\n";
    if (expected == found) return;
    same_ = false;
    trace_ += "  expected " + expected + "\n  found    " + found + "\n";
  }

  void Good(const base::Status& status) {
    if (!status.ok()) Same("status", "ok", status.ToString());
  }

  static std::string Show(const Entries& entries) {
    std::string text;
    for (const EntryView& entry : entries.list) {
      text += Text(entry.id());
      if (!entry.gone()) text += std::string(entry.Find("v")) + " " + std::to_string(entry.size()) + ", ";
    }
    return text;
  }

  static std::string ShowEntry(EntryId id, const std::string& value) {
    return Text(id) + value + " " + std::to_string(value.size() % 3 == 0 ? 2 : 1) + ", ";
  }

  static bool IsNeeded(const ModelStream& stream, EntryId id) {
    for (const auto& [name, group] : stream.groups) {
      if (group.last < id || group.pending.count(id) != 0) return true;
    }
    return false;
  }

  static void ForgetPending(ModelStream& stream, EntryId id) {
    for (auto& [name, group] : stream.groups) group.pending.erase(id);
  }

  void ExpireKeys() {
    std::erase_if(model_,
                  [&](const auto& s) { return s.second.expires_ms != 0 && s.second.expires_ms <= clock_.NowMs(); });
  }

  void PassTime() { clock_.Advance(static_cast<int64_t>(random_.Below(50))); }

  void Commit() {
    if (!TryCommit()) Same("commit", "ok", "failed");
  }

  void Fail() {
    storage::Batch batch;
    Good(engine_->BeforeCommit(batch));
    engine_->AfterCommit({base::Code::kNoSpace, "full"});
    model_ = committed_;
  }

  void Crash() {
    Restart();
    model_ = committed_;
  }

  void Restart() { engine_ = std::make_unique<StreamEngine>(*store_, clock_, options_); }

  void CompareAll() {
    ExpireKeys();
    std::string expected, found;
    for (const auto& [key, stream] : model_) expected += key;
    const auto keys = engine_->Keys("", 100);
    for (const auto& key : *keys) found += key;
    Same("keys", expected, found);
    Same("count", std::to_string(model_.size()), std::to_string(*engine_->CountKeys()));
    for (const auto& [key, stream] : model_) CompareStream(key, stream);
  }

  void CompareStream(const std::string& key, const ModelStream& stream) {
    const auto report = engine_->ReportFull(key, 0);
    if (!report.ok()) return Same("report " + key, "ok", report.status().ToString());
    std::string expected, found = Show(report->entries);
    for (const auto& [id, value] : stream.entries) expected += ShowEntry(id, value);
    Same("entries " + key, expected, found);
    expected = std::to_string(stream.entries.size()) + " " + Text(stream.last) + Text(stream.max_deleted) +
               std::to_string(stream.added) + " " +
               Text(stream.entries.empty() ? EntryId() : stream.entries.begin()->first);
    const StreamReport& figures = report->report;
    Same("figures " + key, expected,
         std::to_string(figures.length) + " " + Text(figures.last_id) + Text(figures.max_deleted) +
             std::to_string(figures.entries_added) + " " + Text(figures.first_id));
    Same("groups", std::to_string(stream.groups.size()), std::to_string(report->groups.size()));
    for (const auto& group : report->groups) CompareGroup(stream, group);
  }

  void CompareGroup(const ModelStream& stream, const FullReport::OfGroup& found) {
    const auto known = stream.groups.find(found.report.name);
    if (known == stream.groups.end()) return Same("group", "none", found.report.name);
    const ModelGroup& group = known->second;
    std::string expected = Text(group.last), text = Text(found.report.last_id);
    for (const auto& [id, p] : group.pending) {
      expected +=
          Text(id) + p.consumer + " " + std::to_string(p.delivered_ms) + " " + std::to_string(p.deliveries) + ", ";
    }
    for (const auto& p : found.pending) {
      text +=
          Text(p.id) + p.consumer + " " + std::to_string(p.delivered_ms) + " " + std::to_string(p.deliveries) + ", ";
    }
    for (const auto& [name, active] : group.consumers) {
      expected += name + " " + std::to_string(active) + ":";
      for (const auto& [id, p] : group.pending) {
        if (p.consumer == name) expected += Text(id);
      }
    }
    for (const auto& consumer : found.consumers) {
      text += consumer.report.name + " " + std::to_string(consumer.report.active_ms) + ":";
      for (const auto& p : consumer.pending) text += Text(p.id);
    }
    Same("group", expected, text);
    // The lag may be unknown, but not wrong.
    if (!found.report.lag || stream.last < group.last) return;
    const auto behind = std::distance(stream.entries.upper_bound(group.last), stream.entries.end());
    Same("lag", std::to_string(behind), std::to_string(*found.report.lag));
  }

  storage::Store* store_;
  base::SeededRandom random_;
  const storage::Sync sync_;
  base::ManualClock clock_{1'000'000};
  EngineOptions options_;
  std::unique_ptr<StreamEngine> engine_;
  Model model_, committed_;
  std::string trace_;
  bool same_ = true;
};

}  // namespace tocsin::streams
