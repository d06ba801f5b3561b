// Power loss under everything that stores: publishes go through the stream engine, the router and the user logs into
// one batch a turn, on a disk that forgets what was not synced (storage/unsynced_fs.h). The wall clock is set back
// before every other start. After each:
//
//   a publish that was confirmed is in the log of every recipient, once (I1);
//   what a log has told (LogListener) is still its beginning, id by id: nothing that a device holds was lost, and no id
//   was used again for something else, clock set back or not, so a device skips nothing (I2, I8);
//   nothing is in a log that was not published to its user (I3);
//   the router stands at the end of the stream with nothing pending (I4).
//
// A store that skips its fsync must be caught by the same checks.
#include <cstdlib>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "base/clock.h"
#include "base/random.h"
#include "logs/log_reader.h"
#include "logs/user_logs.h"
#include "notifier/router.h"
#include "storage/committer.h"
#include "storage/temp_dir.h"
#include "storage/unsynced_fs.h"
#include "streams/engine.h"

namespace tocsin::tests {
namespace {

using base::Status;
using model::EntryId;

constexpr int kUsers = 12;

int Cycles() {
  const char* cycles = std::getenv("TOCSIN_POWER_CYCLES");
  return cycles == nullptr ? 50 : std::atoi(cycles);
}

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

class World final : public logs::LogListener {
 public:
  World(uint64_t seed, storage::Sabotage sabotage) : random_(seed), sabotage_(sabotage) {}

  // One life of the server, ended by a power cut at a random write. Then a start, and a look at everything; false when
  // something is wrong, `complaint` says what.
  bool Cycle();

  std::string complaint;
  int confirmed = 0;
  int lives = 0;       // that got as far as publishing
  int cut_starts = 0;  // power cuts during a start

 private:
  class Publish;

  Status Open();
  void Close();
  void Work();
  void OnCommitted(std::vector<logs::LogUpdate> updates) override;
  bool Complain(const std::string& what) {
    if (complaint.empty()) complaint = what;
    return false;
  }
  bool Look();
  bool LookAt(const std::string& name, User& user);

  base::SeededRandom random_;
  const storage::Sabotage sabotage_;
  storage::TempDir dir_{storage::TempDir::Where::kMemory};
  storage::UnsyncedFs disk_;
  base::ManualClock clock_;
  std::map<std::string, User> users_;
  std::map<std::string, std::set<std::string>> recipients_;  // by message: whom it was published to
  std::map<std::string, std::string> messages_;              // by nid that was confirmed or told
  int64_t next_message_ = 1;

  std::unique_ptr<storage::Store> store_;
  std::unique_ptr<streams::StreamEngine> streams_;
  std::unique_ptr<logs::UserLogs> logs_;
  std::unique_ptr<notifier::Router> router_;
  std::unique_ptr<storage::Committer> committer_;
};

// A publish to some users, as the gateway stages and answers it.
class World::Publish final : public storage::Change {
 public:
  Publish(World& world, std::vector<std::string> users, std::string message)
      : world_(world), users_(std::move(users)), message_(std::move(message)) {}

  void Stage(storage::Batch&) override {
    std::string list = "[";
    for (const std::string& user : users_) list += (list.size() > 1 ? ",\"" : "\"") + user + "\"";
    list += "]";
    const std::vector<streams::FieldView> fields{{"user_ids", list}, {"message", message_}};
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
  Status staged_;
  std::string nid_;
};

Status World::Open() {
  auto store = storage::OpenStore({.dir = dir_.path() + "/store",
                                   .min_free_bytes = 0,
                                   .max_wal_bytes = 64 << 10,
                                   .clock = &clock_,
                                   .file_system = disk_.file_system(),
                                   .sabotage = sabotage_});
  if (!store.ok()) return store.status();
  store_ = std::move(*store);
  streams_ = std::make_unique<streams::StreamEngine>(*store_, clock_);
  logs_ = std::make_unique<logs::UserLogs>(*store_, clock_,
                                           logs::UserLogsOptions{.max_entries = 1'000'000, .id_floor = {}}, this);
  router_ = std::make_unique<notifier::Router>(*streams_, *logs_, clock_,
                                               std::vector<std::string>{std::string(notifier::kDefaultStream)});
  committer_ = std::make_unique<storage::Committer>(
      *store_, clock_, std::vector<storage::Participant*>{router_.get(), streams_.get(), logs_.get()});
  router_->SetCommitter(*committer_);
  committer_->Wake();
  return base::Ok();
}

void World::Close() {
  committer_.reset();
  router_.reset();
  logs_.reset();
  streams_.reset();
  store_.reset();
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
      base::Ignore(committer_->Submit(
          std::make_unique<Publish>(*this, std::vector<std::string>(users.begin(), users.end()), message)));
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

bool World::Cycle() {
  if (random_.Below(2) == 0) clock_.Set(clock_.NowMs() - 3'600'000);
  disk_.CutPowerAt(1 + random_.Below(random_.Below(4) == 0 ? 80 : 800));
  if (Open().ok()) {
    ++lives;
    Work();
  } else {
    ++cut_starts;
    if (!disk_.power_off()) return Complain("a start failed with the power on");
  }
  Close();
  disk_.CutPower();
  disk_.Restart(random_);
  if (random_.Below(2) == 0) clock_.Set(clock_.NowMs() - 3'600'000);
  const Status opened = Open();
  if (!opened.ok()) return Complain(opened.ToString());
  while (committer_->RunTurn()) {
  }
  const bool right = Look();
  Close();
  return right && complaint.empty();
}

bool World::Look() {
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
    if (!nids.contains(nid)) return Complain(name + ": " + nid + " was confirmed and is lost");
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
    threads.emplace_back([&world] {
      for (int cycle = 0; cycle < Cycles() / kWorlds && world->Cycle(); ++cycle) {
      }
    });
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
  EXPECT_GT(confirmed, 20 * Cycles());
  EXPECT_GT(cut_starts, 0);
  EXPECT_GT(lives, Cycles() / 2);
}

TEST(PowerLossTest, AServerThatSkipsItsSyncIsCaught) {
  World world(1, storage::Sabotage::kSkipSync);
  bool right = true;
  for (int cycle = 0; cycle < 50 && right; ++cycle) right = world.Cycle();
  EXPECT_FALSE(right);
}

}  // namespace
}  // namespace tocsin::tests
