// Power loss under consumer groups: commands of Redis Streams go through the engine and the committer, on a disk that
// forgets what was not synced (storage/unsynced_fs.h). The clock is set back before every other start. After each:
//
//   1. The whole state (entries, positions, counters, consumers, pending lists with their times) is, byte by byte, that
//      after one of the turns: the last one that was confirmed, or one of those behind it, of which nothing was said.
//      So no command is there in part, and no turn without the ones before it.
//   2. What was confirmed is there: an entry that was added, unless it may have been trimmed or deleted; an ack, whose
//      entry is neither pending nor given out again; an id, which is not given twice, clock set back or not.
//   3. An entry that a group has passed is pending or acked, none has vanished; counts agree with lists.
//
// A delivery alone is not synced when it is answered (docs/redis.md): the position of a group may go back over entries
// that nobody acked, and they are given out again. That it happens is counted.
//
// A store that skips its fsync, and a server that answers before it, must be caught by the same checks.
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "power_world.h"
#include "storage/committer.h"
#include "streams/engine.h"

namespace tocsin::tests {
namespace {

using base::Status;
using model::EntryId;

// Nothing is deleted from the first; the groups named kShifting are moved, emptied and forced.
constexpr const char* kCalm = "calm";
constexpr const char* kBusy = "busy";
constexpr const char* kStrict = "strict";
constexpr const char* kShifting = "shifting";

enum class Answers { kAfterSync, kBeforeSync };  // the latter is a fault

// What the world outside knows of one stream. What was seen after a start is known like what was confirmed.
struct Known {
  std::map<EntryId, std::string> added;
  std::set<EntryId> removed;
  std::set<EntryId> maybe_removed;
  std::set<EntryId> acked;  // in kStrict, as the next two
  std::set<EntryId> maybe_acked;
  std::set<EntryId> given;
};

class GroupWorld final : public PowerWorld, public storage::Participant {
 public:
  GroupWorld(uint64_t seed, storage::Sabotage sabotage, Answers answers)
      : PowerWorld(seed, sabotage), answers_(answers) {}

  int kept = 0;         // starts that had more than was confirmed
  int given_again = 0;  // deliveries that a power loss took

 private:
  using Confirm = std::function<void()>;  // what to note once the command is answered
  class Command;

  void Open() override;
  void Close() override;
  void Work() override;
  bool Look() override;
  // Makes a command; what it does when it is staged.
  std::unique_ptr<Command> Make();
  Confirm Add(const std::string& key, streams::Trim trim);
  Confirm Read(const std::string& key, const std::string& group);
  Confirm Ack(const std::string& key, const std::string& group);
  Confirm Claim(const std::string& key, const std::string& group);
  Confirm Remove();
  Confirm Move(const std::string& key);

  // After the engine in every turn: takes down what the turn will leave.
  Status BeforeCommit(storage::Batch&) override;
  void AfterCommit(const Status& status) override;
  bool lazy() const override { return true; }
  std::string Picture();

  bool LookAtState();
  bool LookAt(const std::string& key);
  bool LookAtGroup(const std::string& key, const streams::FullReport::OfGroup& group,
                   const std::map<EntryId, std::string>& entries);
  std::set<EntryId> IdsOf(const std::string& key);
  // Some that are pending in the group.
  std::vector<EntryId> SomePending(const std::string& key, const std::string& group);
  // Runs `change`, and takes down which entries it removes.
  Confirm Removing(const std::string& key, const std::function<void()>& change);
  std::string SomeKey() { return random_.Below(2) == 0 ? kCalm : kBusy; }
  std::string SomeGroup() { return random_.Below(3) == 0 ? kShifting : kStrict; }
  std::string SomeConsumer() { return "c" + std::to_string(random_.Below(4)); }

  const Answers answers_;
  std::map<std::string, Known> known_{{kCalm, {}}, {kBusy, {}}};
  int64_t next_message_ = 1;
  // The first is that of the last turn that was confirmed; the last may be of a turn that failed.
  std::deque<std::string> pictures_{""};
  bool turn_is_lazy_ = false;

