// What the engine tells about itself: XPENDING, XINFO.
#include "streams/engine.h"
#include "streams/errors.h"

namespace tocsin::streams {
namespace {

std::optional<int64_t> LagOf(const Stream& stream, const Group& group) {
  const auto added = static_cast<int64_t>(stream.record().entries_added);
  if (added == 0) return 0;
  if (group.entries_read() != Group::kUnknown && !stream.HasTombstonesFrom(group.last_id())) {
    return added - group.entries_read();
  }
  const int64_t read = stream.EstimateEntriesRead(group.last_id());
  if (read == Group::kUnknown) return std::nullopt;
  return added - read;
}

GroupReport ReportOf(const Stream& stream, const Group& group) {
  GroupReport report{.name = group.name(),
                     .consumers = group.consumers().size(),
                     .pending = group.pending().size(),
                     .last_id = group.last_id(),
                     .entries_read = std::nullopt,
                     .lag = LagOf(stream, group)};
  if (group.entries_read() != Group::kUnknown) report.entries_read = group.entries_read();
  return report;
}

}  // namespace

base::Result<PendingSummary> StreamEngine::PendingOf(std::string_view key, std::string_view group) {
  auto found = FindGroup(key, group);
  if (!found.ok()) return found.status();
  if (found->group == nullptr) return NoSuchKeyOrGroup(key, group);
  PendingSummary summary;
  const auto& pending = found->group->pending();
  summary.count = pending.size();
  if (pending.empty()) return summary;
  summary.smallest = pending.First()->id;
  summary.largest = pending.Last()->id;
  for (const auto& [name, consumer] : found->group->consumers()) {
    if (!consumer->pending.empty()) summary.consumers.emplace_back(name, consumer->pending.size());
  }
  return summary;
}

base::Result<StreamReport> StreamEngine::ReportStream(std::string_view key) {
  auto found = Find(key);
  if (!found.ok()) return found.status();
  if (*found == nullptr) return NoSuchKey();
  Stream& stream = **found;
  auto nodes = stream.Nodes();
  if (!nodes.ok()) return nodes.status();
  auto groups = stream.LoadGroups();
  if (!groups.ok()) return groups.status();
  const StreamRecord& record = stream.record();
  StreamReport report;
  report.length = record.length;
  report.radix_keys = (*nodes)->size();
  report.radix_nodes = CountRadixNodes(**nodes);
  report.entries_added = record.entries_added;
  report.groups = (*groups)->size();
  report.last_id = record.last_id;
  report.max_deleted = record.max_deleted;
  report.first_id = record.first_id;
  RETURN_IF_ERROR(stream.Scan({}, EntryId::Max(), Direction::kForward, {.count = 1}, report.first));
  RETURN_IF_ERROR(stream.Scan({}, EntryId::Max(), Direction::kBackward, {.count = 1}, report.last));
  return report;
}

base::Result<std::vector<GroupReport>> StreamEngine::ReportGroups(std::string_view key) {
  auto found = Find(key);
  if (!found.ok()) return found.status();
  if (*found == nullptr) return NoSuchKey();
  auto groups = (*found)->LoadGroups();
  if (!groups.ok()) return groups.status();
  std::vector<GroupReport> reports;
  for (const auto& [name, group] : **groups) reports.push_back(ReportOf(**found, *group));
  return reports;
}

base::Result<std::vector<ConsumerReport>> StreamEngine::ReportConsumers(std::string_view key, std::string_view group) {
  auto found = FindGroup(key, group);
  if (!found.ok()) return found.status();
  if (found->stream == nullptr) return NoSuchKey();
  if (found->group == nullptr) return NoSuchGroup(key, group);
  const int64_t now_ms = clock_.NowMs();
  std::vector<ConsumerReport> reports;
  for (const auto& [name, consumer] : found->group->consumers()) {
    reports.push_back(
        {.name = name,
         .pending = consumer->pending.size(),
         .idle_ms = std::max<int64_t>(now_ms - consumer->seen_ms, 0),
         .inactive_ms = consumer->active_ms < 0 ? -1 : std::max<int64_t>(now_ms - consumer->active_ms, 0)});
  }
  return reports;
}

}  // namespace tocsin::streams
