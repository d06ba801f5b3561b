// Commands on entries and keys, against the model.
#pragma once

#include "streams/engine_model.h"

namespace tocsin::streams {

class EntryCommands : public ModelBase {
 protected:
  using ModelBase::ModelBase;
  using ModelBase::Show;

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
};

}  // namespace tocsin::streams
