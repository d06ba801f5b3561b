#include "server/migrate.h"

#include <algorithm>
#include <cstdio>
#include <functional>
#include <map>
#include <utility>

#include "nodes/redis_engine.h"
#include "notifier/dead_letters.h"
#include "server/migrate_end.h"
#include "server/migrate_schedule.h"
#include "server/migrate_streams.h"

namespace tocsin::server {
namespace {

using base::Code;
using base::Result;
using base::Status;

constexpr std::string_view kEmbedded = "embedded:";
constexpr uint64_t kTellEvery = 10'000;  // users

template <typename... Values>
void Tell(const char* format, Values... values) {
  std::fprintf(stderr, format, values...);
  std::fputc('\n', stderr);
}

// What all logs come to. Two stores have equal logs if they come to the same, whatever the order they are read in.
struct LogFigures {
  uint64_t users = 0, entries = 0, unread = 0, devices = 0, mark_ids = 0;
  uint64_t digest = 0;

  void Add(const UserRecord& record) {
    ++users;
    entries += record.lines.size();
    unread += record.head.counts.unread;
    devices += record.devices.size();
    mark_ids += record.mark_ids.size();
    digest += DigestOf(record);
  }
  friend bool operator==(const LogFigures&, const LogFigures&) = default;

 private:
  static uint64_t DigestOf(const UserRecord& record) {
    std::string text;
    model::PutString(text, record.user);
    for (const model::EntryId id : {record.head.last, record.head.floor}) id.EncodeTo(text);
    model::PutVarint(text, record.head.trimmed);
    logs::EncodeCounts(record.head.counts, text);
    for (const logs::LogLine& line : record.lines) {
      line.entry->id.EncodeTo(text);
      text.push_back(static_cast<char>(line.entry->is_item() ? line.state : logs::ItemState::kUnread));
      model::PutString(text, logs::EncodeLogEntry(*line.entry));
    }
    // In no order of their own.
    std::map<std::string, std::string> rest;
    for (const logs::SourceMark& source : record.head.sources) {
      source.id.EncodeTo(rest["s" + source.stream + static_cast<char>(source.priority)]);
    }
    for (const auto& [name, device] : record.devices) rest["d" + name] = logs::EncodeDevice(device);
    for (const auto& [mid, at_ms] : record.mark_ids) rest["m" + mid] = logs::EncodeMarkTime(at_ms);
    for (const auto& [name, value] : rest) {
      model::PutString(text, name);
      model::PutString(text, value);
    }
    return std::hash<std::string>{}(text);
  }
};

class Migration {
 public:
  Migration(const MigrateOptions& options, const Config& config) : options_(options) {
    for (const IngestStream& stream : config.ingest_streams) {
      for (std::string& partition : nodes::PartitionsOf(stream.name, config.partitions)) {
        ingest_.push_back(std::move(partition));
      }
    }
    for (const std::string& stream : ingest_) {
      wanted_.push_back(stream);
      wanted_.push_back(stream + std::string(notifier::kDeadSuffix));
    }
    wanted_.insert(wanted_.end(), options.streams.begin(), options.streams.end());
  }

  Status Run() {
    RETURN_IF_ERROR(Open(options_.from, MigrationRole::kSource, from_));
    RETURN_IF_ERROR(Open(options_.to, MigrationRole::kTarget, to_));
    auto streams = from_->Streams(wanted_);
    if (!streams.ok()) return streams.status();
    for (const std::string& stream : *streams) {
      if (!stream.starts_with("tocsin:{")) continue;
      return Status(Code::kConflict, "a stream is called `" + stream +
                                         "`, as Tocsin calls its own keys on a Redis: "
                                         "rename it first");
    }
    RETURN_IF_ERROR(to_->CheckEmpty(*streams));
    RETURN_IF_ERROR(Begin());
    for (const std::string& stream : *streams) RETURN_IF_ERROR(Stream(stream));
    RETURN_IF_ERROR(Logs());
    return Schedule();
  }

 private:
  Status Open(const std::string& name, MigrationRole role, std::unique_ptr<MigrationEnd>& end) {
    auto opened = name.starts_with(kEmbedded) ? OpenEmbeddedEnd(name.substr(kEmbedded.size()), role)
                                              : OpenRedisEnd(name, ingest_);
    if (!opened.ok()) return opened.status();
    end = std::move(*opened);
    return base::Ok();
  }

  Status Begin() {
    auto epoch = from_->Epoch();
    if (!epoch.ok()) return epoch.status();
    if (epoch->empty()) {
      Tell("the logs have several epochs, which the target cannot have: every device will be told `reset` once");
    }
    return to_->Begin(*epoch);
  }

