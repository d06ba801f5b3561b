#include "world.h"

#include <algorithm>

#include "client.h"
#include "connection.h"
#include "logs/keys.h"

namespace tocsin::tests {

using base::Code;
using base::Result;
using base::Status;
using storage::Batch;

namespace {

constexpr int64_t kDayMs = 24 * 3'600'000;
constexpr std::string_view kStreams[] = {"notifications_stream", "bulk"};

}  // namespace

class World::ReceiptChange final : public storage::Change {
 public:
  ReceiptChange(World& world, size_t user, std::string device, EntryId cursor)
      : world_(world), user_(user), device_(std::move(device)), cursor_(cursor) {}
  void Stage(Batch& batch) override {
    staged_ = world_.user_logs_->Ack(world_.users_[user_].name, device_, cursor_, batch);
  }
  void Done(const Status& status) override {
    const Status outcome = status.ok() ? staged_ : status;
    if (outcome.ok()) {
      EntryId& confirmed = world_.users_[user_].confirmed[device_];
      confirmed = std::max(confirmed, cursor_);
    }
    world_.mailbox_.push_back([&world = world_, user = user_, device = device_, cursor = cursor_, outcome] {
      world.OnReceiptStored(user, device, cursor, outcome);
    });
  }
  bool lazy() const override { return true; }

 private:
  World& world_;
  const size_t user_;
  const std::string device_;
  const EntryId cursor_;
  Status staged_;
};

class World::MarkChange final : public storage::Change {
 public:
  MarkChange(World& world, uint64_t connection, size_t user, std::string i, logs::MarkRequest request)
      : world_(world), connection_(connection), user_(user), i_(std::move(i)), request_(std::move(request)) {}
  void Stage(Batch& batch) override {
    counts_ = world_.user_logs_->Mark(request_, batch);
    world_.turn_.push_back([&world = world_, user = user_, request = request_, now = world_.clock_.NowMs()] {
      world.users_[user].log.Mark(request, now);
    });
  }
  void Done(const Status& status) override {
    if (!status.ok()) counts_ = status;
    world_.mailbox_.push_back([&world = world_, connection = connection_, i = i_, counts = counts_] {
      if (Connection* live = world.Find(connection)) live->session().OnMarked(i, counts);
    });
  }

