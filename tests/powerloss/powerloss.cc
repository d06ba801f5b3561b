// Power loss under everything that stores: publishes go through the stream engine, the router and the user logs into
// one batch a turn, on a disk that forgets what was not synced (storage/unsynced_fs.h). The wall clock is set back
// before every other start. After each:
//
//   a publish that was confirmed is in the log of every recipient, once (I1), or waits for its time in the schedule;
//   what a log has told (LogListener) is still its beginning, id by id: nothing that a device holds was lost, and no id
//   was used again for something else, clock set back or not, so a device skips nothing (I2, I8);
//   nothing is in a log that was not published to its user (I3);
//   the router stands at the end of the stream with nothing pending (I4).
//
// A store that skips its fsync must be caught by the same checks.
#include <map>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "logs/log_reader.h"
#include "logs/user_logs.h"
#include "notifier/router.h"
#include "power_world.h"
#include "storage/committer.h"
#include "streams/engine.h"

namespace tocsin::tests {
namespace {

using base::Status;
using model::EntryId;

constexpr int kUsers = 12;

struct Told {
  EntryId id;
  std::string nid;
  bool operator==(const Told&) const = default;
};

// What the world outside knows of one user.
struct User {
  std::vector<Told> told;                 // read or handed out, in order
  std::set<std::string> confirmed;        // nids whose publisher got its answer
  std::map<std::string, EntryId> cursor;  // by device: how far it has receipted
};

class World final : public PowerWorld, public logs::LogListener {
 public:
  using PowerWorld::PowerWorld;

 private:
  class Publish;

  void Open() override;
  void Close() override;
  void Work() override;
  bool Look() override;
  void OnCommitted(std::vector<logs::LogUpdate> updates) override;
  bool LookAt(const std::string& name, User& user);

  std::map<std::string, User> users_;
  std::map<std::string, std::set<std::string>> recipients_;  // by message: whom it was published to
  std::map<std::string, std::string> messages_;              // by nid that was confirmed or told
  int64_t next_message_ = 1;

  std::unique_ptr<streams::StreamEngine> streams_;
  std::unique_ptr<logs::UserLogs> logs_;
  std::unique_ptr<notifier::Delivery> delivery_;
  std::unique_ptr<notifier::Schedule> schedule_;
  std::unique_ptr<notifier::Router> router_;
  std::unique_ptr<storage::Committer> committer_;
};

// A publish to some users, as the gateway stages and answers it.
class World::Publish final : public storage::Change {
 public:
  // `later_ms`: it is to be delivered so much later; 0: at once.
  Publish(World& world, std::vector<std::string> users, std::string message, int64_t later_ms)
      : world_(world), users_(std::move(users)), message_(std::move(message)), later_ms_(later_ms) {}

  void Stage(storage::Batch&) override {
    std::string list = "[";
    for (const std::string& user : users_) list += (list.size() > 1 ? ",\"" : "\"") + user + "\"";
    list += "]";
    auto last = world_.streams_->LastId(notifier::kDefaultStream);  // it may be ahead of the clock
    const int64_t now_ms = std::max(world_.clock_.NowMs(), last.ok() ? static_cast<int64_t>(last->ms) : 0);
    const std::string at = later_ms_ > 0 ? std::to_string(now_ms + later_ms_) : "";
    const std::vector<streams::FieldView> fields{{"user_ids", list}, {"message", message_}, {"deliver_at", at}};
    auto id = world_.streams_->Append(notifier::kDefaultStream, fields);
    staged_ = id.status();
    if (id.ok()) nid_ = notifier::NidOf(notifier::kDefaultStream, **id);
  }

  void Done(const Status& status) override {
    if (!status.ok() || !staged_.ok()) return;
    ++world_.confirmed;
    for (const std::string& user : users_) world_.users_[user].confirmed.insert(nid_);
    const auto [known, fresh] = world_.messages_.emplace(nid_, message_);
    if (!fresh && known->second != message_) world_.Complain("nid " + nid_ + " was given twice");
  }

