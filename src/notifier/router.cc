#include "notifier/router.h"

#include <algorithm>

#include "model/limits.h"
#include "notifier/counters.h"
#include "wire/notification_fields.h"

namespace tocsin::notifier {
namespace {

using base::Status;
using model::EntryId;

constexpr int64_t kLookEveryUs = 1'000'000;
constexpr size_t kTurnCost = model::kMaxTurnChanges;  // an entry costs 1, and more when it is large
constexpr size_t kBytesPerCost = model::kMaxTurnBytes / kTurnCost, kRecipientsPerCost = 16;
constexpr size_t kReadAtOnce = 64;  // entries; by so many at most a turn may grow beyond its share

// What routing an entry takes of a turn. The commas of `user_ids` are about its recipients, and never fewer.
size_t CostOf(std::span<const streams::FieldView> fields) {
  size_t bytes = 0, recipients = 1;
  for (const auto& [name, value] : fields) {
    bytes += name.size() + value.size();
    if (name == "user_ids") recipients += static_cast<size_t>(std::count(value.begin(), value.end(), ','));
  }
  return std::max({size_t{1}, bytes / kBytesPerCost, recipients / kRecipientsPerCost});
}

}  // namespace

std::string NidOf(std::string_view stream, EntryId id) {
  std::string nid = id.ToString();
  if (stream != kDefaultStream) nid.append("@").append(stream);
  return nid;
}

std::optional<NidParts> ParseNid(std::string_view nid) {
  const size_t at = nid.find('@');
  auto id = EntryId::Parse(nid.substr(0, at));
  if (!id) return std::nullopt;
  if (at == std::string_view::npos) return NidParts{kDefaultStream, *id};
  const std::string_view stream = nid.substr(at + 1);
  if (stream.empty() || stream == kDefaultStream) return std::nullopt;  // it is not written so
  return NidParts{stream, *id};
}

Router::Router(streams::StreamEngine& streams, Delivery& delivery, Schedule& schedule, const base::Clock& clock,
               std::vector<std::string> ingest_streams)
    : streams_(streams), delivery_(delivery), schedule_(schedule), clock_(clock) {
  for (std::string& stream : ingest_streams) ingests_.emplace_back().stream = std::move(stream);
}

void Router::SetWeight(std::string_view stream, int weight) {
  for (Ingest& ingest : ingests_) {
    if (ingest.stream == stream) ingest.weight = weight;
  }
}

Status Router::BeforeCommit(storage::Batch& batch) {
  auto left = RouteTurn(batch);
  if (!left.ok()) return left.status();
  if (*left == Left::kSome && committer_ != nullptr) committer_->Wake();
  const int64_t now_us = clock_.MonotonicUs();
  if (now_us < next_look_us_) return base::Ok();
  next_look_us_ = now_us + kLookEveryUs;
  has_pending_ = false;
  for (const Ingest& ingest : ingests_) RETURN_IF_ERROR(TakeOver(ingest, batch));
  return base::Ok();
}

Status Router::RouteAll(storage::Batch& batch) {
  for (;;) {
    auto left = RouteTurn(batch);
    if (!left.ok()) return left.status();
    if (*left == Left::kNothing) return base::Ok();
  }
}

void Router::AfterCommit(const Status& status) {
  if (status.ok()) return;
  for (Ingest& ingest : ingests_) ingest.ready = false;  // the position is read again
}

// The group starts at the stream's first entry: what was appended before it existed is a notification too.
Status Router::Prepare(Ingest& ingest) {
  Status made = streams_.GroupCreate(ingest.stream, kGroup, {.start = {}, .make_stream = streams::MakeStream::kYes});
  if (!made.ok() && !made.message().starts_with("BUSYGROUP")) return made;
  auto groups = streams_.ReportGroups(ingest.stream);
  if (!groups.ok()) return groups.status();
  for (const streams::GroupReport& group : *groups) {
    if (group.name == kGroup) ingest.position = group.last_id;
  }
  ingest.ready = true;
  return base::Ok();
}

// Those that have something new share the turn. What one of them did not use is shared again by the others.
base::Result<Router::Left> Router::RouteTurn(storage::Batch& batch) {
  FairShare share;
  for (const Ingest& ingest : ingests_) share.Add(ingest.weight);
  auto left = LookForNew(share);
  if (!left.ok() || *left == Left::kNothing) return left;
  std::vector<Reading> readings(ingests_.size());
  size_t budget = kTurnCost;
  while (budget > 0 && share.any()) {
    const size_t shared = budget;
    std::vector<size_t> given(ingests_.size(), 0);
    for (size_t i = 0; i < ingests_.size(); ++i) {
      if (share.Has(i)) given[i] = share.Of(i, shared);
    }
    for (size_t i = 0; i < ingests_.size(); ++i) {
      if (given[i] == 0) continue;
      auto cost = ReadSome(ingests_[i], given[i], readings[i]);
      if (!cost.ok()) return cost.status();
      budget -= std::min(budget, *cost);
      if (*cost < given[i]) share.Set(i, FairShare::Backlog::kNone);
    }
  }
  for (size_t i = 0; i < ingests_.size(); ++i) {
    ReadAhead<streams::EntryView>& ahead = readings[i].ahead;
    while (!ahead.empty()) RETURN_IF_ERROR(Route(ingests_[i], ahead.Take(), Pass::kFirst, batch));
  }
  return share.any() ? Left::kSome : Left::kNothing;
}

base::Result<Router::Left> Router::LookForNew(FairShare& share) {
  for (size_t i = 0; i < ingests_.size(); ++i) {
    Ingest& ingest = ingests_[i];
    if (!ingest.ready) RETURN_IF_ERROR(Prepare(ingest));
    auto last = streams_.LastId(ingest.stream);
    if (!last.ok()) return last.status();
    if (*last > ingest.position) share.Set(i, FairShare::Backlog::kSome);
  }
  return share.any() ? Left::kSome : Left::kNothing;
}

base::Result<streams::Entries> Router::ReadNew(Ingest& ingest, size_t count) {
  const streams::ReadGroupOptions options{.count = count, .acks = streams::Acks::kNone};
  auto entries = streams_.ReadGroup(ingest.stream, kGroup, kConsumer, options);
  if (!entries.ok() && entries.status().code() == base::Code::kNotFound) {
    // Somebody with the right to do so has destroyed the group, or the stream with it.
    RETURN_IF_ERROR(Prepare(ingest));
    entries = streams_.ReadGroup(ingest.stream, kGroup, kConsumer, options);
  }
  return entries;
}

// Answers what it has cost: less than `budget` when there is nothing more to read, else that or a little more.
base::Result<size_t> Router::ReadSome(Ingest& ingest, size_t budget, Reading& reading) {
  size_t cost = 0;
  while (cost < budget) {
    const size_t count = std::min(budget - cost, kReadAtOnce);
    auto entries = ReadNew(ingest, count);
    if (!entries.ok()) return entries.status();
    for (const streams::EntryView& entry : entries->list) {
      const std::vector<streams::FieldView> fields = entry.Fields();
      cost += CostOf(fields);
      using Collapses = decltype(reading.ahead)::Collapses;
      reading.ahead.Add(wire::PriorityOf(fields), entry.id(), entry,
                        wire::HasCollapseKey(fields) ? Collapses::kYes : Collapses::kNo);
    }
    const size_t had = entries->size();
    if (had > 0) ingest.position = entries->list.back().id();
    reading.held.push_back(std::move(*entries));
    if (had < count) {
      auto last = streams_.LastId(ingest.stream);
      if (!last.ok()) return last.status();
      ingest.position = *last;  // what lies between was deleted before it was routed
      return std::min(cost, budget - 1);
    }
  }
  return cost;
}

Status Router::TakeOver(const Ingest& ingest, storage::Batch& batch) {
  auto pending = streams_.PendingOf(ingest.stream, kGroup);
  if (!pending.ok()) return pending.status();
  if (pending->count == 0) return base::Ok();
  has_pending_ = true;
  auto claimed = streams_.AutoClaim(ingest.stream, kGroup, kConsumer, {.min_idle_ms = kTakeOverMs});
  if (!claimed.ok()) return claimed.status();
  std::vector<EntryId> ids;
  for (const streams::EntryView& entry : claimed->entries.list) {
    RETURN_IF_ERROR(Route(ingest, entry, Pass::kAgain, batch));
    ids.push_back(entry.id());
  }
  auto acked = streams_.Ack(ingest.stream, kGroup, ids);
  if (!acked.ok()) return acked.status();
  return base::Ok();
}

Status Router::Route(const Ingest& ingest, const streams::EntryView& entry, Pass pass, storage::Batch& batch) {
  const std::vector<streams::FieldView> fields = entry.Fields();
  wire::UnknownPriority unknown_priority = wire::UnknownPriority::kNo;
  auto notification = wire::FromEntry(fields, entry.id().ms, &unknown_priority);
  if (!notification.ok()) {
    return AddDeadLetter(streams_,
                         {.stream = ingest.stream, .group = kGroup, .reason = notification.status().message()}, entry);
  }
  if (unknown_priority == wire::UnknownPriority::kYes) unknown_priorities.Add();

  const bool later = notification->deliver_at_ms && *notification->deliver_at_ms > static_cast<int64_t>(entry.id().ms);
  if (later) {
    routed.Add(pass == Pass::kFirst);
    return pass == Pass::kFirst ? schedule_.Add(ingest.stream, entry.id(), *notification, batch)
                                : schedule_.AddAgain(ingest.stream, entry.id(), *notification, batch);
  }
  const std::string nid = NidOf(ingest.stream, entry.id());
  RETURN_IF_ERROR(delivery_.Deliver({.nid = nid,
                                     .notification = *notification,
                                     .users = notification->users,
                                     .at_ms = static_cast<int64_t>(entry.id().ms),
                                     .source = {.stream = ingest.stream, .id = entry.id()}},
                                    batch));
  routed.Add();
  return base::Ok();
}

}  // namespace tocsin::notifier