  Status Stream(const std::string& stream) {
    auto copied = CopyStream(stream, *from_, *to_);
    if (!copied.ok()) return copied.status();
    Tell("stream %s: %llu entries, %llu groups with %llu pending", stream.c_str(), Big(copied->entries),
         Big(copied->groups), Big(copied->pending));
    if (copied->pending_gone > 0) {
      Tell("  %llu more were pending and are not in the stream any more: they stay behind", Big(copied->pending_gone));
    }
    auto there = FiguresOf(stream, *to_);
    if (!there.ok()) return there.status();
    if (there->entries == copied->entries && there->groups == copied->groups && there->pending == copied->pending &&
        there->consumers == copied->consumers && there->last_id == copied->last_id) {
      return base::Ok();
    }
    return Status(Code::kInternal, "stream `" + stream + "` came out otherwise: the target has " +
                                       std::to_string(there->entries) + " entries, " + std::to_string(there->groups) +
                                       " groups, " + std::to_string(there->pending) + " pending, last id " +
                                       there->last_id + "; was somebody adding to it?");
  }

  Status Logs() {
    const int64_t now_ms = base::SystemClock().NowMs();
    LogFigures source, target;
    const auto copy = [&](const UserRecord& record) {
      RETURN_IF_ERROR(to_->WriteLog(record));
      source.Add(record);
      if (source.users % kTellEvery == 0)
        Tell("logs: %llu users, %llu entries", Big(source.users), Big(source.entries));
      return base::Ok();
    };
    RETURN_IF_ERROR(from_->ReadLogs(ingest_, now_ms, copy));
    RETURN_IF_ERROR(to_->Flush());
    Tell("logs: %llu users, %llu entries, %llu of them unread, %llu devices, %llu marks remembered; comparing",
         Big(source.users), Big(source.entries), Big(source.unread), Big(source.devices), Big(source.mark_ids));
    const auto look = [&](const UserRecord& record) {
      target.Add(record);
      return base::Ok();
    };
    RETURN_IF_ERROR(to_->ReadLogs(ingest_, now_ms, look));
    if (source == target) return base::Ok();
    return Status(Code::kInternal, "the logs came out otherwise: the target has " + std::to_string(target.users) +
                                       " users, " + std::to_string(target.entries) + " entries, " +
                                       std::to_string(target.unread) + " unread, " + std::to_string(target.devices) +
                                       " devices, " + std::to_string(target.mark_ids) + " marks");
  }

  // Every stream gets the number, so that no firing there counts as one that was.
  Status Schedule() {
    uint64_t copied = 0, digest = 0;
    std::map<std::string, std::vector<notifier::Timer>> pages;
    for (const std::string& stream : ingest_) pages[stream];
    const auto copy = [&](const std::string& stream, const notifier::Timer& timer) {
      ++copied;
      digest += DigestOf(stream, timer);
      std::vector<notifier::Timer>& page = pages[stream];
      page.push_back(timer);
      return page.size() < kScheduledAtOnce ? base::Ok() : to_->WriteSchedule(stream, std::exchange(page, {}), 0);
    };
    auto number = from_->ReadSchedule(ingest_, copy);
    if (!number.ok()) return number.status();
    for (const auto& [stream, rest] : pages) {
      auto is_there = to_->Streams({stream});
      if (!is_there.ok()) return is_there.status();
      const bool has_stream = std::find(is_there->begin(), is_there->end(), stream) != is_there->end();
      if (has_stream || !rest.empty())
        RETURN_IF_ERROR(to_->WriteSchedule(stream, rest, std::max<uint64_t>(*number, 1)));
    }
    RETURN_IF_ERROR(to_->Flush());
    const auto look = [&](const std::string& stream, const notifier::Timer& timer) {
      digest -= DigestOf(stream, timer);
      return base::Ok();
    };
    auto there = to_->ReadSchedule(ingest_, look);
    if (!there.ok()) return there.status();
    if (digest != 0) return Status(Code::kInternal, "the schedule came out otherwise");
    Tell("schedule: %llu notifications wait for their time", Big(copied));
    return base::Ok();
  }

  static uint64_t DigestOf(const std::string& stream, const notifier::Timer& timer) {
    std::string text;
    for (const std::string& part : {stream, timer.name, timer.payload}) model::PutString(text, part);
    model::PutVarint(text, static_cast<uint64_t>(timer.due_ms));
    model::PutVarint(text, timer.weight);
    timer.order.EncodeTo(text);
    return std::hash<std::string>{}(text);
  }

  static unsigned long long Big(uint64_t value) { return value; }

  const MigrateOptions& options_;
  std::vector<std::string> ingest_, wanted_;
  std::unique_ptr<MigrationEnd> from_, to_;
};

}  // namespace

int Migrate(const MigrateOptions& options, const Config& config) {
  if (options.from.empty() || options.to.empty()) {
    Tell(
        "tocsin migrate: from where, and to where? For example: tocsin migrate --from embedded:./tocsin-data --to "
        "redis://127.0.0.1:6379");
    return 2;
  }
  base::SetLogLevel(base::Level::kWarn);
  const Status status = Migration(options, config).Run();
  if (!status.ok()) {
    Tell("tocsin migrate: %s", std::string(status.message()).c_str());
    return 1;
  }
  Tell("done: %s has everything that %s had", options.to.substr(0, options.to.find('?')).c_str(),
       options.from.substr(0, options.from.find('?')).c_str());
  return 0;
}

}  // namespace tocsin::server
