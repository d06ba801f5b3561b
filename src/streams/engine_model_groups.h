// Commands on groups, against the model.
#pragma once

#include "streams/engine_model_entries.h"

namespace tocsin::streams {

class GroupCommands : public EntryCommands {
 protected:
  using EntryCommands::EntryCommands;

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
};

}  // namespace tocsin::streams