 private:
  World& world_;
  const uint64_t connection_;
  const size_t user_;
  const std::string i_;
  const logs::MarkRequest request_;
  Result<logs::Counts> counts_ = logs::Counts{};
};

World::World(uint64_t seed, Tally& tally) : random_(seed), tally_(tally), epoch_ms_(clock_.NowMs()) {
  static constexpr size_t kLimits[] = {8, 20, 48, 200};
  log_options_.max_entries = kLimits[random_.Below(std::size(kLimits))];
  users_.resize(2);
  users_[0].name = "ann";
  users_[1].name = std::string("ann\0d", 5);
  Open();
  for (const char* device : {"phone", "web", "web", ""}) clients_.push_back(std::make_unique<Client>(*this, 0, device));
  for (const char* device : {"phone", "d"}) clients_.push_back(std::make_unique<Client>(*this, 1, device));
}

World::~World() {
  calm_ = true;
  Close();
}

void World::Open() {
  const storage::StoreOptions options{
      .dir = dir_.path() + "/store", .min_free_bytes = 0, .clock = &clock_, .faults = this};
  auto store = storage::OpenStore(options);
  REQUIRE(store.ok(), store.status().ToString());
  store_ = std::move(*store);
  user_logs_ = std::make_unique<logs::UserLogs>(*store_, clock_, log_options_, this);
  committer_ = std::make_unique<storage::Committer>(*store_, clock_,
                                                    std::vector<storage::Participant*>{this, user_logs_.get()}, this);
  reader_ = std::make_unique<logs::LogReader>(*store_);
  live_ = std::make_unique<logs::LiveLogs>();
}

void World::Close() {
  for (const auto& client : clients_) client->ConnectionLost();
  connections_.clear();
  if (!calm_ && Chance(50)) fail_write_ = true;
  committer_->Stop();  // commits what waits, or fails to
  committer_.reset();
  mailbox_.clear();
  reads_.clear();
  answers_.clear();
  retries_.clear();
  live_.reset();
  reader_.reset();
  user_logs_.reset();
  store_.reset();
}

void World::Restart() {
  tally_.Add("restart");
  Close();
  broken_ = fail_write_ = fail_sync_ = false;
  Open();
  Adopt();
  committer_->Wake();
}

// A turn whose sync has failed is confirmed to nobody, but may be in the log file all the same.
void World::Adopt() {
  if (uncertain_.empty()) return;
  std::vector<ReferenceLog> before;
  for (const User& user : users_) before.push_back(user.log);
  const size_t routed = routed_;
  ReplayTurn(std::exchange(uncertain_, {}));
  bool stored = true;
  for (const User& user : users_) {
    auto opening = reader_->Open(user.name, {}, storage::Tier::kDisk);
    stored = stored && opening.ok() && opening->head.last == user.log.last;
    for (const auto& [mid, at_ms] : user.log.mids) {
      auto key = store_->Get(storage::Family::kHeads, logs::MarkKey(user.name, mid));
      stored = stored && key.ok() && key->has_value();
    }
  }
  tally_.Add(stored ? "failed sync, stored all the same" : "failed sync, not stored");
  if (stored) return;
  for (size_t i = 0; i < users_.size(); ++i) users_[i].log = before[i];
  routed_ = routed;
}

void World::Step() {
  clock_.Advance(static_cast<int64_t>(random_.Below(20)));
  const uint64_t choice = random_.Below(1'000);
  if (choice < 150) {
    Publish();
  } else if (choice < 320) {
    Turn();
  } else if (choice < 480) {
    Deliver();
  } else if (choice < 580) {
    ReadSomething();
  } else if (choice < 680) {
    AnswerSomething();
  } else if (choice < 690) {
    Operate();
  } else if (choice < 970) {
    clients_[random_.Below(clients_.size())]->Step();
  } else if (choice < 985) {
    Tick();
  } else if (choice < 990) {
    SetClock();
  } else if (choice < 992 || broken_) {
    Restart();
  } else if (!retries_.empty()) {
    auto retry = std::move(retries_.back());
    retries_.pop_back();
    retry();
  }
  std::erase_if(connections_, [](const auto& entry) { return entry.second == nullptr; });
}

void World::Settle() {
  calm_ = true;
  if (broken_) Restart();
  for (int round = 0; round < 10'000; ++round) {
    clock_.Advance(20);
    while (committer_->RunTurn()) {
    }
    while (!mailbox_.empty() || !reads_.empty() || !answers_.empty()) {
      Deliver();
      ReadSomething();
      AnswerSomething();
    }
    for (auto& retry : std::exchange(retries_, {})) retry();
    bool all = routed_ == ingest_.size() && committer_->queued() == 0 && mailbox_.empty();
    for (const auto& client : clients_) all = client->CatchUp() && all;
    if (all && mailbox_.empty() && committer_->queued() == 0) {
      for (const auto& client : clients_) client->CompareWith(users_[client->user()].log);
      CompareLogs();
      return;
    }
  }
  REQUIRE(false, "the clients do not catch up");
}

void World::Publish() {
  const size_t user = Chance(75) ? 0 : 1;
  const auto number = ingest_.size() + 1;
  Published one;
  one.user = user;
  one.nid = std::to_string(number) + "-0:" + std::to_string(user);
  one.priority = static_cast<model::Priority>(random_.Below(model::kPriorities));
  one.json = "\"nid\":\"" + one.nid + "\",\"body\":\"" + std::string(random_.Below(Chance(5) ? 9'000 : 60), 'x') + "\"";
  if (Chance(40)) one.traits.category = std::string(1, static_cast<char>('a' + random_.Below(3)));
  if (Chance(30)) one.traits.collapse_key = "key" + std::to_string(random_.Below(4));
  one.stream = kStreams[random_.Below(std::size(kStreams))];
  one.source = {number, 0};
  ingest_.push_back(std::move(one));
  committer_->Wake();
}

// What a back-end or time does: items end, or are taken back.
void World::Operate() {
  const size_t user = random_.Below(users_.size());
  logs::MarkRequest request{.user = users_[user].name, .op = model::MarkOp::kExpire, .nids = {"no-such-nid"}};
  if (Chance(40)) {
    request.op = model::MarkOp::kDelete;
    request.spare = logs::Spare::kRead;
  }
  for (const auto& [id, item] : users_[user].log.entries) {
    if (item && Chance(5)) request.nids.push_back(item->nid);
  }
  if (request.nids.size() > 1) tally_.Add(request.op == model::MarkOp::kExpire ? "expire" : "retract");
  StoreMark(0, user, {}, std::move(request));
}

void World::Turn() {
  if (Chance(4)) fail_write_ = true;
  if (!broken_ && random_.Below(400) == 0) fail_sync_ = true;
  committer_->RunTurn();
  fail_write_ = false;
}

Status World::Reach(std::string_view place) {
  if (calm_) return base::Ok();
  if (place == "before_write" && fail_write_) return Status(Code::kNoSpace, "the test's disk is full");
  if (place == "before_sync" && fail_sync_) {
    fail_sync_ = false;
    broken_ = true;
    uncertain_ = turn_;
    return Status(Code::kUnavailable, "the test's disk does not sync");
  }
  return base::Ok();
}

Status World::BeforeCommit(Batch& batch) {
  // Sometimes a router comes back from the past: what the logs have is not appended again.
  size_t from = routed_;
  if (Chance(10)) from -= std::min<size_t>(from, random_.Below(5));
  size_t upto = ingest_.size();
  if (Chance(20)) upto = std::min(upto, routed_ + random_.Below(4));
  for (size_t n = from; n < upto; ++n) {
    const Published& one = ingest_[n];
    RETURN_IF_ERROR(user_logs_->Append(users_[one.user].name, {one.nid, one.priority, one.json, one.traits},
                                       {one.stream, one.source}, batch));
    if (n < routed_) {
      tally_.Add("repeated append");
      continue;
    }
    turn_.push_back([this, n, now = clock_.NowMs()] {
      const Published& published = ingest_[n];
      const ReferenceLog::Item item{published.nid, static_cast<int>(published.priority), 0, published.traits.category,
                                    published.traits.collapse_key};
      if (users_[published.user].log.Append(item, now)) tally_.Add("collapse");
      routed_ = n + 1;
    });
  }
  return base::Ok();
}

void World::AfterCommit(const Status& status) {
  if (status.ok()) {
    ReplayTurn(turn_);
  } else {
    tally_.Add("failed turn");
  }
  turn_.clear();
  if (routed_ < ingest_.size()) committer_->Wake();
}

void World::ReplayTurn(const std::vector<std::function<void()>>& operations) {
  std::vector<EntryId> before;
  for (const User& user : users_) before.push_back(user.log.last);
  for (const auto& operation : operations) operation();
  for (size_t i = 0; i < users_.size(); ++i) {
    const EntryId floor = users_[i].log.floor;
    users_[i].log.Trim(log_options_.max_entries, before[i]);
    if (users_[i].log.floor > floor) tally_.Add("trim");
  }
}

void World::OnCommitted(std::vector<logs::LogUpdate> updates) {
  auto shared = std::make_shared<std::vector<logs::LogUpdate>>(std::move(updates));
  mailbox_.push_back([this, shared] {
    for (logs::LogUpdate& update : *shared) live_->Apply(std::move(update));
  });
}

void World::Deliver() {
  for (uint64_t n = 1 + random_.Below(3); n > 0 && !mailbox_.empty(); --n) {
    auto task = std::move(mailbox_.front());
    mailbox_.pop_front();
    task();
  }
}

void World::ReadSomething() {
  if (reads_.empty()) return;
  std::swap(reads_[random_.Below(reads_.size())], reads_.back());
  auto read = std::move(reads_.back());
  reads_.pop_back();
  read();
}

void World::AnswerSomething() {
  if (answers_.empty()) return;
  std::swap(answers_[random_.Below(answers_.size())], answers_.back());
  auto answer = std::move(answers_.back());
  answers_.pop_back();
  answer();
}

void World::SetClock() {
  tally_.Add("clock set");
  const int64_t true_ms = clock_.NowMs() - wall_offset_ms_;
  wall_offset_ms_ = Chance(30) ? 0 : static_cast<int64_t>(random_.Below(2 * kDayMs)) - kDayMs;
  clock_.Set(true_ms + wall_offset_ms_);
}

void World::Tick() {
  if (Chance(10)) clock_.Advance(static_cast<int64_t>(random_.Below(30'000)));
  for (auto& [number, connection] : connections_) {
    if (connection) connection->session().OnTick(now());
  }
}

Connection& World::Connect(Client& client, size_t window) {
  const uint64_t number = next_connection_++;
  auto& slot = connections_[number];
  slot = std::make_unique<Connection>(*this, client.user(), number, window);
  return *slot;
}

Connection* World::Find(uint64_t connection) {
  auto found = connections_.find(connection);
  return found == connections_.end() ? nullptr : found->second.get();
}

// The slot stays until the step ends: somebody may walk over the connections.
void World::Disconnect(uint64_t connection) {
  auto found = connections_.find(connection);
  if (found == connections_.end() || !found->second) return;
  logs::LiveLog* log = live_->Find(users_[found->second->user()].name);
  found->second.reset();
  if (log != nullptr) live_->Release(*log);
}

// At once where the answer is in memory (or was, by the seed), else by way of a read thread.
template <typename Answer>
void World::Read(std::function<Result<Answer>(storage::Tier)> ask, std::function<void(const Result<Answer>&)> then) {
  if (Chance(40)) {
    Result<Answer> answer = ask(storage::Tier::kMemory);
    if (answer.ok() || answer.status().code() != Code::kWouldBlock) return then(answer);
  }
  reads_.push_back([this, ask, then] {
    const bool fails = !calm_ && Chance(2);
    auto answer = std::make_shared<Result<Answer>>(
        fails ? Result<Answer>(Status(Code::kUnavailable, "the test's disk does not read"))
              : ask(storage::Tier::kDisk));
    answers_.push_back([then, answer] { then(*answer); });
  });
}

void World::OpenLog(uint64_t connection, const std::string& user, const std::string& device) {
  logs::LiveLog* log = &live_->Get(user);
  log->Pin();
  Read<logs::LogOpening>([this, user, device](storage::Tier tier) { return reader_->Open(user, device, tier); },
                         [this, connection, user, log](const Result<logs::LogOpening>& opening) {
                           if (opening.ok()) log->Open(opening->head);
                           Connection* live = Find(connection);
                           if (live != nullptr) {
                             live->session().OnLogOpened(opening.ok() ? log : nullptr, opening, now());
                           }
                           log->Unpin();
                           live_->Release(*log);
                         });
}

void World::ReadLog(uint64_t connection, const std::string& user, EntryId after, size_t max_entries, size_t max_bytes) {
  Read<logs::LogPiece>([this, user, after, max_entries, max_bytes](
                           storage::Tier tier) { return reader_->Read(user, after, max_entries, max_bytes, tier); },
                       [this, connection](const Result<logs::LogPiece>& piece) {
                         if (Connection* live = Find(connection))
                           live->session().OnLogRead(session::kOwnChannel, piece);
                       });
}

void World::ListLog(uint64_t connection, const std::string& user, std::string i, EntryId before, size_t limit,
                    logs::ListFilter filter) {
  Read<logs::ListPage>([this, user, before, limit,
                        filter](storage::Tier tier) { return reader_->List(user, before, limit, filter, tier); },
                       [this, connection, i](const Result<logs::ListPage>& page) {
                         if (Connection* live = Find(connection)) live->session().OnListed(i, page);
                       });
}

void World::ListUrgent(uint64_t connection, const std::string& user, size_t limit) {
  Read<logs::ListPage>(
      [this, user, limit](storage::Tier tier) {
        return reader_->List(user, EntryId::Max(), limit, logs::ListFilter::kUrgent, tier);
      },
      [this, connection](const Result<logs::ListPage>& page) {
        if (Connection* live = Find(connection)) live->session().OnUrgent(session::kOwnChannel, page);
      });
}

void World::StoreReceipt(size_t user, const std::string& device, EntryId cursor) {
  EntryId& acked = users_[user].acked[device];
  acked = std::max(acked, cursor);
  live_->Get(users_[user].name).Sent(device, cursor);
  Status taken = committer_->Submit(std::make_unique<ReceiptChange>(*this, user, device, cursor));
  REQUIRE(taken.ok(), taken.ToString());
}

void World::OnReceiptStored(size_t user, const std::string& device, EntryId cursor, const Status& status) {
  logs::LiveLog* log = live_->Find(users_[user].name);
  if (log == nullptr) return;
  if (status.ok()) {
    log->Stored(device, cursor);
    live_->Release(*log);
    return;
  }
  retries_.push_back([this, user, device, cursor] {
    logs::LiveLog* waiting = live_->Find(users_[user].name);
    if (waiting != nullptr && waiting->SentCursor(device) == cursor) StoreReceipt(user, device, cursor);
  });
}

void World::StoreMark(uint64_t connection, size_t user, std::string i, logs::MarkRequest request) {
  Status taken =
      committer_->Submit(std::make_unique<MarkChange>(*this, connection, user, std::move(i), std::move(request)));
  REQUIRE(taken.ok(), taken.ToString());
}

// The stored log itself, read in both directions, and what is kept of the devices.
void World::CompareLogs() {
  for (const User& user : users_) {
    const ReferenceLog& log = user.log;
    auto opening = reader_->Open(user.name, {}, storage::Tier::kDisk);
    REQUIRE(opening.ok(), opening.status().ToString());
    REQUIRE(opening->head.last == log.last && opening->head.floor == log.floor, user.name);
    REQUIRE(opening->head.entries == log.entries.size(), user.name);
    REQUIRE(opening->head.counts == log.Counts(), user.name);

    auto expected = log.entries.begin();
    EntryId after;
    for (;;) {
      auto piece = reader_->Read(user.name, after, 1 + random_.Below(9), 1 << 20, storage::Tier::kDisk);
      REQUIRE(piece.ok(), piece.status().ToString());
      for (const logs::LogLine& line : piece->lines) {
        REQUIRE(expected != log.entries.end() && expected->first == line.entry->id, line.entry->id.ToString());
        REQUIRE(expected->second.has_value() == line.entry->is_item(), line.entry->id.ToString());
        if (line.entry->is_item()) REQUIRE(static_cast<int>(line.state) == expected->second->state, line.entry->nid);
        after = line.entry->id;
        ++expected;
      }
      if (piece->complete) break;
    }
    REQUIRE(expected == log.entries.end(), "entries are missing");

    EntryId before = EntryId::Max();
    auto newest = log.entries.rbegin();
    for (;;) {
      auto page =
          reader_->List(user.name, before, 1 + random_.Below(9), logs::ListFilter::kUnread, storage::Tier::kDisk);
      REQUIRE(page.ok(), page.status().ToString());
      auto skip = [&] {
        while (newest != log.entries.rend() && (!newest->second || newest->second->state >= 2)) ++newest;
      };
      for (const logs::LogLine& line : page->lines) {
        skip();
        REQUIRE(newest != log.entries.rend() && newest->first == line.entry->id, line.entry->id.ToString());
        ++newest;
      }
      if (!page->before) {
        skip();
        break;
      }
      before = *page->before;
    }
    REQUIRE(newest == log.entries.rend(), "unread items are missing");

    for (const auto& [device, confirmed] : user.confirmed) {
      auto known = reader_->Open(user.name, device, storage::Tier::kDisk);
      REQUIRE(known.ok() && known->device_cursor, device);
      REQUIRE(confirmed <= *known->device_cursor, "a confirmed receipt is lost: " + device);
      REQUIRE(*known->device_cursor <= user.acked.at(device), "a receipt that nobody sent: " + device);
    }
  }
  for (const auto& client : clients_) client->ConnectionLost();
  std::vector<uint64_t> numbers;
  for (const auto& [number, connection] : connections_) numbers.push_back(number);
  for (uint64_t number : numbers) Disconnect(number);
  REQUIRE(live_->size() == 0, std::to_string(live_->size()) + " live logs are left");
}

}  // namespace tocsin::tests
