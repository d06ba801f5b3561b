// What the engine tells about its streams: XINFO.
#include <algorithm>

#include "streams/engine.h"
#include "streams/errors.h"

namespace tocsin::streams {
namespace {

// Entries that the group has yet to deliver. As corrected in 2024 (Redis 7.2.6): entries that were trimmed before they
// were read are no lag.
std::optional<int64_t> LagOf(const Stream& stream, const Group& group) {
  const StreamRecord& record = stream.record();
  const auto added = static_cast<int64_t>(record.entries_added);
  if (added == 0 || record.length == 0) return 0;
  if (group.last_id() < record.first_id && record.max_deleted < record.first_id) {
    return static_cast<int64_t>(record.length);
  }
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

ConsumerReport ReportOf(const Consumer& consumer, int64_t now_ms) {
  return {.name = consumer.name,
          .pending = consumer.pending.size(),
          .idle_ms = std::max<int64_t>(now_ms - consumer.seen_ms, 0),
          .inactive_ms = consumer.active_ms < 0 ? -1 : std::max<int64_t>(now_ms - consumer.active_ms, 0),
          .seen_ms = consumer.seen_ms,
          .active_ms = consumer.active_ms};
}

}  // namespace

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
  auto produced = stream.LoadProduced();
  if (!produced.ok()) return produced.status();
  report.produced = {.duration_s = record.produced.duration_s,
                     .max_per_producer = record.produced.max_per_producer,
                     .producers = (*produced)->producers(),
                     .ids = (*produced)->size(),
                     .ids_added = record.produced_added,
                     .duplicates = record.produced_again};
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
  for (const auto& [name, consumer] : found->group->consumers()) reports.push_back(ReportOf(*consumer, now_ms));
  return reports;
}

base::Result<FullReport> StreamEngine::ReportFull(std::string_view key, size_t count) {
  auto report = ReportStream(key);
  if (!report.ok()) return report.status();
  if (count == 0) count = SIZE_MAX;
  Stream& stream = **Find(key);
  FullReport full{.report = std::move(*report), .entries = {}, .groups = {}};
  RETURN_IF_ERROR(stream.Scan({}, EntryId::Max(), Direction::kForward, {.count = count}, full.entries));
  auto groups = stream.LoadGroups();
  if (!groups.ok()) return groups.status();
  const int64_t now_ms = clock_.NowMs();
  for (const auto& [name, group] : **groups) {
    FullReport::OfGroup& of_group = full.groups.emplace_back();
    of_group.report = ReportOf(stream, *group);
    group->pending().ForEach({}, [&](const Pending& pending) {
      of_group.pending.push_back(Describe(*group, pending, now_ms));
      return of_group.pending.size() < count;
    });
    for (const auto& [consumer_name, consumer] : group->consumers()) {
      FullReport::OfConsumer& of_consumer = of_group.consumers.emplace_back();
      of_consumer.report = ReportOf(*consumer, now_ms);
      consumer->pending.ForEach({}, [&](const Consumer::Own& own) {
        of_consumer.pending.push_back(Describe(*group, *group->FindPending(own.id), now_ms));
        return of_consumer.pending.size() < count;
      });
    }
  }
  return full;
}

}  // namespace tocsin::streams
