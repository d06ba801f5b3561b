// The engine against an obvious model: sorted maps, and every command written as its definition reads. Random commands
// on a few keys, in turns that are committed, fail, or are cut short by a crash; node sizes and the memory limit are
// part of the seed. A difference prints the seed and the step.
#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/random.h"
#include "storage/temp_dir.h"
#include "streams/engine.h"

namespace tocsin::streams {
namespace {

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

std::string Text(EntryId id) { return id.ToString() + " "; }

class ModelRun {
 public:
  ModelRun(storage::Store& store, uint64_t seed) : store_(store), random_(seed) {
    const uint64_t entries[] = {100, 100, 5, 1, 0};
    const uint64_t bytes[] = {4096, 4096, 300, 0};
    options_.nodes = {.max_entries = entries[random_.Below(5)], .max_bytes = bytes[random_.Below(4)]};
    options_.memory_bytes = random_.Below(2) == 0 ? 1 : 64 << 20;
    Restart();
    Good(engine_->DeleteAll());
    Commit();
  }

  // False: a difference was reported.
  bool Step() {
    trace_.clear();
    ExpireKeys();
    using Command = void (ModelRun::*)();
    static constexpr std::pair<unsigned, Command> kWeights[] = {
        {25, &ModelRun::Append},     {7, &ModelRun::Range},     {5, &ModelRun::TrimSome},     {6, &ModelRun::Delete},
        {4, &ModelRun::CreateGroup}, {10, &ModelRun::ReadNew},  {3, &ModelRun::ReadHistory},  {7, &ModelRun::Ack},
        {4, &ModelRun::Claim},       {3, &ModelRun::AutoClaim}, {1, &ModelRun::DropConsumer}, {1, &ModelRun::DropGroup},
        {2, &ModelRun::DeleteEx},    {2, &ModelRun::AckDelete}, {2, &ModelRun::Nack},         {1, &ModelRun::DeleteKey},
        {1, &ModelRun::Rename},      {1, &ModelRun::SetId},     {1, &ModelRun::Expire},       {3, &ModelRun::MoveGroup},
        {4, &ModelRun::PassTime},    {10, &ModelRun::Commit},   {1, &ModelRun::Fail},         {1, &ModelRun::Crash},
        {2, &ModelRun::CompareAll}};
    unsigned total = 0;
    for (const auto& [weight, command] : kWeights) total += weight;
    auto choice = static_cast<unsigned>(random_.Below(total));
    for (const auto& [weight, command] : kWeights) {
      if (choice < weight) {
        (this->*command)();
        break;
      }
      choice -= weight;
    }
    if (!same_) ADD_FAILURE() << trace_;
    return same_;
  }

  void Finish() {
    Commit();
    Crash();
    CompareAll();
    if (!same_) ADD_FAILURE() << trace_;
  }

 private:
  // Choices.

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

  // Commands.

  void Append() {
    const std::string key = Key();
    ModelStream* stream = Find(key);
    const EntryId last = stream == nullptr ? EntryId() : stream->last;
    AppendOptions options;
    const auto now = static_cast<uint64_t>(clock_.NowMs());
    EntryId expected = now > last.ms ? EntryId{now, 0} : *last.Next();
    const uint64_t form = random_.Below(4);
    if (form == 0) {
      options.id = AddId::Whole({now + random_.Below(3), random_.Below(3)});
      expected = options.id.id;
    } else if (form == 1) {
      options.id = AddId::AutoSeq(now);
      expected = now == last.ms ? EntryId{now, last.seq + 1} : EntryId{now, 0};
    }
    if (random_.Below(4) == 0) options.make_stream = MakeStream::kNo;
    if (random_.Below(6) == 0) options.trim = SomeTrim(key);
    const std::string value(random_.Below(random_.Below(20) == 0 ? 3000 : 60),
                            static_cast<char>('a' + random_.Below(26)));
    std::vector<FieldView> fields = {{"v", value}};
    if (value.size() % 3 == 0) fields.insert(fields.begin(), {"other", "x"});
    const auto added = engine_->Append(key, fields, options);
    if (stream == nullptr && options.make_stream == MakeStream::kNo) {
      Same("append to no key " + key, "nil", added.ok() && !*added ? "nil" : "something");
      return;
    }
    if (expected <= last) {
      Same("append below the top " + key, "refused", added.ok() ? "done" : "refused");
      return;
    }
    Same("append " + key, Text(expected), added.ok() ? Text(**added) : added.status().ToString());
    stream = &model_[key];
    stream->entries[expected] = value;
    stream->last = expected;
    ++stream->added;
    if (options.trim.by != Trim::By::kNothing) {
      // How much an append trimmed shows in the length.
      const uint64_t before = stream->entries.size();
      ApplyTrim(*stream, options.trim, before - *engine_->Length(key));
    }
  }

