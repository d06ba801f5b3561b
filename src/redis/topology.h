// Topology: who the primaries of a deployment are, and which slots are whose. Each kind finds out in its own way.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "redis/address.h"
#include "redis/poller.h"

namespace tocsin::redis {

inline constexpr size_t kSlots = 16'384;

struct SlotRange {
  uint16_t first = 0, last = kSlots - 1;
  Endpoint primary;
};

class Topology {
 public:
  class Owner {
   public:
    virtual ~Owner() = default;
    // All that is known now, instead of what was known. A slot of no range has no primary.
    virtual void OnRanges(const std::vector<SlotRange>& ranges) = 0;
    // It could not be found out; another try comes by itself. What was known stays.
    virtual void OnTopologyFailure(const base::Status& why) = 0;
  };

  virtual ~Topology() = default;
  // The owner is not called any more. May come inside a call of the owner.
  virtual void Stop() = 0;
  virtual void Start() = 0;
  // What is known seems to be old. Many of these are one question.
  virtual void Refresh() = 0;
  // Whether every primary that is known is connected.
  virtual void SetHealth(Poller::Health health) = 0;
};

// One server, for ever.
class FixedTopology final : public Topology {
 public:
  FixedTopology(Owner& owner, Endpoint primary) : owner_(owner), primary_(std::move(primary)) {}
  void Start() override { owner_.OnRanges({SlotRange{.first = 0, .last = kSlots - 1, .primary = primary_}}); }
  void Stop() override {}
  void Refresh() override {}
  void SetHealth(Poller::Health) override {}

 private:
  Owner& owner_;
  const Endpoint primary_;
};

}  // namespace tocsin::redis
