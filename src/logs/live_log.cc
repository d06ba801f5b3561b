#include "logs/live_log.h"

#include <algorithm>

#include "base/check.h"
#include "model/limits.h"

namespace tocsin::logs {
namespace {

using model::EntryId;

constexpr size_t kTailBytes = 64 << 10;

// How many lines at the front have an id up to `id`.
size_t LinesUpTo(const std::vector<LogLine>& lines, EntryId id) {
  auto end = std::upper_bound(lines.begin(), lines.end(), id,
                              [](EntryId wanted, const LogLine& line) { return wanted < line.entry->id; });
  return static_cast<size_t>(end - lines.begin());
}

}  // namespace

void LiveLog::Open(const LogHead& head) {
  if (open_) return;
  open_ = true;
  DropFront(LinesUpTo(tail_, head.last));  // the store had these already
  tail_after_ = std::max(tail_after_, head.last);
  floor_ = std::max(floor_, head.floor);
  if (last_ <= head.last) {
    last_ = head.last;
    counts_ = head.counts;
  }
}

void LiveLog::Apply(LogUpdate update) {
  floor_ = std::max(floor_, update.floor);
  const EntryId last = std::max(update.last, update.entries.empty() ? EntryId{} : update.entries.back()->id);
  if (update.after && *update.after > last_) {  // something lies between that was not told here
    if (last > last_) counts_ = update.counts;
    return DropTail(std::max(last, *update.after));
  }
  for (LogEntryPtr& entry : update.entries) {
    if (entry->id <= last_) continue;
    last_ = entry->id;
    if (entry->change) Replay(*entry->change);
    tail_bytes_ += entry->bytes();
    tail_.push_back({std::move(entry), ItemState::kUnread});
    counts_ = update.counts;
  }
  if (last > last_) {
    counts_ = update.counts;
    return DropTail(last);
  }
  size_t over = 0;
  for (size_t bytes = tail_bytes_; tail_.size() - over > model::kLogTailEntries || bytes > kTailBytes; ++over) {
    bytes -= tail_[over].entry->bytes();
  }
  DropFront(over);
}

void LiveLog::Close() {
  DropTail({});
  open_ = false;
  last_ = floor_ = tail_after_ = EntryId{};
  counts_ = {};
}

void LiveLog::DropTail(EntryId last) {
  last_ = std::max(last_, last);
  tail_after_ = std::max(tail_after_, last_);
  tail_bytes_ = 0;
  std::vector<LogLine>().swap(tail_);
}

void LiveLog::DropFront(size_t lines) {
  if (lines == 0) return;
  const auto end = tail_.begin() + static_cast<ptrdiff_t>(lines);
  for (auto line = tail_.begin(); line != end; ++line) tail_bytes_ -= line->entry->bytes();
  tail_after_ = std::prev(end)->entry->id;
  tail_.erase(tail_.begin(), end);
  if (tail_.empty()) std::vector<LogLine>().swap(tail_);
}

// Items of the tail carry their state at sending time, as items read from the store do.
void LiveLog::Replay(const StateChange& change) {
  if (!change.topic.empty()) return;  // of another log's items
  auto meant = [&change](const LogLine& line) {
    if (!line.entry->is_item()) return false;
    if (change.upto) return line.entry->id <= *change.upto;
    return std::find(change.nids.begin(), change.nids.end(), line.entry->nid) != change.nids.end();
  };
  if (model::Removes(change.op)) {
    std::erase_if(tail_, [&](const LogLine& line) {
      if (!meant(line)) return false;
      tail_bytes_ -= line.entry->bytes();
      return true;
    });
    return;
  }
  for (LogLine& line : tail_) {
    if (meant(line)) line.state = logs::Apply(change.op, line.state);
  }
}

LogPiece LiveLog::Tail(EntryId after, size_t max_entries) const {
  CHECK(TailCovers(after));
  const size_t first = LinesUpTo(tail_, after);
  const size_t end = first + std::min(tail_.size() - first, max_entries);
  LogPiece piece;
  piece.lines.assign(tail_.begin() + static_cast<ptrdiff_t>(first), tail_.begin() + static_cast<ptrdiff_t>(end));
  piece.complete = end == tail_.size();
  return piece;
}

void LiveLog::Leave(LogFollower& follower) { std::erase(followers_, &follower); }

void LiveLog::Settle() {
  if (!open_ || tail_.empty()) return;
  EntryId taken = last_;
  for (const LogFollower* follower : followers_) taken = std::min(taken, follower->position());
  DropFront(LinesUpTo(tail_, taken));
}

void LiveLog::Sent(std::string_view device, EntryId cursor) {
  for (Receipt& receipt : sent_) {
    if (receipt.device == device) {
      receipt.cursor = std::max(receipt.cursor, cursor);
      return;
    }
  }
  sent_.push_back({std::string(device), cursor});
}

void LiveLog::Stored(std::string_view device, EntryId cursor) {
  std::erase_if(sent_, [&](const Receipt& receipt) { return receipt.device == device && receipt.cursor <= cursor; });
}

std::optional<EntryId> LiveLog::SentCursor(std::string_view device) const {
  for (const Receipt& receipt : sent_) {
    if (receipt.device == device) return receipt.cursor;
  }
  return std::nullopt;
}

std::string LiveLog::SentName(std::string_view device, std::string_view topic) {
  std::string name(device);
  if (!topic.empty()) name.append(1, '\0').append(topic);
  return name;
}

std::map<std::string, EntryId, std::less<>> LiveLog::SentInTopics(std::string_view device) const {
  std::map<std::string, EntryId, std::less<>> cursors;
  for (const Receipt& receipt : sent_) {
    if (receipt.device.size() > device.size() + 1 && receipt.device.starts_with(device) &&
        receipt.device[device.size()] == '\0') {
      cursors.emplace(receipt.device.substr(device.size() + 1), receipt.cursor);
    }
  }
  return cursors;
}

LiveLog& LiveLogs::Get(std::string_view user) {
  if (LiveLog* found = Find(user)) return *found;
  return *logs_.emplace(user, std::make_unique<LiveLog>(std::string(user))).first->second;
}

LiveLog* LiveLogs::Find(std::string_view user) {
  auto found = logs_.find(user);
  return found == logs_.end() ? nullptr : found->second.get();
}

void LiveLogs::Release(LiveLog& log) {
  if (!log.unused()) return;
  auto found = logs_.find(log.user());
  CHECK(found != logs_.end() && found->second.get() == &log);
  logs_.erase(found);
}

void LiveLogs::Apply(LogUpdate update) {
  LiveLog* log = Find(update.user);
  if (log == nullptr) return;
  log->Apply(std::move(update));
  if (!log->open()) return;
  for (LogFollower* follower : log->followers()) follower->OnLogAdvanced();
  log->Settle();
}

void LiveLogs::Lose(const std::function<bool(std::string_view user)>& which) {
  for (auto& [user, log] : logs_) {
    if (!which(user)) continue;
    log->Close();
    for (LogFollower* follower : log->followers()) follower->OnLogLost();
  }
}

}  // namespace tocsin::logs