  Trim SomeTrim(const std::string& key) {
    Trim trim;
    trim.by = random_.Below(2) == 0 ? Trim::By::kMaxLength : Trim::By::kMinId;
    trim.exactness = random_.Below(2) == 0 ? Trim::Exactness::kExact : Trim::Exactness::kApproximate;
    const ModelStream* stream = Find(key);
    const uint64_t length = stream == nullptr ? 0 : stream->entries.size();
    trim.max_length = random_.Below(length + 2);
    trim.min_id = SomeId(key);
    if (random_.Below(3) == 0) trim.limit = random_.Below(20);
    if (random_.Below(3) == 0) trim.refs = Refs::kDelete;
    if (random_.Below(3) == 0) trim.refs = Refs::kAcked;
    return trim;
  }

  // `removed` is what the engine says; the model checks that it may say so, then follows.
  void ApplyTrim(ModelStream& stream, const Trim& trim, uint64_t removed) {
    // What may go, in the order in which it goes.
    std::vector<EntryId> may;
    for (const auto& [id, value] : stream.entries) {
      const bool enough =
          trim.by == Trim::By::kMaxLength ? stream.entries.size() - may.size() <= trim.max_length : id >= trim.min_id;
      if (enough) break;
      if (trim.refs == Refs::kAcked && IsNeeded(stream, id)) {
        // Whole nodes go from the front only; where it is to be exact, the search goes on behind.
        if (trim.exactness == Trim::Exactness::kApproximate) break;
        continue;
      }
      may.push_back(id);
    }
    uint64_t most = may.size();
    if (trim.exactness == Trim::Exactness::kExact) {
      Same("exact trim", std::to_string(most), std::to_string(removed));
    } else {
      if (trim.limit && *trim.limit > 0) most = std::min(most, *trim.limit);
      Same("approximate trim", "at most " + std::to_string(most),
           removed <= most ? "at most " + std::to_string(most) : std::to_string(removed));
    }
    may.resize(std::min<uint64_t>(removed, may.size()));
    // Behind what some group needs, entries are taken out one by one: that leaves a mark, as XDEL does.
    EntryId needed = EntryId::Max();
    for (const auto& [name, group] : stream.groups) {
      needed = std::min(needed, *group.last.Next());
      if (!group.pending.empty()) needed = std::min(needed, group.pending.begin()->first);
    }
    for (const EntryId id : may) {
      if (trim.refs == Refs::kAcked && id >= needed) stream.max_deleted = std::max(stream.max_deleted, id);
      stream.entries.erase(id);
      if (trim.refs == Refs::kDelete) ForgetPending(stream, id);
    }
    if (trim.refs == Refs::kDelete && !may.empty()) ForgetDangling(stream, may.front(), may.back());
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
  // Pending ids between the first and the last entry that a trim took go with them, also those without an entry.
  static void ForgetDangling(ModelStream& stream, EntryId first, EntryId last) {
    const EntryId end =
        stream.entries.empty() ? EntryId{stream.last.ms, stream.last.seq} : stream.entries.begin()->first;
    for (auto& [name, group] : stream.groups) {
      std::erase_if(group.pending, [&](const auto& p) {
        return p.first >= first && (stream.entries.empty() ? p.first <= end : p.first < end) && last >= first;
      });
    }
  }

  void TrimSome() {
    const std::string key = Key();
    const Trim trim = SomeTrim(key);
    const auto removed = engine_->TrimStream(key, trim);
    Good(removed.status());
    if (!removed.ok()) return;
    if (ModelStream* stream = Find(key)) {
      ApplyTrim(*stream, trim, *removed);
    } else {
      Same("trim of no key", "0", std::to_string(*removed));
    }
  }

  void Range() {
    const std::string key = Key();
    const EntryId a = random_.Below(3) == 0 ? EntryId() : SomeId(key);
    const EntryId b = random_.Below(3) == 0 ? EntryId::Max() : SomeId(key);
    const size_t count = random_.Below(2) == 0 ? SIZE_MAX : 1 + random_.Below(10);
    std::vector<std::string> lines;
    if (const ModelStream* stream = Find(key)) {
      for (const auto& [id, value] : stream->entries) {
        if (id >= a && id <= b) lines.push_back(ShowEntry(id, value));
      }
    }
    const bool backward = random_.Below(2) == 0;
    if (backward) std::reverse(lines.begin(), lines.end());
    if (lines.size() > count) lines.resize(count);
    std::string expected;
    for (const auto& line : lines) expected += line;
    const auto found =
        backward ? engine_->RevRange(key, b, a, {.count = count}) : engine_->Range(key, a, b, {.count = count});
    Same("range " + key, expected, found.ok() ? Show(*found) : found.status().ToString());
  }

  void Delete() {
    const std::string key = Key();
    const auto ids = SomeIds(key);
    uint64_t expected = 0;
    if (ModelStream* stream = Find(key)) {
      for (const EntryId id : ids) {
        if (stream->entries.erase(id) == 0) continue;
        ++expected;
        stream->max_deleted = std::max(stream->max_deleted, id);
      }
    }
    const auto found = engine_->Delete(key, ids);
    Same("delete " + key, std::to_string(expected), found.ok() ? std::to_string(*found) : found.status().ToString());
  }

  Refs SomeRefs() {
    const Refs all[] = {Refs::kKeep, Refs::kDelete, Refs::kAcked};
    return all[random_.Below(3)];
  }

  static std::string Show(const base::Result<std::vector<Removal>>& removals) {
    std::string text;
    if (!removals.ok()) return removals.status().ToString();
    for (const Removal removal : *removals) text += std::to_string(static_cast<int>(removal)) + " ";
    return text;
  }

  // XDELEX as its page reads.
  int RemoveOne(ModelStream& stream, EntryId id, Refs refs) {
    const bool exists = stream.entries.count(id) != 0;
    if (refs == Refs::kAcked && exists && (stream.groups.empty() || IsNeeded(stream, id))) return 2;
    if (refs == Refs::kDelete) ForgetPending(stream, id);
    if (!exists) return -1;
    stream.entries.erase(id);
    stream.max_deleted = std::max(stream.max_deleted, id);
    return 1;
  }

  void DeleteEx() {
    const std::string key = Key();
    const auto ids = SomeIds(key);
    const Refs refs = SomeRefs();
    std::string expected;
    for (const EntryId id : ids) {
      expected += std::to_string(Find(key) == nullptr ? -1 : RemoveOne(*Find(key), id, refs)) + " ";
    }
    Same("deleteex " + key, expected, Show(engine_->DeleteEx(key, ids, refs)));
  }

  void AckDelete() {
    const std::string key = Key(), name = GroupName();
    const auto ids = SomeIds(key);
    const Refs refs = SomeRefs();
    std::string expected;
    for (const EntryId id : ids) {
      ModelGroup* group = FindGroup(key, name);
      int removal = -1;
      if (group != nullptr && group->pending.erase(id) != 0) {
        removal = std::abs(RemoveOne(*Find(key), id, refs));
      } else if (group != nullptr && refs == Refs::kDelete) {
        ForgetPending(*Find(key), id);
      }
      expected += std::to_string(removal) + " ";
    }
    Same("ackdelete " + key, expected, Show(engine_->AckDelete(key, name, ids, refs)));
  }

  void Nack() {
    const std::string key = Key(), name = GroupName();
    const auto ids = SomeIds(key);
    NackOptions options{.mode = random_.Below(2) == 0 ? NackOptions::Mode::kSilent : NackOptions::Mode::kFail,
                        .force = random_.Below(4) == 0};
    const auto found = engine_->Nack(key, name, ids, options);
    ModelGroup* group = FindGroup(key, name);
    if (group == nullptr) {
      Same("nack of no group", "refused", found.ok() ? "ok" : "refused");
      return;
    }
    uint64_t expected = 0;
    for (const EntryId id : ids) {
      auto pending = group->pending.find(id);
      if (pending == group->pending.end()) {
        if (!options.force || Find(key)->entries.count(id) == 0) continue;
        pending = group->pending.emplace(id, ModelPending{"", 0, 0}).first;
      } else if (options.mode == NackOptions::Mode::kSilent && pending->second.deliveries > 0) {
        --pending->second.deliveries;
      }
      pending->second.consumer.clear();
      pending->second.delivered_ms = 0;
      ++expected;
    }
    Same("nack", std::to_string(expected), std::to_string(*found));
  }

  void CreateGroup() {
    const std::string key = Key(), name = GroupName();
    GroupCreateOptions options{.start = random_.Below(2) == 0 ? EntryId() : SomeId(key)};
    options.from_end = random_.Below(2) == 0;
    options.make_stream = random_.Below(2) == 0 ? MakeStream::kYes : MakeStream::kNo;
    const auto status = engine_->GroupCreate(key, name, options);
    ModelStream* stream = Find(key);
    const bool expected =
        (stream != nullptr || options.make_stream == MakeStream::kYes) && FindGroup(key, name) == nullptr;
    Same("create group", expected ? "ok" : "refused", status.ok() ? "ok" : "refused");
    if (!expected) return;
    stream = &model_[key];
    stream->groups[name].last = options.from_end ? stream->last : options.start;
  }

  void MoveGroup() {
    const std::string key = Key(), name = GroupName();
    const EntryId id = SomeId(key);
    const auto status = engine_->GroupSetId(key, name, {.start = id});
    ModelGroup* group = FindGroup(key, name);
    Same("move group", group == nullptr ? "refused" : "ok", status.ok() ? "ok" : "refused");
    if (group != nullptr) group->last = id;
  }

  void ReadNew() {
    const std::string key = Key(), name = GroupName(), consumer = ConsumerName();
    const ReadGroupOptions options{.count = random_.Below(3) == 0 ? SIZE_MAX : 1 + random_.Below(8),
                                   .acks = random_.Below(4) == 0 ? Acks::kNone : Acks::kNeeded};
    const auto found = engine_->ReadGroup(key, name, consumer, options);
    ModelGroup* group = FindGroup(key, name);
    if (group == nullptr) {
      Same("read no group", "refused", found.ok() ? "ok" : "refused");
      return;
    }
    std::string expected;
    auto active = group->consumers.emplace(consumer, -1).first;
    const auto& entries = Find(key)->entries;
    size_t taken = 0;
    for (auto at = entries.upper_bound(group->last); at != entries.end() && taken < options.count; ++at, ++taken) {
      expected += ShowEntry(at->first, at->second);
      group->last = at->first;
      if (options.acks == Acks::kNone) continue;
      group->pending[at->first] = {consumer, clock_.NowMs(), 1};
      active->second = clock_.NowMs();
    }
    Same("read " + key + " " + name, expected, found.ok() ? Show(*found) : found.status().ToString());
  }

  void ReadHistory() {
    const std::string key = Key(), name = GroupName(), consumer = ConsumerName();
    const EntryId after = random_.Below(2) == 0 ? EntryId() : SomeId(key);
    const size_t count = random_.Below(2) == 0 ? SIZE_MAX : 1 + random_.Below(5);
    const auto found = engine_->ReadGroup(key, name, consumer, {.count = count, .history_after = after});
    ModelGroup* group = FindGroup(key, name);
    if (group == nullptr) {
      Same("history of no group", "refused", found.ok() ? "ok" : "refused");
      return;
    }
    group->consumers.emplace(consumer, -1);
    std::string expected;
    size_t taken = 0;
    for (auto& [id, pending] : group->pending) {
      if (id <= after || pending.consumer != consumer) continue;
      if (taken++ == count) break;
      const auto entry = Find(key)->entries.find(id);
      if (entry == Find(key)->entries.end()) {
        expected += Text(id);
        continue;
      }
      expected += ShowEntry(id, entry->second);
      pending.delivered_ms = clock_.NowMs();
      ++pending.deliveries;
    }
    Same("history " + key, expected, found.ok() ? Show(*found) : found.status().ToString());
  }

  void Ack() {
    const std::string key = Key(), name = GroupName();
    const auto ids = SomeIds(key);
    uint64_t expected = 0;
    if (ModelGroup* group = FindGroup(key, name)) {
      for (const EntryId id : ids) expected += group->pending.erase(id);
    }
    Same("ack", std::to_string(expected), std::to_string(*engine_->Ack(key, name, ids)));
  }

  void Claim() {
    const std::string key = Key(), name = GroupName(), consumer = ConsumerName();
    const auto ids = SomeIds(key);
    ClaimOptions options{.min_idle_ms = static_cast<int64_t>(random_.Below(60)), .force = random_.Below(3) == 0};
    if (random_.Below(3) == 0) options.answer = Answer::kIdsOnly;
    if (random_.Below(4) == 0) options.retry_count = random_.Below(9);
    if (random_.Below(4) == 0) options.idle_ms = static_cast<int64_t>(random_.Below(100));
    const auto found = engine_->Claim(key, name, consumer, ids, options);
    ModelGroup* group = FindGroup(key, name);
    if (group == nullptr) {
      Same("claim of no group", "refused", found.ok() ? "ok" : "refused");
      return;
    }
    const int64_t now = clock_.NowMs();
    auto active = group->consumers.emplace(consumer, -1).first;
    std::string expected;
    for (const EntryId id : ids) {
      const auto entry = Find(key)->entries.find(id);
      auto pending = group->pending.find(id);
      if (entry == Find(key)->entries.end()) {
        group->pending.erase(id);
        continue;
      }
      if (pending == group->pending.end()) {
        if (!options.force) continue;
        pending = group->pending.emplace(id, ModelPending{"", 0, 1}).first;
      } else if (now - pending->second.delivered_ms < options.min_idle_ms) {
        continue;
      }
      if (options.retry_count) {
        pending->second.deliveries = *options.retry_count;
      } else if (options.answer == Answer::kEntries) {
        ++pending->second.deliveries;
      }
      pending->second.consumer = consumer;
      pending->second.delivered_ms = now - options.idle_ms.value_or(0);
      active->second = now;
      expected += options.answer == Answer::kEntries ? ShowEntry(id, entry->second) : Text(id);
    }
    Same("claim " + key, expected, found.ok() ? Show(*found) : found.status().ToString());
  }

  void AutoClaim() {
    const std::string key = Key(), name = GroupName(), consumer = ConsumerName();
    const AutoClaimOptions options{.min_idle_ms = static_cast<int64_t>(random_.Below(60)),
                                   .start = random_.Below(2) == 0 ? EntryId() : SomeId(key),
                                   .count = 1 + random_.Below(5)};
    const auto found = engine_->AutoClaim(key, name, consumer, options);
    ModelGroup* group = FindGroup(key, name);
    if (group == nullptr) {
      Same("autoclaim of no group", "refused", found.ok() ? "ok" : "refused");
      return;
    }
    const int64_t now = clock_.NowMs();
    auto active = group->consumers.emplace(consumer, -1).first;
    std::string expected, gone;
    size_t looks = 10 * options.count, left = options.count;
    auto at = group->pending.lower_bound(options.start);
    while (at != group->pending.end() && looks-- > 0 && left > 0) {
      const auto entry = Find(key)->entries.find(at->first);
      if (entry == Find(key)->entries.end()) {
        gone += Text(at->first);
        at = group->pending.erase(at);
        --left;
        continue;
      }
      if (now - at->second.delivered_ms >= options.min_idle_ms) {
        at->second = {consumer, now, at->second.deliveries + 1};
        active->second = now;
        expected += ShowEntry(at->first, entry->second);
        --left;
      }
      ++at;
    }
    expected += "gone " + gone + "next " + Text(at == group->pending.end() ? EntryId() : at->first);
    std::string text;
    if (found.ok()) {
      text = Show(found->entries) + "gone ";
      for (const EntryId id : found->deleted) text += Text(id);
      text += "next " + Text(found->next);
    }
    Same("autoclaim " + key, expected, text);
  }

  void DropConsumer() {
    const std::string key = Key(), name = GroupName(), consumer = ConsumerName();
    const auto found = engine_->DeleteConsumer(key, name, consumer);
    ModelGroup* group = FindGroup(key, name);
    if (group == nullptr) return;
    group->consumers.erase(consumer);
    const size_t pending = std::erase_if(group->pending, [&](const auto& p) { return p.second.consumer == consumer; });
    Same("delete consumer", std::to_string(pending), std::to_string(*found));
  }

  void DropGroup() {
    const std::string key = Key(), name = GroupName();
    const auto found = engine_->GroupDestroy(key, name);
    if (ModelStream* stream = Find(key))
      Same("destroy", std::to_string(stream->groups.erase(name)), std::to_string(*found));
  }

  void DeleteKey() {
    const std::string key = Key();
    Same("delete key", std::to_string(model_.erase(key)), std::to_string(*engine_->DeleteKey(key)));
  }

  void Rename() {
    const std::string from = Key(), to = Key();
    const auto status = engine_->Rename(from, to);
    const auto found = model_.find(from);
    Same("rename", found == model_.end() ? "refused" : "ok", status.ok() ? "ok" : "refused");
    if (found == model_.end() || from == to) return;
    ModelStream moved = std::move(found->second);
    model_.erase(found);
    model_[to] = std::move(moved);
  }

  void SetId() {
    const std::string key = Key();
    ModelStream* stream = Find(key);
    if (stream == nullptr) return;
    const EntryId id = SomeId(key);
    const EntryId top = stream->entries.empty() ? EntryId() : stream->entries.rbegin()->first;
    const bool expected = id >= top && id >= stream->max_deleted;
    Same("set id", expected ? "ok" : "refused", engine_->SetId(key, {.last_id = id}).ok() ? "ok" : "refused");
    if (expected) stream->last = id;
  }

  void Expire() {
    const std::string key = Key();
    ModelStream* stream = Find(key);
    const int64_t at = clock_.NowMs() + 200 + static_cast<int64_t>(random_.Below(2000));
    Same("expire", stream == nullptr ? "0" : "1", std::to_string(*engine_->SetExpiry(key, at)));
    if (stream != nullptr) stream->expires_ms = at;
  }

  void PassTime() { clock_.Advance(static_cast<int64_t>(random_.Below(50))); }

  void ExpireKeys() {
    std::erase_if(model_,
                  [&](const auto& s) { return s.second.expires_ms != 0 && s.second.expires_ms <= clock_.NowMs(); });
  }

  // Turns.

  void Commit() {
    storage::Batch batch;
    Good(engine_->BeforeCommit(batch));
    const auto status = store_.Write(batch, storage::Sync::kLater);
    Good(status);
    engine_->AfterCommit(status);
    committed_ = model_;
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
  void Restart() { engine_ = std::make_unique<StreamEngine>(store_, clock_, options_); }

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
    const ModelGroup& group = stream.groups.at(found.report.name);
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

  storage::Store& store_;
  base::SeededRandom random_;
  base::ManualClock clock_{1'000'000};
  EngineOptions options_;
  std::unique_ptr<StreamEngine> engine_;
  Model model_, committed_;
  std::string trace_;
  bool same_ = true;
};

TEST(EngineModelTest, RandomCommandsEqualTheModel) {
  constexpr uint64_t kSeeds = 100, kSteps = 4000, kSeedsPerStore = 20;
  std::unique_ptr<storage::TempDir> dir;
  std::unique_ptr<storage::Store> store;
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    if (seed % kSeedsPerStore == 1) {
      store.reset();
      dir = std::make_unique<storage::TempDir>();
      // A small buffer: what is read comes from files, too.
      auto opened =
          storage::OpenStore({.dir = dir->path() + "/store", .min_free_bytes = 0, .write_buffer_bytes = 256 << 10});
      ASSERT_TRUE(opened.ok()) << opened.status().message();
      store = std::move(opened).value();
    }
    ModelRun run(*store, seed);
    for (uint64_t step = 1; step <= kSteps; ++step) {
      ASSERT_TRUE(run.Step()) << "seed " << seed << ", step " << step;
    }
    run.Finish();
    ASSERT_FALSE(HasFailure()) << "seed " << seed;
  }
}

}  // namespace
}  // namespace tocsin::streams