  std::unique_ptr<streams::StreamEngine> engine_;
  std::unique_ptr<storage::Committer> committer_;
};

class GroupWorld::Command final : public storage::Change {
 public:
  enum class Only { kReads, kWrites };  // kReads: a delivery, which confirms nothing

  Command(GroupWorld& world, Only only, std::function<Confirm()> stage)
      : world_(world), only_(only), stage_(std::move(stage)) {}

  void Stage(storage::Batch&) override {
    confirm_ = stage_();
    world_.engine_->EndCommand();
    if (world_.answers_ == Answers::kBeforeSync) Done(base::Ok());
  }
  void Done(const Status& status) override {
    if (!status.ok() || !confirm_) return;
    ++world_.confirmed;
    confirm_();
    confirm_ = nullptr;
  }
  bool lazy() const override { return only_ == Only::kReads; }

 private:
  GroupWorld& world_;
  const Only only_;
  const std::function<Confirm()> stage_;
  Confirm confirm_;
};

void GroupWorld::Open() {
  engine_ = std::make_unique<streams::StreamEngine>(*store_, clock_);
  committer_ =
      std::make_unique<storage::Committer>(*store_, clock_, std::vector<storage::Participant*>{engine_.get(), this});
}

void GroupWorld::Close() {
  committer_.reset();
  engine_.reset();
}

Status GroupWorld::BeforeCommit(storage::Batch&) {
  turn_is_lazy_ = engine_->lazy();
  pictures_.push_back(Picture());
  return base::Ok();
}

void GroupWorld::AfterCommit(const Status& status) {
  if (status.ok() && !turn_is_lazy_) pictures_.erase(pictures_.begin(), pictures_.end() - 1);
}

// All that a client can ask, times included. Only when a consumer last asked in vain is not stored.
std::string GroupWorld::Picture() {
  std::string text;
  const auto write = [&text](const auto&... parts) {
    const auto one = [&text](const auto& part) {
      if constexpr (std::is_convertible_v<decltype(part), std::string_view>) {
        text += part;
      } else {
        text += std::to_string(part);
      }
      text += ' ';
    };
    (one(parts), ...);
  };
  for (const auto& [key, known] : known_) {
    auto full = engine_->ReportFull(key, 0);
    if (!full.ok()) continue;  // not yet made
    const streams::StreamReport& report = full->report;
    write(key, report.length, report.entries_added, report.last_id.ToString(), report.max_deleted.ToString());
    write(report.radix_keys, report.radix_nodes, report.first_id.ToString(), "\n");
    for (const streams::EntryView& entry : full->entries.list) {
      write(entry.id().ToString());
      for (const streams::FieldView& field : entry.Fields()) write(field.first, field.second);
    }
    for (const auto& group : full->groups) {
      write("\ngroup", group.report.name, group.report.last_id.ToString(), group.report.pending);
      write(group.report.entries_read.value_or(-1), group.report.lag.value_or(-1), "\n");
      for (const auto& one : group.pending) {
        write(one.id.ToString(), one.consumer, one.delivered_ms, one.deliveries);
      }
      for (const auto& one : group.consumers) {
        write("\nconsumer", one.report.name, one.report.pending, one.report.active_ms);
        for (const auto& pending : one.pending) write(pending.id.ToString());
      }
    }
    write("\n");
  }
  return text;
}

// Commands.

GroupWorld::Confirm GroupWorld::Removing(const std::string& key, const std::function<void()>& change) {
  const std::set<EntryId> before = IdsOf(key);
  change();
  const std::set<EntryId> after = IdsOf(key);
  std::vector<EntryId> gone;
  for (const EntryId id : before) {
    if (!after.contains(id)) gone.push_back(id);
  }
  Known& known = known_[key];
  known.maybe_removed.insert(gone.begin(), gone.end());
  return [&known, gone] { known.removed.insert(gone.begin(), gone.end()); };
}

GroupWorld::Confirm GroupWorld::Add(const std::string& key, streams::Trim trim) {
  const std::string message = "message " + std::to_string(next_message_++) + std::string(random_.Below(200), '.');
  EntryId id;
  const Confirm removed = Removing(key, [&] {
    const std::vector<streams::FieldView> fields{{"user_id", "u"}, {"message", message}};
    auto added = engine_->Append(key, fields, {.trim = trim});
    if (added.ok()) id = **added;
  });
  return [this, key, id, message, removed] {
    const auto [known, fresh] = known_[key].added.emplace(id, message);
    if (!fresh && known->second != message) Complain(key + ": " + id.ToString() + " was given twice");
    removed();
  };
}

GroupWorld::Confirm GroupWorld::Read(const std::string& key, const std::string& group) {
  streams::ReadGroupOptions options{.count = 1 + random_.Below(12)};
  if (random_.Below(5) == 0) options.history_after = EntryId();
  auto entries = engine_->ReadGroup(key, group, SomeConsumer(), options);
  if (!entries.ok() || group != kStrict || options.history_after) return [] {};
  std::vector<EntryId> ids;
  for (const streams::EntryView& entry : entries->list) {
    ids.push_back(entry.id());
    if (known_[key].acked.contains(entry.id()))
      Complain(key + ": " + entry.id().ToString() + " was acked and came again");
  }
  return [this, key, ids] { known_[key].given.insert(ids.begin(), ids.end()); };
}

std::vector<EntryId> GroupWorld::SomePending(const std::string& key, const std::string& group) {
  std::vector<EntryId> ids;
  auto pending = engine_->PendingRange(key, group, {.count = 40});
  if (!pending.ok()) return ids;
  for (const streams::PendingEntry& one : *pending) {
    if (random_.Below(3) != 0) ids.push_back(one.id);
  }
  return ids;
}

GroupWorld::Confirm GroupWorld::Ack(const std::string& key, const std::string& group) {
  const std::vector<EntryId> ids = SomePending(key, group);
  auto acked = engine_->Ack(key, group, ids);
  if (!acked.ok() || *acked != ids.size()) return [this, key] { Complain(key + ": an ack counts wrong"); };
  if (group != kStrict) return [] {};
  known_[key].maybe_acked.insert(ids.begin(), ids.end());
  return [this, key, ids] { known_[key].acked.insert(ids.begin(), ids.end()); };
}

GroupWorld::Confirm GroupWorld::Claim(const std::string& key, const std::string& group) {
  const streams::Answer answer = random_.Below(3) == 0 ? streams::Answer::kIdsOnly : streams::Answer::kEntries;
  const std::string consumer = SomeConsumer();
  // Where the stream has an entry no more, claiming it takes it from the list as an ack does.
  const auto pending_now = [&] {
    std::set<EntryId> ids;
    if (auto all = engine_->PendingRange(key, group); all.ok()) {
      for (const streams::PendingEntry& one : *all) ids.insert(one.id);
    }
    return ids;
  };
  std::set<EntryId> gone = pending_now();
  switch (random_.Below(3)) {
    case 0:
      base::Ignore(engine_->AutoClaim(key, group, consumer, {.count = 10, .answer = answer}).status());
      break;
    case 1:
      base::Ignore(engine_->Nack(key, group, SomePending(key, group), {}).status());
      break;
    default:
      base::Ignore(
          engine_->Claim(key, group, consumer, SomePending(key, group), {.force = group == kShifting, .answer = answer})
              .status());
  }
  for (const EntryId id : pending_now()) gone.erase(id);
  if (group != kStrict) return [] {};
  known_[key].maybe_acked.insert(gone.begin(), gone.end());
  return [this, key, gone] { known_[key].acked.insert(gone.begin(), gone.end()); };
}

GroupWorld::Confirm GroupWorld::Remove() {
  return Removing(kBusy, [this] {
    streams::Trim trim{.by = streams::Trim::By::kMaxLength, .max_length = 20 + random_.Below(100)};
    std::vector<EntryId> ids;
    for (const EntryId id : IdsOf(kBusy)) {
      if (random_.Below(20) == 0) ids.push_back(id);
    }
    switch (random_.Below(3)) {
      case 0:
        base::Ignore(engine_->Delete(kBusy, ids).status());
        break;
      case 1:
        trim.exactness = streams::Trim::Exactness::kApproximate;
        [[fallthrough]];
      default:
        base::Ignore(engine_->TrimStream(kBusy, trim).status());
    }
  });
}

GroupWorld::Confirm GroupWorld::Move(const std::string& key) {
  const std::set<EntryId> ids = IdsOf(key);
  auto start = ids.begin();
  std::advance(start, static_cast<int64_t>(random_.Below(ids.size() + 1)));
  if (random_.Below(2) == 0) {
    base::Ignore(engine_->DeleteConsumer(key, kShifting, SomeConsumer()).status());
  } else {
    base::Ignore(engine_->GroupSetId(key, kShifting, {.start = start == ids.end() ? EntryId() : *start}));
  }
  return [] {};
}

std::unique_ptr<GroupWorld::Command> GroupWorld::Make() {
  using Only = Command::Only;
  const std::string key = SomeKey(), group = SomeGroup();
  const auto make = [this](Only only, std::function<Confirm()> stage) {
    return std::make_unique<Command>(*this, only, std::move(stage));
  };
  switch (random_.Below(12)) {
    case 0:
    case 1:
    case 2:
      return make(Only::kWrites, [this, key] {
        streams::Trim trim;
        if (key == kBusy && random_.Below(3) == 0) {
          trim = {.by = streams::Trim::By::kMaxLength, .max_length = 30 + random_.Below(60)};
        }
        return Add(key, trim);
      });
    case 3:
    case 4:
    case 5:
      return make(Only::kReads, [this, key, group] { return Read(key, group); });
    case 6:
    case 7:
      return make(Only::kWrites, [this, key, group] { return Ack(key, group); });
    case 8:
      return make(Only::kWrites, [this, key, group] { return Claim(key, group); });
    case 9:
      return make(Only::kWrites, [this] { return Remove(); });
    case 10:
      return make(Only::kWrites, [this, key] { return Move(key); });
    default:  // a MULTI
      return make(Only::kWrites, [this, group] {
        return [calm = Add(kCalm, {}), busy = Add(kBusy, {}), ack = Ack(kCalm, group)] {
          calm();
          busy();
          ack();
        };
      });
  }
}

void GroupWorld::Work() {
  base::Ignore(committer_->Submit([this](storage::Batch&) {
    for (const auto& [key, known] : known_) {
      for (const char* group : {kStrict, kShifting}) {
        base::Ignore(engine_->GroupCreate(key, group, {.make_stream = streams::MakeStream::kYes}));
      }
    }
  }));
  while (!disk_.power_off()) {
    clock_.Advance(static_cast<int64_t>(random_.Below(30)));
    for (uint64_t i = random_.Below(8); i > 0; --i) base::Ignore(committer_->Submit(Make()));
    // Reads alone, now and then: a turn that is not synced.
    if (random_.Below(3) == 0) {
      while (committer_->RunTurn()) {
      }
      base::Ignore(committer_->Submit(
          std::make_unique<Command>(*this, Command::Only::kReads, [this] { return Read(SomeKey(), kStrict); })));
    }
    for (uint64_t turns = random_.Below(3); turns > 0; --turns) committer_->RunTurn();
  }
  committer_->RunTurn();  // what waits is refused
}

// Checks.

std::set<EntryId> GroupWorld::IdsOf(const std::string& key) {
  std::set<EntryId> ids;
  auto entries = engine_->Range(key, {}, EntryId::Max());
  if (!entries.ok()) return ids;
  for (const streams::EntryView& entry : entries->list) ids.insert(entry.id());
  return ids;
}

bool GroupWorld::Look() {
  for (const auto& [key, known] : known_) {
    if (!LookAt(key)) return false;
  }
  return LookAtState();
}

bool GroupWorld::LookAtState() {
  const std::string picture = Picture();
  size_t turn = pictures_.size();
  while (turn > 0 && pictures_[turn - 1] != picture) --turn;
  if (turn == 0) {
    std::string what = "this is the state after no turn of " + std::to_string(pictures_.size());
    for (const std::string& other : pictures_) {
      size_t same = 0;
      while (same < std::min(other.size(), picture.size()) && other[same] == picture[same]) ++same;
      const size_t from = same < 60 ? 0 : same - 60;
      what += "\n  turn: " + other.substr(std::min(from, other.size()), 120) + "\n  now:  " + picture.substr(from, 120);
    }
    return Complain(what);
  }
  kept += turn > 1;
  pictures_ = {picture};
  return true;
}

bool GroupWorld::LookAt(const std::string& key) {
  Known& known = known_[key];
  auto full = engine_->ReportFull(key, 0);
  if (!full.ok()) {
    return known.added.empty() && pictures_.front().empty() ? true : Complain(key + ": " + full.status().ToString());
  }
  std::map<EntryId, std::string> entries;
  for (const streams::EntryView& entry : full->entries.list) {
    entries.emplace(entry.id(), std::string(entry.Find("message")));
    if (known.removed.contains(entry.id())) return Complain(key + ": " + entry.id().ToString() + " was deleted");
  }
  for (const auto& [id, message] : known.added) {
    const auto entry = entries.find(id);
    if (entry != entries.end() && entry->second != message)
      return Complain(key + ": " + id.ToString() + " was altered");
    if (entry == entries.end() && !known.maybe_removed.contains(id)) {
      return Complain(key + ": " + id.ToString() + " was confirmed and is lost");
    }
    if (id > full->report.last_id) return Complain(key + ": the last id is below " + id.ToString());
  }
  const streams::StreamReport& report = full->report;
  if (report.length != entries.size() || report.entries_added < entries.size()) return Complain(key + ": wrong counts");
  if (key == kCalm && report.entries_added != entries.size()) return Complain(key + ": wrong entries-added");
  if (full->groups.size() != 2) return Complain(key + ": a group is gone");
  for (const auto& group : full->groups) {
    if (!LookAtGroup(key, group, entries)) return false;
  }
  // What is there now stays there.
  // An id above the last was given and taken in a turn that was lost: it may be given again.
  std::erase_if(known.maybe_removed, [&](EntryId id) { return entries.contains(id) || id > full->report.last_id; });
  known.removed.insert(known.maybe_removed.begin(), known.maybe_removed.end());
  for (const EntryId id : known.removed) known.added.erase(id);
  known.added.insert(entries.begin(), entries.end());
  return true;
}

bool GroupWorld::LookAtGroup(const std::string& key, const streams::FullReport::OfGroup& group,
                             const std::map<EntryId, std::string>& entries) {
  const std::string where = key + " " + group.report.name + ": ";
  std::set<EntryId> pending;
  size_t owned = 0;
  for (const streams::PendingEntry& one : group.pending) {
    pending.insert(one.id);
    owned += !one.consumer.empty();
  }
  auto summary = engine_->PendingOf(key, group.report.name);
  if (!summary.ok()) return Complain(where + summary.status().ToString());
  size_t in_summary = 0, of_consumers = 0;
  for (const auto& [name, count] : summary->consumers) in_summary += count;
  for (const auto& consumer : group.consumers) {
    if (consumer.pending.size() != consumer.report.pending) return Complain(where + "a consumer's count is wrong");
    of_consumers += consumer.pending.size();
  }
  const size_t count = pending.size();
  if (group.report.pending != count || summary->count != count || in_summary != owned || of_consumers != owned) {
    return Complain(where + "pending counts differ");
  }
  const EntryId position = group.report.last_id;
  int64_t ahead = 0;
  for (const auto& [id, message] : entries) ahead += id > position;
  if (group.report.lag && *group.report.lag != ahead) return Complain(where + "the lag is wrong");
  if (group.report.name != kStrict) return true;

  Known& known = known_[key];
  if (key == kCalm && group.report.entries_read != static_cast<int64_t>(entries.size()) - ahead) {
    return Complain(where + "entries-read is wrong");
  }
  for (const EntryId id : known.acked) {
    if (pending.contains(id)) return Complain(where + id.ToString() + " was acked and is pending");
    if (id > position) return Complain(where + id.ToString() + " was acked and is to come again");
  }
  for (const auto& [id, message] : entries) {
    if (id > position || pending.contains(id) || known.acked.contains(id) || known.maybe_acked.contains(id)) continue;
    return Complain(where + id.ToString() + " has vanished");
  }
  for (const EntryId id : known.given) given_again += id > position;
  known.given.clear();
  std::erase_if(known.maybe_acked, [&](EntryId id) { return id > position || pending.contains(id); });
  known.acked.insert(known.maybe_acked.begin(), known.maybe_acked.end());
  return true;
}

// What several worlds have come to.
struct Sum {
  int confirmed = 0, lives = 0, cut_starts = 0, kept = 0, given_again = 0;
};

// A world of its own for each ten cycles: looking at a state costs as much as all of its entries.
void RunWorlds(uint64_t seed, int cycles, Sum& sum) {
  for (; cycles > 0; cycles -= 10, seed += 100) {
    GroupWorld world(seed, storage::Sabotage::kNone, Answers::kAfterSync);
    world.Cycles(std::min(cycles, 10));
    EXPECT_EQ(world.complaint, "") << "seed " << seed << ", life " << world.lives + world.cut_starts;
    sum.confirmed += world.confirmed;
    sum.lives += world.lives;
    sum.cut_starts += world.cut_starts;
    sum.kept += world.kept;
    sum.given_again += world.given_again;
  }
}

// Several worlds at once, because RocksDB sleeps for a second when a flush fails.
TEST(GroupPowerLossTest, ConfirmedCommandsSurviveAsAWhole) {
  constexpr int kThreads = 5;
  storage::UnsyncedFs::MoreFlushThreads(kThreads);
  std::vector<Sum> sums(kThreads);
  std::vector<std::thread> threads;
  for (size_t i = 0; i < sums.size(); ++i) {
    threads.emplace_back([&sum = sums[i], i] { RunWorlds(i + 1, PowerCycles() / kThreads, sum); });
  }
  Sum all;
  for (size_t i = 0; i < sums.size(); ++i) {
    threads[i].join();
    all.confirmed += sums[i].confirmed;
    all.lives += sums[i].lives;
    all.cut_starts += sums[i].cut_starts;
    all.kept += sums[i].kept;
    all.given_again += sums[i].given_again;
  }
  RecordProperty("confirmed", all.confirmed);
  RecordProperty("given_again", all.given_again);
  EXPECT_GT(all.confirmed, 20 * PowerCycles());
  EXPECT_GT(all.cut_starts, 0);
  EXPECT_GT(all.lives, PowerCycles() / 2);
  EXPECT_GT(all.kept, 0);
  EXPECT_GT(all.given_again, 0) << "nothing shows that deliveries are not synced: the text above would be wrong";
}

TEST(GroupPowerLossTest, AServerThatSkipsItsSyncIsCaught) {
  EXPECT_FALSE(GroupWorld(1, storage::Sabotage::kSkipSync, Answers::kAfterSync).Cycles(50));
}

TEST(GroupPowerLossTest, AnAnswerBeforeTheSyncIsCaught) {
  EXPECT_FALSE(GroupWorld(1, storage::Sabotage::kNone, Answers::kBeforeSync).Cycles(50));
}

}  // namespace
}  // namespace tocsin::tests
