// EmbeddedPublisher: publishes to the ingest stream of the embedded store, answered after the turn's fsync.
#pragma once

#include <string>
#include <vector>

#include "notifier/idempotency.h"
#include "notifier/publisher.h"
#include "storage/committer.h"
#include "storage/store.h"
#include "streams/engine.h"

namespace tocsin::notifier {

class EmbeddedPublisher final : public Publisher {
 public:
  // Nothing is owned. `streams` and `idempotency` are touched on the commit thread only.
  EmbeddedPublisher(const storage::Store& store, storage::Committer& committer, streams::StreamEngine& streams,
                    Idempotency& idempotency, std::string stream)
      : store_(store),
        committer_(committer),
        streams_(streams),
        idempotency_(idempotency),
        stream_(std::move(stream)) {}

  void Publish(PublishRequest request, Then then) override;
  void Find(const std::string& nid, Found then) override;
  base::Status health() const override { return store_.health(); }
  std::string durability() const override { return "sync"; }
  size_t queued() const override { return committer_.queued(); }
  std::string MetricsText() const override;

 private:
  const storage::Store& store_;
  storage::Committer& committer_;
  streams::StreamEngine& streams_;
  Idempotency& idempotency_;
  const std::string stream_;
};

}  // namespace tocsin::notifier
