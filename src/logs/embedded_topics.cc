#include "logs/embedded_topics.h"

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

// Takes an answer to the Core that asked.
template <typename Answer>
LogStore::Then<Answer> BackHome(LogStore::Then<Answer> then) {
  Core* home = Core::Current();
  CHECK(home != nullptr);
  return [home, then = std::move(then)](const Result<Answer>& answer) {
    home->Post([then, copy = std::make_shared<Result<Answer>>(answer)] { then(*copy); });
  };
}

template <typename Answer>
class TopicChange final : public storage::Change {
 public:
  TopicChange(std::function<Result<Answer>(storage::Batch&)> stage, Urgency urgency, LogStore::Then<Answer> done)
      : stage_(std::move(stage)), urgency_(urgency), done_(std::move(done)) {}
  void Stage(storage::Batch& batch) override { staged_ = stage_(batch); }
  void Done(const Status& status) override {
    if (!status.ok()) staged_ = status;
    done_(staged_);
  }
  bool lazy() const override { return urgency_ == Urgency::kLater; }

 private:
  const std::function<Result<Answer>(storage::Batch&)> stage_;
  const Urgency urgency_;
  const LogStore::Then<Answer> done_;
  Result<Answer> staged_ = Answer{};
};

struct Nothing {};

Result<Nothing> Outcome(const Status& status) { return status.ok() ? Result<Nothing>(Nothing{}) : status; }
LogStore::Then<Nothing> Answering(TopicStore::Done then) {
  return
      [then = std::move(then)](const Result<Nothing>& outcome) { then(outcome.ok() ? base::Ok() : outcome.status()); };
}

}  // namespace

template <typename Answer>
void EmbeddedTopics::Change(std::function<Result<Answer>(storage::Batch&)> stage, Urgency urgency, Then<Answer> then) {
  auto change = std::make_unique<TopicChange<Answer>>(std::move(stage), urgency, BackHome<Answer>(then));
  if (Status submitted = committer_.Submit(std::move(change)); !submitted.ok()) then(submitted);
}

void EmbeddedTopics::Get(const std::string& user, const std::string& device, Then<TopicRecords> then) {
  auto records = reader_.Topics(user, device, storage::Tier::kMemory);
  if (records.ok() || records.status().code() != Code::kWouldBlock) return then(records);
  readers_.Submit([this, user, device, then = BackHome<TopicRecords>(std::move(then))] {
    then(reader_.Topics(user, device, storage::Tier::kDisk));
  });
}

void EmbeddedTopics::Follow(const std::string& user, TopicFollow follow, Done then) {
  auto stage = [this, user, follow = std::move(follow)](storage::Batch& batch) {
    return Outcome(user_logs_.topics().Follow(user, follow, batch));
  };
  Change<Nothing>(std::move(stage), Urgency::kNow, Answering(std::move(then)));
}

void EmbeddedTopics::Unfollow(const std::string& user, const std::string& topic, Then<bool> then) {
  auto stage = [this, user, topic](storage::Batch& batch) { return user_logs_.topics().Unfollow(user, topic, batch); };
  Change<bool>(std::move(stage), Urgency::kNow, std::move(then));
}

void EmbeddedTopics::States(const std::string& user, const std::string& topic, Then<TopicStates> then) {
  auto states = reader_.StatesInTopic(user, topic, storage::Tier::kMemory);
  if (states.ok() || states.status().code() != Code::kWouldBlock) return then(states);
  readers_.Submit([this, user, topic, then = BackHome<TopicStates>(std::move(then))] {
    then(reader_.StatesInTopic(user, topic, storage::Tier::kDisk));
  });
}

void EmbeddedTopics::Mark(TopicMark mark, Then<Counts> then) {
  auto stage = [this, mark = std::move(mark)](storage::Batch& batch) { return user_logs_.MarkTopic(mark, batch); };
  Change<Counts>(std::move(stage), Urgency::kNow, std::move(then));
}

void EmbeddedTopics::Ack(const std::string& user, const std::string& device, const std::string& topic, EntryId cursor,
                         Urgency urgency, Done then) {
  auto stage = [this, user, device, topic, cursor](storage::Batch& batch) {
    return Outcome(user_logs_.AckTopic(user, device, topic, cursor, batch));
  };
  Change<Nothing>(std::move(stage), urgency, Answering(std::move(then)));
}

}  // namespace tocsin::logs
