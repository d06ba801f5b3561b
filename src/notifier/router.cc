#include "notifier/router.h"

#include <algorithm>

#include "base/log.h"
#include "base/metrics.h"
#include "model/limits.h"
#include "notifier/rendered_item.h"
#include "wire/notification_fields.h"

namespace tocsin::notifier {
namespace {

using base::Status;
using model::EntryId;

constexpr int64_t kTrimEveryMs = 60'000;

base::Counter routed("tocsin_notifications_routed_total", "Notifications routed to user logs");
base::Counter dead_lettered("tocsin_notifications_ended_total", "Notifications by how they ended",
                            "reason=\"dead_lettered\"");
base::Counter unknown_priorities("tocsin_unknown_priorities_total",
                                 "Entries whose priority is none of ours, taken as normal");

}  // namespace

std::string NidOf(std::string_view stream, EntryId id) {
  std::string nid = id.ToString();
  if (stream != kDefaultStream) nid.append("@").append(stream);
  return nid;
}

Router::Router(streams::StreamEngine& streams, logs::UserLogs& user_logs, const base::Clock& clock,
               std::vector<std::string> ingest_streams)
    : streams_(streams), user_logs_(user_logs), clock_(clock) {
  for (std::string& stream : ingest_streams) ingests_.emplace_back().stream = std::move(stream);
}

Status Router::BeforeCommit(storage::Batch& batch) {
  for (Ingest& ingest : ingests_) {
    if (!ingest.ready) RETURN_IF_ERROR(Prepare(ingest));
    RETURN_IF_ERROR(RouteNew(ingest, batch));
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
    for (const streams::EntryView& entry : entries->list) RETURN_IF_ERROR(Route(ingest, entry, batch));
    if (!entries->empty()) ingest.position = entries->list.back().id();
    if (entries->size() == model::kMaxTurnChanges && committer_ != nullptr) committer_->Wake();
    // What lies between was deleted before it was routed.
    if (entries->size() < model::kMaxTurnChanges) ingest.position = *last;
  }
  return TrimOld(ingest);
}

Status Router::Route(const Ingest& ingest, const streams::EntryView& entry, storage::Batch& batch) {
  const std::vector<streams::FieldView> fields = entry.Fields();
  wire::UnknownPriority unknown_priority = wire::UnknownPriority::kNo;
  auto notification = wire::FromFields(fields, &unknown_priority);
  if (!notification.ok()) return DeadLetter(ingest, entry, notification.status().message());
  if (unknown_priority == wire::UnknownPriority::kYes) unknown_priorities.Add();

  const std::string nid = NidOf(ingest.stream, entry.id());
  const std::string json = RenderItem(nid, entry.id().ms, *notification);
  const logs::NewItem item{.nid = nid, .priority = notification->priority, .json = json};
  const logs::Source source{.stream = ingest.stream, .id = entry.id()};
  for (const std::string& user : notification->users) RETURN_IF_ERROR(user_logs_.Append(user, item, source, batch));
  routed.Add();
  return base::Ok();
}

Status Router::DeadLetter(const Ingest& ingest, const streams::EntryView& entry, std::string_view reason) {
  const std::string id = entry.id().ToString();
  std::vector<streams::FieldView> fields = {
      {"tocsin_reason", reason}, {"tocsin_stream", ingest.stream}, {"tocsin_id", id}, {"tocsin_attempts", "1"}};
  const std::vector<streams::FieldView> original = entry.Fields();
  fields.insert(fields.end(), original.begin(), original.end());
  auto appended = streams_.Append(ingest.stream + std::string(kDeadSuffix), fields);
  if (!appended.ok()) return appended.status();
  dead_lettered.Add();
  base::Log(base::Level::kWarn, "dead_lettered", {{"stream", ingest.stream}, {"id", id}, {"reason", reason}});
  return base::Ok();
}

// Routed entries are kept for a while, for other groups and for people who look; never one that was not routed.
Status Router::TrimOld(Ingest& ingest) {
  const int64_t now = clock_.NowMs();
  if (now - ingest.trimmed_ms < kTrimEveryMs && now >= ingest.trimmed_ms) return base::Ok();
  ingest.trimmed_ms = now;
  const EntryId oldest{static_cast<uint64_t>(std::max<int64_t>(now - model::kIngestKeepMs, 0)), 0};
  auto by_age = streams_.TrimStream(ingest.stream, {.by = streams::Trim::By::kMinId,
                                                    .exactness = streams::Trim::Exactness::kApproximate,
                                                    .min_id = std::min(oldest, ingest.position)});
  if (!by_age.ok()) return by_age.status();
  auto length = streams_.Length(ingest.stream);
  if (!length.ok()) return length.status();
  if (*length <= model::kIngestKeepEntries || ingest.position < *streams_.LastId(ingest.stream)) return base::Ok();
  auto by_length = streams_.TrimStream(ingest.stream, {.by = streams::Trim::By::kMaxLength,
                                                       .exactness = streams::Trim::Exactness::kApproximate,
                                                       .max_length = model::kIngestKeepEntries});
  return by_length.ok() ? base::Ok() : by_length.status();
}

}  // namespace tocsin::notifier
