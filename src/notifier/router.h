// Router: the notifier as the built-in consumer group `tocsin` of the ingest streams. It takes entries while they are
// staged, so an entry, its copies in the users' logs and the group's position are one batch and one fsync.
//
// 1. Entries are routed each exactly once: the position moves in the batch that appends. After a crash it goes on where
//    the last commit stands. What a turn reads of a stream it routes whole, urgent ones first (read_ahead.h); so their
//    order is the stream's for each priority, and the position is always exact.
// 2. An entry that can never be routed goes to `<stream>:dead` with the reason, in the same batch, and is counted.
//    Nothing is dropped silently.
// 3. A failure of the store fails the turn, and the entries are routed again with the next one: the position has not
//    moved.
// 4. A turn routes about kMaxTurnChanges entries, fewer of those that are large or have many recipients (CostOf).
//    Streams that have a backlog share this by their weights (fair_share.h); what is left rides with the next turn.
// 5. What is to be delivered later goes to the schedule, and is done for the stream.
// 6. Nothing is ever pending for it. What somebody else has made pending in its group (XCLAIM FORCE) it takes over
//    after kTakeOverMs and acknowledges: such an entry was routed before, RouteAll saw to it, and is in the logs once.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "model/entry_id.h"
#include "notifier/dead_letters.h"
#include "notifier/delivery.h"
#include "notifier/fair_share.h"
#include "notifier/read_ahead.h"
#include "notifier/schedule.h"
#include "storage/committer.h"
#include "streams/engine.h"

namespace tocsin::notifier {

inline constexpr std::string_view kGroup = "tocsin";
inline constexpr std::string_view kConsumer = "notifier";
inline constexpr std::string_view kDefaultStream = "notifications_stream";

// The name of a notification: its ingest entry's id, with `@stream` unless that is the default one.
std::string NidOf(std::string_view stream, model::EntryId id);
struct NidParts {
  std::string_view stream;
  model::EntryId id;
};
// Nothing: no nid. The stream is a view into `nid`, or the default one.
std::optional<NidParts> ParseNid(std::string_view nid);

class Router final : public storage::Participant {
 public:
  // Nothing is owned. Registered with the committer before the schedule, the engine and the logs, whose BeforeCommit
  // writes what it changes there.
  Router(streams::StreamEngine& streams, Delivery& delivery, Schedule& schedule, const base::Clock& clock,
         std::vector<std::string> ingest_streams);

  // The committer to ask for another turn; set before the first one.
  void SetCommitter(storage::Committer& committer) { committer_ = &committer; }

  // How much of a turn the stream gets beside others, 1 until it is set. Before the first turn.
  void SetWeight(std::string_view stream, int weight);

  // Routes everything there is, however much: before somebody removes entries, or reads through the group.
  base::Status RouteAll(storage::Batch& batch);

  base::Status BeforeCommit(storage::Batch& batch) override;
  void AfterCommit(const base::Status& status) override;
  bool lazy() const override { return true; }  // stages nothing itself: what it changes is its neighbours' to write
  int64_t NextTurnUs() const override { return has_pending_ ? next_look_us_ : kNoTurn; }

 private:
  static constexpr int64_t kTakeOverMs = 60'000;
  struct Ingest {
    std::string stream;
    int weight = 1;
    bool ready = false;       // the group is known to exist
    model::EntryId position;  // everything up to it was taken; meaningful when ready
  };

  base::Status Prepare(Ingest& ingest);
  // What a turn has read of one stream.
  struct Reading {
    std::vector<streams::Entries> held;  // the entries' bytes
    ReadAhead<streams::EntryView> ahead;
  };
  enum class Left : uint8_t { kNothing, kSome };
  base::Result<Left> RouteTurn(storage::Batch& batch);
  base::Result<Left> LookForNew(FairShare& share);
  base::Result<size_t> ReadSome(Ingest& ingest, size_t budget, Reading& reading);
  base::Result<streams::Entries> ReadNew(Ingest& ingest, size_t count);
  enum class Pass : uint8_t { kFirst, kAgain };
  base::Status Route(const Ingest& ingest, const streams::EntryView& entry, Pass pass, storage::Batch& batch);
  base::Status TakeOver(const Ingest& ingest, storage::Batch& batch);

  streams::StreamEngine& streams_;
  Delivery& delivery_;
  Schedule& schedule_;
  const base::Clock& clock_;
  storage::Committer* committer_ = nullptr;
  std::vector<Ingest> ingests_;
  int64_t next_look_us_ = 0;  // for pending entries, monotonic
  bool has_pending_ = false;  // at the last look
};

}  // namespace tocsin::notifier
