// EmbeddedPublisher: publishes to the ingest stream of the embedded store, answered after the turn's fsync.
#pragma once

#include <string>
#include <vector>

#include "notifier/idempotency.h"
#include "notifier/publisher.h"
#include "notifier/schedule.h"
#include "storage/committer.h"
#include "storage/store.h"
#include "streams/engine.h"

namespace tocsin::notifier {

class EmbeddedPublisher final : public Publisher {
 public:
  // Nothing is owned. `streams`, `idempotency` and `schedule` are touched on the commit thread only. `ingest`: at least
  // one; publishes go to the first.
  EmbeddedPublisher(const storage::Store& store, storage::Committer& committer, streams::StreamEngine& streams,
                    Idempotency& idempotency, Schedule& schedule, std::vector<std::string> ingest)
      : store_(store),
        committer_(committer),
        streams_(streams),
        idempotency_(idempotency),
        schedule_(schedule),
        ingest_(std::move(ingest)) {}

  void Publish(PublishRequest request, Then then) override;
  void Find(const std::string& nid, Found then) override;
  void ListScheduled(SchedulePlace after, size_t limit, Listed then) override;
  void CancelScheduled(const std::string& nid, Cancelled then) override;
  base::Status health() const override { return store_.health(); }
  std::string durability() const override { return "sync"; }
  size_t queued() const override { return committer_.queued(); }
  std::string MetricsText() const override;

 private:
  const storage::Store& store_;
  storage::Committer& committer_;
  streams::StreamEngine& streams_;
  Idempotency& idempotency_;
  Schedule& schedule_;
  const std::vector<std::string> ingest_;
};

}  // namespace tocsin::notifier