 private:
  World& world_;
  const std::vector<std::string> users_;
  const std::string message_;
  const int64_t later_ms_;
  Status staged_;
  std::string nid_;
};

void World::Open() {
  streams_ = std::make_unique<streams::StreamEngine>(*store_, clock_);
  logs_ = std::make_unique<logs::UserLogs>(*store_, clock_,
                                           logs::UserLogsOptions{.max_entries = 1'000'000, .id_floor = {}}, this);
  delivery_ = std::make_unique<notifier::Delivery>(*store_, clock_, *logs_);
  schedule_ = std::make_unique<notifier::Schedule>(*store_, clock_, *delivery_);
  router_ = std::make_unique<notifier::Router>(*streams_, *delivery_, *schedule_, clock_,
                                               std::vector<std::string>{std::string(notifier::kDefaultStream)});
  committer_ = std::make_unique<storage::Committer>(
      *store_, clock_, std::vector<storage::Participant*>{router_.get(), schedule_.get(), streams_.get(), logs_.get()});
  router_->SetCommitter(*committer_);
  committer_->Wake();
}

void World::Close() {
  committer_.reset();
  router_.reset();
  schedule_.reset();
  delivery_.reset();
  logs_.reset();
  streams_.reset();
}

void World::OnCommitted(std::vector<logs::LogUpdate> updates) {
  for (const logs::LogUpdate& update : updates) {
    User& user = users_[update.user];
    for (const logs::LogEntryPtr& entry : update.entries) user.told.push_back({entry->id, entry->nid});
  }
}

void World::Work() {
  while (!disk_.power_off()) {
    clock_.Advance(static_cast<int64_t>(random_.Below(30)));
    for (uint64_t i = random_.Below(12); i > 0; --i) {
      std::set<std::string> users;
      for (uint64_t n = random_.Below(3) + 1; n > 0; --n) users.insert("u" + std::to_string(random_.Below(kUsers)));
      std::string message = "message " + std::to_string(next_message_++) + std::string(random_.Below(300), '.');
      recipients_[message] = users;
      const int64_t later_ms = random_.Below(4) == 0 ? static_cast<int64_t>(random_.Below(300)) : 0;
      base::Ignore(committer_->Submit(
          std::make_unique<Publish>(*this, std::vector<std::string>(users.begin(), users.end()), message, later_ms)));
    }
    const std::string name = "u" + std::to_string(random_.Below(kUsers));
    User& user = users_[name];
    if (!user.told.empty()) {
      EntryId& cursor = user.cursor["phone"];
      cursor = std::max(cursor, user.told[random_.Below(user.told.size())].id);
      base::Ignore(committer_->Submit(
          [this, name, cursor](storage::Batch& batch) { base::Ignore(logs_->Ack(name, "phone", cursor, batch)); }));
    }
    for (uint64_t turns = random_.Below(3); turns > 0; --turns) committer_->RunTurn();
  }
  committer_->RunTurn();  // what waits is refused
}

bool World::Look() {
  while (committer_->RunTurn()) {  // what the router had left
  }
  for (auto& [name, user] : users_) {
    if (!LookAt(name, user)) return false;
  }
  auto length = streams_->Length(notifier::kDefaultStream);
  if (!length.ok()) return Complain(length.status().ToString());
  if (*length == 0) return true;  // no group yet, if the first life was cut
  auto groups = streams_->ReportGroups(notifier::kDefaultStream);
  auto last = streams_->LastId(notifier::kDefaultStream);
  if (!groups.ok() || groups->size() != 1 || !last.ok()) return Complain("the router has no group");
  if (groups->front().pending != 0) return Complain("entries are pending for the router");
  if (groups->front().last_id != *last) return Complain("the router does not stand at the end");
  return true;
}

bool World::LookAt(const std::string& name, User& user) {
  logs::LogReader reader(*store_);
  auto piece = reader.Read(name, {}, 1'000'000, SIZE_MAX, storage::Tier::kDisk);
  if (!piece.ok()) return Complain(piece.status().ToString());
  std::vector<Told> log;
  std::set<std::string> nids;
  for (const logs::LogLine& line : piece->lines) {
    const logs::LogEntry& entry = *line.entry;
    if (!log.empty() && entry.id <= log.back().id) return Complain(name + ": ids do not grow");
    if (!nids.insert(entry.nid).second) return Complain(name + ": " + entry.nid + " is there twice");
    log.push_back({entry.id, entry.nid});
    const size_t begin = entry.json.find("message "), end = entry.json.find('"', begin);
    const std::string message = begin == std::string::npos ? "" : std::string(entry.json.substr(begin, end - begin));
    const auto to = recipients_.find(message);
    if (to == recipients_.end() || !to->second.contains(name)) return Complain(name + " has what is not its own");
    const auto confirmed_as = messages_.find(entry.nid);
    if (confirmed_as != messages_.end() && confirmed_as->second != message) return Complain(entry.nid + " was altered");
  }
  for (const std::string& nid : user.confirmed) {
    if (nids.contains(nid)) continue;
    const auto waiting = schedule_->Find(nid);
    if (waiting.ok() && *waiting && (*waiting)->due_ms) continue;
    return Complain(name + ": " + nid + " was confirmed and is lost");
  }
  for (size_t i = 0; i < user.told.size(); ++i) {
    if (i >= log.size() || log[i] != user.told[i]) {
      return Complain(name + ": entry " + std::to_string(i) + " was told as " + user.told[i].id.ToString() +
                      (i < log.size() ? " and is now " + log[i].id.ToString() : " and is lost"));
    }
  }
  auto opening = reader.Open(name, "phone", storage::Tier::kDisk);
  if (!opening.ok()) return Complain(opening.status().ToString());
  if (opening->device_cursor && !user.cursor.empty() && *opening->device_cursor > user.cursor.at("phone")) {
    return Complain(name + ": the stored cursor is ahead of the device");
  }
  user.told = std::move(log);  // a device that comes back reads what it has missed
  return true;
}

// Several worlds at once, because RocksDB sleeps for a second when a flush fails.
TEST(PowerLossTest, ConfirmedPublishesSurviveAndNoIdIsUsedAgain) {
  constexpr int kWorlds = 5;
  storage::UnsyncedFs::MoreFlushThreads(kWorlds);
  std::vector<std::unique_ptr<World>> worlds;
  for (uint64_t seed = 1; seed <= kWorlds; ++seed) {
    worlds.push_back(std::make_unique<World>(seed, storage::Sabotage::kNone));
  }
  std::vector<std::thread> threads;
  for (auto& world : worlds) {
    threads.emplace_back([&world] { world->Cycles(PowerCycles() / kWorlds); });
  }
  for (std::thread& thread : threads) thread.join();
  int confirmed = 0, lives = 0, cut_starts = 0;
  for (int i = 0; i < kWorlds; ++i) {
    const World& world = *worlds[static_cast<size_t>(i)];
    EXPECT_EQ(world.complaint, "") << "seed " << i + 1 << ", life " << world.lives + world.cut_starts;
    confirmed += world.confirmed;
    lives += world.lives;
    cut_starts += world.cut_starts;
  }
  EXPECT_GT(confirmed, 20 * PowerCycles());
  EXPECT_GT(cut_starts, 0);
  EXPECT_GT(lives, PowerCycles() / 2);
}

TEST(PowerLossTest, AServerThatSkipsItsSyncIsCaught) {
  EXPECT_FALSE(World(1, storage::Sabotage::kSkipSync).Cycles(50));
}

}  // namespace
}  // namespace tocsin::tests
