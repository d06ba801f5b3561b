#include "notifier/embedded_publisher.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "notifier/router.h"

namespace tocsin::notifier {
namespace {

using base::Status;

class PublishChange final : public storage::Change {
 public:
  PublishChange(streams::StreamEngine& streams, Idempotency& idempotency, const std::string& stream,
                PublishRequest request, Publisher::Then then)
      : streams_(streams),
        idempotency_(idempotency),
        stream_(stream),
        request_(std::move(request)),
        then_(std::move(then)) {
    for (const auto& entry : request_.entries) {
      for (const auto& [name, value] : entry) bytes_ += name.size() + value.size() + 64;
    }
  }

  void Stage(storage::Batch& batch) override {
    if (request_.key.given()) {
      auto earlier = idempotency_.Find(request_.key);
      if (!earlier.ok()) {
        failure_ = earlier.status();
        return;
      }
      if (earlier->has_value()) {
        nids_ = std::move(**earlier);
        return;
      }
    }
    std::vector<streams::FieldView> fields;
    for (const model::StreamFields& entry : request_.entries) {
      fields.assign(entry.begin(), entry.end());
      auto id = streams_.Append(stream_, fields);
      if (!id.ok()) {
        failure_ = id.status();
        return;  // the commit thread fails the whole turn only for the store's sake; see Done
      }
      nids_.push_back(NidOf(stream_, **id));
    }
    if (request_.key.given()) idempotency_.Remember(request_.key, nids_, batch);
  }

  void Done(const Status& status) override {
    if (!status.ok()) return then_(status);
    if (!failure_.ok()) return then_(failure_);
    then_(std::move(nids_));
  }

  size_t bytes() const override { return bytes_; }

 private:
  streams::StreamEngine& streams_;
  Idempotency& idempotency_;
  const std::string& stream_;
  const PublishRequest request_;
  const Publisher::Then then_;
  size_t bytes_ = 0;
  std::vector<std::string> nids_;
  Status failure_;
};

// Asks the engine on its own thread, behind what was submitted before; the router has been there by then.
class FindChange final : public storage::Change {
 public:
  FindChange(streams::StreamEngine& streams, const Schedule& schedule, std::string stream, model::EntryId id,
             Publisher::Found then)
      : streams_(streams), schedule_(schedule), stream_(std::move(stream)), id_(id), then_(std::move(then)) {}

  void Stage(storage::Batch&) override {
    auto range = streams_.Range(stream_, id_, id_);
    if (!range.ok() && range.status().code() != base::Code::kNotFound) {
      found_ = range.status();
      return;
    }
    auto scheduled = schedule_.Find(NidOf(stream_, id_));
    if (!scheduled.ok()) {
      found_ = scheduled.status();
      return;
    }
    AcceptedEntry entry{.stream = stream_, .id = id_, .fields = {}, .routed = true};
    if (scheduled->has_value()) {
      entry.scheduled_ms = (*scheduled)->due_ms;
      entry.cancelled = (*scheduled)->cancelled;
      entry.held = std::move((*scheduled)->held);
      entry.fields = std::move((*scheduled)->fields);
    }
    if (entry.fields.empty() && range.ok() && !range->empty()) {
      for (const auto& [name, value] : range->list.front().Fields()) entry.fields.emplace_back(name, value);
    }
    if (entry.fields.empty()) return;
    found_ = std::optional(std::move(entry));
  }
  void Done(const Status& status) override { status.ok() ? then_(found_) : then_(status); }
  bool lazy() const override { return true; }

 private:
  streams::StreamEngine& streams_;
  const Schedule& schedule_;
  const std::string stream_;
  const model::EntryId id_;
  const Publisher::Found then_;
  base::Result<std::optional<AcceptedEntry>> found_ = std::optional<AcceptedEntry>();
};

class ListChange final : public storage::Change {
 public:
  ListChange(const Schedule& schedule, SchedulePlace after, size_t limit, Publisher::Listed then)
      : schedule_(schedule), after_(std::move(after)), limit_(limit), then_(std::move(then)) {}
  void Stage(storage::Batch&) override { page_ = schedule_.List(after_, limit_); }
  void Done(const Status& status) override { status.ok() ? then_(page_) : then_(status); }
  bool lazy() const override { return true; }

 private:
  const Schedule& schedule_;
  const SchedulePlace after_;
  const size_t limit_;
  const Publisher::Listed then_;
  base::Result<SchedulePage> page_ = SchedulePage();
};

class CancelChange final : public storage::Change {
 public:
  CancelChange(Schedule& schedule, std::string nid, Publisher::Cancelled then)
      : schedule_(schedule), nid_(std::move(nid)), then_(std::move(then)) {}
  void Stage(storage::Batch& batch) override { cancelled_ = schedule_.Cancel(nid_, batch); }
  void Done(const Status& status) override { status.ok() ? then_(cancelled_) : then_(status); }

 private:
  Schedule& schedule_;
  const std::string nid_;
  const Publisher::Cancelled then_;
  base::Result<bool> cancelled_ = false;
};

}  // namespace

void EmbeddedPublisher::ListScheduled(SchedulePlace after, size_t limit, Listed then) {
  Status submitted = committer_.Submit(std::make_unique<ListChange>(schedule_, std::move(after), limit, then));
  if (!submitted.ok()) then(submitted);
}

void EmbeddedPublisher::CancelScheduled(const std::string& nid, Cancelled then) {
  Status submitted = committer_.Submit(std::make_unique<CancelChange>(schedule_, nid, then));
  if (!submitted.ok()) then(submitted);
}

void EmbeddedPublisher::Find(const std::string& nid, Found then) {
  auto parts = ParseNid(nid);
  if (!parts || std::find(ingest_.begin(), ingest_.end(), parts->stream) == ingest_.end())
    return then(std::optional<AcceptedEntry>());
  Status submitted =
      committer_.Submit(std::make_unique<FindChange>(streams_, schedule_, std::string(parts->stream), parts->id, then));
  if (!submitted.ok()) then(submitted);
}

void EmbeddedPublisher::Publish(PublishRequest request, Then then) {
  Status submitted = committer_.Submit(
      std::make_unique<PublishChange>(streams_, idempotency_, ingest_.front(), std::move(request), then));
  if (!submitted.ok()) then(submitted);
}

std::string EmbeddedPublisher::MetricsText() const {
  const storage::CommitterStats stats = committer_.stats();
  std::string text;
  auto add = [&text](std::string_view name, std::string_view help, uint64_t value) {
    text.append("# HELP ").append(name).append(" ").append(help).append("\n# TYPE ").append(name);
    text.append(" counter\n").append(name).append(" ").append(std::to_string(value)).append("\n");
  };
  add("tocsin_commit_turns_total", "Turns of the commit thread", stats.turns);
  add("tocsin_commit_syncs_total", "Syncs of the write-ahead log", stats.syncs);
  add("tocsin_commit_changes_total", "Changes committed", stats.changes);
  add("tocsin_commit_failed_turns_total", "Turns that failed: nothing of them was stored", stats.failed_turns);
  return text;
}

}  // namespace tocsin::notifier
