#include "gateway/hub.h"

#include <ctime>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/log.h"
#include "gateway/connection.h"
#include "model/limits.h"
#include "model/topic.h"

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

// Watched for as long as it is live: an update that comes between this and the opening must not be missed.
LiveLog& Hub::GetLog(const std::string& user) {
  if (LiveLog* found = logs_.Find(user)) return *found;
  backend_.logs.Watch(user);
  return logs_.Get(user);
}

void Hub::ReleaseLog(LiveLog& log) {
  if (!log.unused()) return;
  backend_.logs.Unwatch(log.user());
  if (model::IsTopicLog(log.user())) windows_.erase(std::string(model::TopicOf(log.user())));
  logs_.Release(log);
}

void Hub::OpenLog(const std::string& user, const std::string& device,
                  std::function<void(LiveLog&, const Result<logs::LogOpening>&)> then) {
  LiveLog* log = &GetLog(user);
  log->Pin();
  backend_.logs.Open(user, device, [this, log, then = std::move(then)](const Result<logs::LogOpening>& opening) {
    if (opening.ok()) log->Open(opening->head);
    then(*log, opening);
    log->Unpin();
    ReleaseLog(*log);
  });
}

void Hub::StoreReceipt(const std::string& user, const std::string& device, const std::string& topic, EntryId cursor) {
  GetLog(user).Sent(LiveLog::SentName(device, topic), cursor);
  SubmitReceipt({user, device, topic, cursor});
}

void Hub::SubmitReceipt(const Receipt& receipt) {
  auto stored = [this, receipt](const Status& status) { OnReceiptStored(receipt, status); };
  if (receipt.topic.empty()) {
    return backend_.logs.Ack(receipt.user, receipt.device, receipt.cursor, logs::Urgency::kLater, std::move(stored));
  }
  backend_.logs.topics().Ack(receipt.user, receipt.device, receipt.topic, receipt.cursor, logs::Urgency::kLater,
                             std::move(stored));
}

void Hub::OnReceiptStored(const Receipt& receipt, const Status& status) {
  LiveLog* log = logs_.Find(receipt.user);
  if (log == nullptr) return;
  const std::string name = LiveLog::SentName(receipt.device, receipt.topic);
  if (!status.ok() && status.code() != Code::kCancelled) {
    core_.After(kReceiptRetryMs, [this, receipt, name] {
      LiveLog* waiting = logs_.Find(receipt.user);
      if (waiting != nullptr && waiting->SentCursor(name) == receipt.cursor) SubmitReceipt(receipt);
    });
    return;
  }
  log->Stored(name, receipt.cursor);
  ReleaseLog(*log);
}

void Hub::LoadTopics(const std::string& user, const std::string& device,
                     logs::LogStore::Then<logs::TopicRecords> then) {
  // Those on their way now: stored meanwhile, they may be missing in what is read.
  std::map<std::string, EntryId, std::less<>> sent;
  if (LiveLog* log = device.empty() ? nullptr : logs_.Find(user)) sent = log->SentInTopics(device);
  backend_.logs.topics().Get(user, device, [sent, then = std::move(then)](const Result<logs::TopicRecords>& stored) {
    if (!stored.ok() || sent.empty()) return then(stored);
    logs::TopicRecords records = *stored;
    for (const auto& [topic, cursor] : sent) {
      EntryId& known = records.cursors[topic];
      known = std::max(known, cursor);
    }
    then(records);
  });
}

void Hub::Apply(std::vector<logs::LogUpdate> updates) {
  for (logs::LogUpdate& update : updates) logs_.Apply(std::move(update));
}

void Hub::EndSessions(const std::function<bool(std::string_view user)>& which) { logs_.Lose(which); }

}  // namespace tocsin::gateway
