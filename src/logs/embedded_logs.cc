#include "logs/embedded_logs.h"

#include <memory>
#include <utility>

#include "base/check.h"
#include "runtime/core.h"

namespace tocsin::logs {
namespace {

using base::Code;
using base::Result;
using base::Status;
using model::EntryId;
using runtime::Core;

// A device's receipt, for the commit thread. `done` is called there.
class ReceiptChange final : public storage::Change {
 public:
  ReceiptChange(UserLogs& user_logs, std::string user, std::string device, EntryId cursor, Urgency urgency,
                std::function<void(const Status&)> done)
      : user_logs_(user_logs),
        user_(std::move(user)),
        device_(std::move(device)),
        cursor_(cursor),
        urgency_(urgency),
        done_(std::move(done)) {}
  void Stage(storage::Batch& batch) override { staged_ = user_logs_.Ack(user_, device_, cursor_, batch); }
  void Done(const Status& status) override { done_(status.ok() ? staged_ : status); }
  bool lazy() const override { return urgency_ == Urgency::kLater; }

 private:
  UserLogs& user_logs_;
  const std::string user_, device_;
  const EntryId cursor_;
  const Urgency urgency_;
  const std::function<void(const Status&)> done_;
  Status staged_;
};

class MarkChange final : public storage::Change {
 public:
  MarkChange(UserLogs& user_logs, MarkRequest request, std::function<void(const Result<Counts>&)> done)
      : user_logs_(user_logs), request_(std::move(request)), done_(std::move(done)) {}
  void Stage(storage::Batch& batch) override { counts_ = user_logs_.Mark(request_, batch); }
  void Done(const Status& status) override {
    if (!status.ok()) counts_ = status;
    done_(counts_);
  }

 private:
  UserLogs& user_logs_;
  const MarkRequest request_;
  const std::function<void(const Result<Counts>&)> done_;
  Result<Counts> counts_ = Counts{};
};

class PreferencesChange final : public storage::Change {
 public:
  PreferencesChange(UserPreferences& all, std::string user, state::Preferences preferences,
                    std::function<void(const Status&)> done)
      : all_(all), user_(std::move(user)), preferences_(std::move(preferences)), done_(std::move(done)) {}
  void Stage(storage::Batch& batch) override { staged_ = all_.Set(user_, preferences_, batch); }
  void Done(const Status& status) override { done_(status.ok() ? staged_ : status); }

 private:
  UserPreferences& all_;
  const std::string user_;
  const state::Preferences preferences_;
  const std::function<void(const Status&)> done_;
  Status staged_;
};

// Takes an answer from the commit thread to the Core that asked.
template <typename Answer>
std::function<void(const Answer&)> BackHome(std::function<void(const Answer&)> then) {
  Core* home = Core::Current();
  CHECK(home != nullptr);
  return [home, then = std::move(then)](const Answer& answer) {
    home->Post([then, copy = std::make_shared<Answer>(answer)] { then(*copy); });
  };
}

}  // namespace

// Asks the reader for what is in memory; where that is not enough, a thread that may block.
template <typename Answer, typename Question>
void EmbeddedLogs::Ask(Question ask, Then<Answer> then) {
  Result<Answer> answer = ask(storage::Tier::kMemory);
  if (answer.ok() || answer.status().code() != Code::kWouldBlock) return then(answer);
  readers_.Submit(
      [ask = std::move(ask), then = BackHome<Result<Answer>>(std::move(then))] { then(ask(storage::Tier::kDisk)); });
}

void EmbeddedLogs::Open(const std::string& user, const std::string& device, Then<LogOpening> then) {
  auto ask = [this, user, device](storage::Tier tier) { return reader_.Open(user, device, tier); };
  Ask<LogOpening>(ask, std::move(then));
}

void EmbeddedLogs::Read(const std::string& user, EntryId after, size_t max_entries, size_t max_bytes,
                        Then<LogPiece> then) {
  auto ask = [this, user, after, max_entries, max_bytes](storage::Tier tier) {
    return reader_.Read(user, after, max_entries, max_bytes, tier);
  };
  Ask<LogPiece>(ask, std::move(then));
}

void EmbeddedLogs::List(const std::string& user, EntryId before, size_t limit, ListFilter filter, Then<ListPage> then) {
  auto ask = [this, user, before, limit, filter](storage::Tier tier) {
    return reader_.List(user, before, limit, filter, tier);
  };
  Ask<ListPage>(ask, std::move(then));
}

void EmbeddedLogs::Trace(const std::string& user, const std::string& nid, Then<LogTrace> then) {
  // A whole log may have to be looked at, which takes too long for a Core also where all of it is in memory.
  readers_.Submit([this, user, nid, then = BackHome<Result<LogTrace>>(std::move(then))] {
    then(reader_.Trace(user, nid, storage::Tier::kDisk));
  });
}

void EmbeddedLogs::Ack(const std::string& user, const std::string& device, EntryId cursor, Urgency urgency,
                       std::function<void(const Status&)> then) {
  auto change = std::make_unique<ReceiptChange>(user_logs_, user, device, cursor, urgency, BackHome<Status>(then));
  if (Status submitted = committer_.Submit(std::move(change)); !submitted.ok()) then(submitted);
}

void EmbeddedLogs::Mark(MarkRequest request, Then<Counts> then) {
  auto change = std::make_unique<MarkChange>(user_logs_, std::move(request), BackHome<Result<Counts>>(then));
  if (Status submitted = committer_.Submit(std::move(change)); !submitted.ok()) then(submitted);
}

void EmbeddedLogs::GetPreferences(const std::string& user, Then<state::Preferences> then) {
  auto ask = [this, user](storage::Tier tier) { return reader_.ReadPreferences(user, tier); };
  Ask<state::Preferences>(ask, std::move(then));
}

void EmbeddedLogs::SetPreferences(const std::string& user, state::Preferences preferences,
                                  std::function<void(const Status&)> then) {
  auto change = std::make_unique<PreferencesChange>(preferences_, user, std::move(preferences), BackHome<Status>(then));
  if (Status submitted = committer_.Submit(std::move(change)); !submitted.ok()) then(submitted);
}

}  // namespace tocsin::logs
