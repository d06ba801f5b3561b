// FairShare: how several ingest streams share what a router can do, by their weights. The one notion of fairness that
// both stores have: the embedded router shares the budget of a turn by it, the routers of a node on Redis the size of
// their batches.
//
// Only streams that have something to route count: what one does not need, the others have. Not thread-safe.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace tocsin::notifier {

class FairShare {
 public:
  enum class Backlog : uint8_t { kNone, kSome };

  // One more stream, of a weight of at least 1; answers its place. It has nothing to route until it is Set.
  size_t Add(int weight) {
    streams_.push_back({static_cast<size_t>(std::max(weight, 1)), Backlog::kNone});
    return streams_.size() - 1;
  }
  void Set(size_t place, Backlog backlog) {
    Stream& stream = streams_[place];
    if (stream.backlog == backlog) return;
    stream.backlog = backlog;
    backlog == Backlog::kSome ? total_ += stream.weight : total_ -= stream.weight;
  }
  bool Has(size_t place) const { return streams_[place].backlog == Backlog::kSome; }
  bool any() const { return total_ > 0; }

  // What the stream may take of `budget`: its weight's part among those that have something to route, itself included.
  // At least 1.
  size_t Of(size_t place, size_t budget) const {
    const Stream& stream = streams_[place];
    const size_t total = total_ + (stream.backlog == Backlog::kSome ? 0 : stream.weight);
    return std::max<size_t>(budget * stream.weight / total, 1);
  }

 private:
  struct Stream {
    size_t weight;
    Backlog backlog;
  };
  std::vector<Stream> streams_;
  size_t total_ = 0;  // weights of those with something to route
};

}  // namespace tocsin::notifier
