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

Status Router::BeforeCommit(storage::Batch& batch) {
  const int64_t now_us = clock_.MonotonicUs();
  const bool look = now_us >= next_look_us_;
  if (look) {
    next_look_us_ = now_us + kLookEveryUs;
    has_pending_ = false;
  }
  for (Ingest& ingest : ingests_) {
    if (!ingest.ready) RETURN_IF_ERROR(Prepare(ingest));
    RETURN_IF_ERROR(RouteNew(ingest, batch));
    if (look) RETURN_IF_ERROR(TakeOver(ingest, batch));
  }
  return base::Ok();
}

Status Router::RouteAll(storage::Batch& batch) {
  for (Ingest& ingest : ingests_) {
    if (!ingest.ready) RETURN_IF_ERROR(Prepare(ingest));
    for (EntryId before = EntryId::Max(); before != ingest.position;) {
      before = ingest.position;
      RETURN_IF_ERROR(RouteNew(ingest, batch));
    }
  }
  return base::Ok();
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

base::Result<streams::Entries> Router::ReadNew(const Ingest& ingest) {
  return streams_.ReadGroup(ingest.stream, kGroup, kConsumer,
                            {.count = model::kMaxTurnChanges, .acks = streams::Acks::kNone});
}

Status Router::RouteNew(Ingest& ingest, storage::Batch& batch) {
  auto last = streams_.LastId(ingest.stream);
  if (!last.ok()) return last.status();
  if (*last > ingest.position) {
    auto entries = ReadNew(ingest);
    if (!entries.ok() && entries.status().code() == base::Code::kNotFound) {
      // Somebody with the right to do so has destroyed the group, or the stream with it.
      RETURN_IF_ERROR(Prepare(ingest));
      entries = ReadNew(ingest);
    }
    if (!entries.ok()) return entries.status();
    for (const streams::EntryView& entry : entries->list) RETURN_IF_ERROR(Route(ingest, entry, Pass::kFirst, batch));
    if (!entries->empty()) ingest.position = entries->list.back().id();
    if (entries->size() == model::kMaxTurnChanges && committer_ != nullptr) committer_->Wake();
    // What lies between was deleted before it was routed.
    if (entries->size() < model::kMaxTurnChanges) ingest.position = *last;
  }
  return base::Ok();
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
