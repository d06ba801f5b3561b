#include "gateway/hub.h"

#include <ctime>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/log.h"
#include "gateway/connection.h"
#include "model/limits.h"

namespace tocsin::gateway {
namespace {

using base::Code;
using base::Result;
using base::Status;
using logs::LiveLog;
using model::EntryId;

constexpr size_t kScratchBytes = 64 << 10;
constexpr int64_t kReceiptRetryMs = 1'000;
// A draining server spreads the return of its clients over this and a share for each of them.
constexpr int64_t kDrainSpreadMs = 1'000;
constexpr size_t kReturnsPerMs = 4;

// A device's receipt, for the commit thread. `done` is called there.
class ReceiptChange final : public storage::Change {
 public:
  ReceiptChange(logs::UserLogs& user_logs, std::string user, std::string device, EntryId cursor,
                std::function<void(const Status&)> done, bool lazy)
      : user_logs_(user_logs),
        user_(std::move(user)),
        device_(std::move(device)),
        cursor_(cursor),
        done_(std::move(done)),
        lazy_(lazy) {}
  void Stage(storage::Batch& batch) override { staged_ = user_logs_.Ack(user_, device_, cursor_, batch); }
  void Done(const Status& status) override { done_(status.ok() ? staged_ : status); }
  bool lazy() const override { return lazy_; }

 private:
  logs::UserLogs& user_logs_;
  const std::string user_, device_;
  const EntryId cursor_;
  const std::function<void(const Status&)> done_;
  const bool lazy_;
  Status staged_;
};

class MarkChange final : public storage::Change {
 public:
  MarkChange(logs::UserLogs& user_logs, logs::MarkRequest request,
             std::function<void(const Result<logs::Counts>&)> done)
      : user_logs_(user_logs), request_(std::move(request)), done_(std::move(done)) {}
  void Stage(storage::Batch& batch) override { counts_ = user_logs_.Mark(request_, batch); }
  void Done(const Status& status) override {
    if (!status.ok()) counts_ = status;
    done_(counts_);
  }

