// EmbeddedPublisher: publishes to the ingest stream of the embedded store, answered after the turn's fsync.
#pragma once

#include <string>
#include <vector>

#include "notifier/publisher.h"
#include "storage/committer.h"
#include "storage/store.h"
#include "streams/engine.h"

namespace tocsin::notifier {

class EmbeddedPublisher final : public Publisher {
 public:
  // Nothing is owned. `streams` is touched on the commit thread only.
  EmbeddedPublisher(const storage::Store& store, storage::Committer& committer, streams::StreamEngine& streams,
                    std::string stream)
      : store_(store), committer_(committer), streams_(streams), stream_(std::move(stream)) {}

  void Publish(std::vector<model::StreamFields> entries, Then then) override;
  base::Status health() const override { return store_.health(); }
  std::string durability() const override { return "sync"; }
  size_t queued() const override { return committer_.queued(); }
  std::string MetricsText() const override;

 private:
  const storage::Store& store_;
  storage::Committer& committer_;
  streams::StreamEngine& streams_;
  const std::string stream_;
};

}  // namespace tocsin::notifier