 private:
  logs::UserLogs& user_logs_;
  const logs::MarkRequest request_;
  const std::function<void(const Result<logs::Counts>&)> done_;
  Result<logs::Counts> counts_ = logs::Counts{};
};

}  // namespace

Hub& Backend::HomeOf(std::string_view user) const {
  return *hubs[XXH3_64bits_withSeed(user.data(), user.size(), home_seed) % hubs.size()];
}

Hub::Hub(runtime::Core& core, const Backend& backend)
    : core_(core),
      backend_(backend),
      tokens_(backend.options.token_keys, backend.options.token_options, core.clock()),
      scratch_(kScratchBytes) {
  core_.AtTurnEnd([this] { EndTurn(); });
  core_.Every(1'000, [this] { Tick(); });
}

Hub::~Hub() { connections_.clear(); }

session::Moment Hub::now() const { return {core_.clock().NowMs(), core_.clock().MonotonicUs() / 1000}; }

std::string_view Hub::HttpDate() {
  const int64_t second = core_.clock().NowMs() / 1000;
  if (second != date_second_) {
    date_second_ = second;
    tm utc{};
    const time_t time = second;
    gmtime_r(&time, &utc);
    char text[40];
    date_.assign(text, std::strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &utc));
  }
  return date_;
}

void Hub::Adopt(std::unique_ptr<Connection> connection) {
  Connection& adopted = *connection;
  connections_.emplace(adopted.number(), std::move(connection));
  adopted.Attach(*this);
  if (!draining_) return;
  // It came between two hubs, or was accepted just before: nobody has told it. Its peer is set by the end of this call.
  core_.Post([this, number = adopted.number()] {
    if (Connection* late = Find(number)) SendAway(*late);
  });
}

std::unique_ptr<Connection> Hub::Release(Connection& connection) {
  auto found = connections_.find(connection.number());
  std::unique_ptr<Connection> released = std::move(found->second);
  connections_.erase(found);
  released->Detach();
  return released;
}

Connection* Hub::Find(uint64_t number) {
  auto found = connections_.find(number);
  return found == connections_.end() ? nullptr : found->second.get();
}

void Hub::Discard(Connection& connection) { discarded_.push_back(connection.number()); }
void Hub::MarkDirty(Connection& connection) { dirty_.push_back(connection.number()); }

void Hub::ForEachConnection(const std::function<void(Connection&)>& visit) {
  for (auto& [number, connection] : connections_) visit(*connection);
}

void Hub::EndTurn() {
  // Flushing may make others dirty (a session that leaves tells nobody, but a peer may): until there is none.
  while (!dirty_.empty()) {
    std::vector<uint64_t> dirty;
    dirty.swap(dirty_);
    for (uint64_t number : dirty) {
      if (Connection* connection = Find(number)) connection->Flush();
    }
  }
  for (uint64_t number : discarded_) connections_.erase(number);
  discarded_.clear();
}

void Hub::Tick() {
  const session::Moment moment = now();
  for (auto& [number, connection] : connections_) connection->Tick(moment);
}

void Hub::Drain() {
  draining_ = true;
  for (auto& [number, connection] : connections_) SendAway(*connection);
  for (Waiter* waiter : std::exchange(waiters_, {})) waiter->OnDrain();
}

void Hub::SendAway(Connection& connection) {
  if (connection.closing()) return;
  const auto spread = static_cast<uint64_t>(kDrainSpreadMs) + connections_.size() / kReturnsPerMs;
  connection.peer()->OnDrain(static_cast<int64_t>(base::SystemRandom().Below(spread)));
}

void Hub::Enlist(Waiter& waiter) {
  if (draining_) return waiter.OnDrain();
  waiters_.push_back(&waiter);
}

void Hub::Dismiss(Waiter& waiter) { std::erase(waiters_, &waiter); }

// Asks the reader for what is in memory; where that is not enough, a thread that may block.
template <typename Answer, typename Ask>
void Hub::Read(Ask ask, std::function<void(const Result<Answer>&)> then) {
  Result<Answer> answer = ask(storage::Tier::kMemory);
  if (answer.ok() || answer.status().code() != Code::kWouldBlock) return then(answer);
  backend_.readers.Submit([this, ask = std::move(ask), then = std::move(then)] {
    auto read = std::make_shared<Result<Answer>>(ask(storage::Tier::kDisk));
    core_.Post([then, read] { then(*read); });
  });
}

void Hub::OpenLog(const std::string& user, const std::string& device,
                  std::function<void(LiveLog&, const Result<logs::LogOpening>&)> then) {
  LiveLog* log = &logs_.Get(user);
  log->Pin();
  auto ask = [&reader = backend_.reader, user, device](storage::Tier tier) { return reader.Open(user, device, tier); };
  Read<logs::LogOpening>(ask, [this, log, then = std::move(then)](const Result<logs::LogOpening>& opening) {
    if (opening.ok()) log->Open(opening->head);
    then(*log, opening);
    log->Unpin();
    logs_.Release(*log);
  });
}

void Hub::ReadLog(const std::string& user, EntryId after, size_t max_entries, size_t max_bytes,
                  std::function<void(const Result<logs::LogPiece>&)> then) {
  auto ask = [&reader = backend_.reader, user, after, max_entries, max_bytes](storage::Tier tier) {
    return reader.Read(user, after, max_entries, max_bytes, tier);
  };
  Read<logs::LogPiece>(ask, std::move(then));
}

void Hub::ListLog(const std::string& user, EntryId before, size_t limit, logs::ListFilter filter,
                  std::function<void(const Result<logs::ListPage>&)> then) {
  auto ask = [&reader = backend_.reader, user, before, limit, filter](storage::Tier tier) {
    return reader.List(user, before, limit, filter, tier);
  };
  Read<logs::ListPage>(ask, std::move(then));
}

void Hub::StoreReceipt(const std::string& user, const std::string& device, EntryId cursor) {
  logs_.Get(user).Sent(device, cursor);
  SubmitReceipt(user, device, cursor);
}

void Hub::SubmitReceipt(const std::string& user, const std::string& device, EntryId cursor) {
  auto done = [this, user, device, cursor](const Status& status) {
    core_.Post([this, user, device, cursor, failure = std::make_shared<Status>(status)] {
      OnReceiptStored(user, device, cursor, *failure);
    });
  };
  Status submitted = backend_.committer.Submit(
      std::make_unique<ReceiptChange>(backend_.user_logs, user, device, cursor, std::move(done), true));
  if (!submitted.ok()) OnReceiptStored(user, device, cursor, submitted);
}

void Hub::OnReceiptStored(const std::string& user, const std::string& device, EntryId cursor, const Status& status) {
  LiveLog* log = logs_.Find(user);
  if (log == nullptr) return;
  if (!status.ok() && status.code() != Code::kCancelled) {
    core_.After(kReceiptRetryMs, [this, user, device, cursor] {
      LiveLog* waiting = logs_.Find(user);
      if (waiting != nullptr && waiting->SentCursor(device) == cursor) SubmitReceipt(user, device, cursor);
    });
    return;
  }
  log->Stored(device, cursor);
  logs_.Release(*log);
}

void Hub::StoreReceipt(const std::string& user, const std::string& device, EntryId cursor,
                       std::function<void(const Status&)> then) {
  auto done = [this, then](const Status& status) {
    core_.Post([then, copy = std::make_shared<Status>(status)] { then(*copy); });
  };
  Status submitted = backend_.committer.Submit(
      std::make_unique<ReceiptChange>(backend_.user_logs, user, device, cursor, std::move(done), false));
  if (!submitted.ok()) then(submitted);
}

void Hub::StoreMark(logs::MarkRequest request, std::function<void(const Result<logs::Counts>&)> then) {
  auto done = [this, then](const Result<logs::Counts>& counts) {
    core_.Post([then, copy = std::make_shared<Result<logs::Counts>>(counts)] { then(*copy); });
  };
  Status submitted =
      backend_.committer.Submit(std::make_unique<MarkChange>(backend_.user_logs, std::move(request), std::move(done)));
  if (!submitted.ok()) then(submitted);
}

void Hub::Apply(std::vector<logs::LogUpdate> updates) {
  for (logs::LogUpdate& update : updates) logs_.Apply(std::move(update));
}

}  // namespace tocsin::gateway
