#include "session/channel.h"

#include <algorithm>
#include <utility>

#include "base/metrics.h"
#include "model/limits.h"

namespace tocsin::session {
namespace {

using base::Result;
using logs::LogLine;
using model::EntryId;
using model::Priority;

// Entries looked at when there is no credit for items.
constexpr size_t kChangesAhead = 16;
// Changes of a topic's items that are remembered for items whose word comes later.
constexpr size_t kMaxChanges = 32;

base::Counter delivered("tocsin_items_sent_total", "Items sent to sessions, repeats included");
base::Counter overtook("tocsin_early_copies_total", "Urgent items sent ahead of a backlog");
base::Counter acked("tocsin_items_acked_total", "Items that devices have acknowledged");
base::Counter gaps("tocsin_resumes_total", "Channels of sessions by how they resumed", "resume=\"gap\"");
base::Counter resets("tocsin_resumes_total", "Channels of sessions by how they resumed", "resume=\"reset\"");

// The last id before a moment.
EntryId Before(int64_t ms) {
  if (ms <= 0) return {};
  return *EntryId{static_cast<uint64_t>(ms), 0}.Previous();
}

// Where a client without a cursor starts.
EntryId Start(const logs::LogHead& head, const Position& position) {
  if (position.from) return std::clamp(*position.from, head.floor, head.last);
  switch (position.since.kind) {
    case wire::Since::Kind::kAll:
      return head.floor;
    case wire::Since::Kind::kNew:
      return head.last;
    case wire::Since::Kind::kTime:
      return std::clamp(Before(position.since.ms), head.floor, head.last);
  }
  return head.floor;
}

}  // namespace

Channel::~Channel() {
  carrier_.unacked -= sent_.size();
  carrier_.early_out -= early_.size();
  if (log_ == nullptr) return;
  log_->Leave(*this);
  carrier_.host.CloseLog(*log_);
}

// Where the client stands (semantics: Cursor, prev, cur). Sets told_.
Resume Channel::Place(const logs::LogOpening& opening, const Position& position) {
  const logs::LogHead& head = opening.head;
  EntryId cursor;
  if (position.cursor) {
    cursor = *position.cursor;
    if (!position.same_epoch || cursor > head.last) {
      told_ = Start(head, position);
      return Resume::kReset;
    }
    Settle(cursor);  // the cursor of a hello counts as a receipt
  } else if (position.stored) {
    cursor = receipt_ = std::min(*position.stored, head.last);
  } else {
    told_ = Start(head, position);
    return Resume::kFresh;
  }
  told_ = std::max(cursor, head.floor);
  return cursor < head.floor || cursor < opening.lost ? Resume::kGap : Resume::kOk;
}

ChannelStart Channel::Open(logs::LiveLog& log, const logs::LogOpening& opened, const Position& position) {
  log_ = &log;
  log_->Follow(*this);
  logs::LogOpening opening = opened;
  logs::LogHead& head = opening.head;
  if (head.last <= log_->last()) {  // else the store is ahead: an update is still on its way here
    head.last = log_->last();
    head.floor = log_->floor();
    head.counts = log_->counts();
  }
  ChannelStart start;
  start.resume = Place(opening, position);
  lost_ = opening.lost;
  if (start.resume == Resume::kGap) gaps.Add();
  if (start.resume == Resume::kReset) resets.Add();
  start.topic = topic_;
  start.head = head.last;
  start.floor = head.floor;
  start.cur = told_;
  start.counts = head.counts;
  accounted_to_ = topic_.empty() ? told_ : head.last;
  return start;
}

ChannelStart Channel::Now() const {
  return {topic_, std::max(log_->last(), told_), log_->floor(), told_, Resume::kOk, log_->counts()};
}

void Channel::OnLogAdvanced() {
  const bool accounts = !topic_.empty() || carrier_.has_topics;
  if (accounts && log_->TailCovers(accounted_to_)) {
    for (const LogLine& line : log_->Tail(accounted_to_, SIZE_MAX).lines) Account(line);
  }
  Pull();
}

// An entry that is seen for the first time: in the tail, or on its way to the client.
void Channel::Account(const LogLine& line) {
  const logs::LogEntry& entry = *line.entry;
  if (entry.id <= accounted_to_) return;
  accounted_to_ = entry.id;
  if (topic_.empty()) {
    if (!entry.is_item() && !entry.change->topic.empty()) carrier_.OnTopicChange(line.entry);
  } else if (!entry.is_item()) {
    carrier_.host.TallyTopic(number_, topic_);  // taken back, or expired: what of it counted here is not known
  } else if (tallied_ && counted_from_ && !entry.traits.replaces.empty()) {
    carrier_.host.TallyTopic(number_, topic_);  // the same of those that it took the place of
  } else if (tallied_ && counted_from_ && entry.id > *counted_from_) {
    counts_.Add(entry.priority, logs::ItemState::kUnread, entry.traits.category);
    if (counts_.unread > logs::kTopicWindow) carrier_.host.TallyTopic(number_, topic_);
  }
}

void Channel::SetTally(const TopicTally& tally, std::optional<EntryId> counted_from) {
  tallied_ = true;
  counted_from_ = counted_from;
  counts_ = {};
  changes_as_of_ = tally.states.as_of;
  std::erase_if(changes_, [this](const logs::LogEntryPtr& change) { return change->id <= changes_as_of_; });
  states_.clear();
  for (const auto& [id, state] : tally.states.states) {
    if (id > told_) states_.emplace(id, state);
  }
  accounted_to_ = std::max(accounted_to_, tally.window->last);
  if (!counted_from) return;
  for (const logs::TopicItem& item : tally.window->items) {
    if (item.id <= *counted_from) continue;
    auto state = tally.states.states.find(item.id);
    if (state == tally.states.states.end()) {
      counts_.Add(item.priority, logs::ItemState::kUnread, item.category);
    } else if (state->second != logs::kTopicItemDeleted) {
      counts_.Add(item.priority, static_cast<logs::ItemState>(state->second), item.category);
    }
  }
  for (const logs::LogEntryPtr& change : changes_) change->change->topic_delta.ApplyTo(counts_);
}

void Channel::OnChange(const logs::LogEntryPtr& change) {
  if (tallied_ && change->id <= changes_as_of_) return;
  // For items that are not sent yet, of which the word may come later than of this; and until a tally has it.
  if (changes_.size() == kMaxChanges) changes_.erase(changes_.begin());
  changes_.push_back(change);
  if (tallied_ && counted_from_) change->change->topic_delta.ApplyTo(counts_);
}

// Gives items the state that the user gave them, and leaves out those that the user deleted.
void Channel::Overlay(std::vector<LogLine>& lines) const {
  if (states_.empty() && changes_.empty()) return;
  std::erase_if(lines, [this](LogLine& line) {
    const logs::LogEntry& entry = *line.entry;
    if (!entry.is_item()) return false;
    const auto known = states_.find(entry.id);
    logs::TopicItemState state = known == states_.end() ? logs::kUntouched : known->second;
    for (const logs::LogEntryPtr& change : changes_) {
      const logs::StateChange& its = *change->change;
      const bool meant =
          its.upto ? entry.id <= *its.upto : std::find(its.nids.begin(), its.nids.end(), entry.nid) != its.nids.end();
      if (meant) state = logs::ApplyToTopicItem(its.op, state);
    }
    if (state == logs::kTopicItemDeleted) return true;
    line.state = static_cast<logs::ItemState>(state);
    return false;
  });
}

void Channel::Advance() {
  const EntryId before = told_;
  Pull();
  if (log_ != nullptr && told_ != before) log_->Settle();
}

void Channel::Pull() {
  if (!carrier_.is_live || log_ == nullptr || reading_ || pulling_) return;
  pulling_ = true;
  while (carrier_.is_live && told_ < log_->last() && !carrier_.host.Congested()) {
    const size_t room = carrier_.room();
    if (waits_for_credit_ && room == 0) break;
    waits_for_credit_ = false;
    // One more than there is credit for tells whether a state change comes next. Where one did, more of them may.
    const size_t wanted = room > 0 ? std::min<size_t>(room, model::kMaxCredit) + 1 : kChangesAhead;
    const EntryId before = told_;
    if (log_->TailCovers(told_)) {
      Deliver(log_->Tail(told_, wanted), log_->last());
    } else {
      reading_ = true;
      reading_to_ = log_->last();
      carrier_.host.ReadLog(number_, *log_, told_, wanted, model::kFrameTarget);
    }
    if (reading_ || told_ == before) break;  // OnLogRead goes on, or there is nothing to go on with
  }
  pulling_ = false;
  if (waits_for_credit_) Overtake();
}

void Channel::OnLogRead(const Result<logs::LogPiece>& piece) {
  if (!carrier_.is_live || !reading_) return;
  reading_ = false;
  if (!piece.ok()) return carrier_.Bye(CloseCode::kOverload, "the log cannot be read now");
  // Before the word of it came here: to go on would take the client past what was lost, as if nothing were missing.
  if (piece->lost > lost_) return carrier_.Bye(CloseCode::kLogLost, {});
  const bool long_backlog = !piece->complete;
  Deliver(*piece, reading_to_);
  Pull();
  if (log_ != nullptr) log_->Settle();
  if (long_backlog) Overtake();
}

template <typename Which>
void Channel::DropEarly(Which which) {
  carrier_.early_out -= std::erase_if(early_, which);
}

// Sends early copies of what is urgent and lies behind what cannot be sent yet.
void Channel::Overtake() {
  // Where nothing has to be acknowledged, what came again in its order is not out any more.
  if (carrier_.unlimited()) DropEarly([this](const Early& copy) { return copy.id <= told_; });
  if (!carrier_.is_live || carrier_.host.Congested() || looking_to_ != EntryId{} ||
      carrier_.early_out >= model::kMaxEarly)
    return;
  overtaken_to_ = std::max(overtaken_to_, told_);
  const EntryId last = log_->last();
  if (overtaken_to_ >= last) return;
  if (log_->TailCovers(overtaken_to_)) return SendEarly(log_->Tail(overtaken_to_, SIZE_MAX).lines, last);
  const auto& unread = log_->counts().unread_by_priority;
  if (unread[static_cast<size_t>(Priority::kHigh)] + unread[static_cast<size_t>(Priority::kCritical)] == 0) {
    overtaken_to_ = last;
    return;
  }
  looking_to_ = last;
  carrier_.host.ListUrgent(number_, *log_, 2 * model::kMaxEarly);
}

void Channel::OnUrgent(const Result<logs::ListPage>& page) {
  const EntryId covered = std::exchange(looking_to_, EntryId{});
  if (!carrier_.is_live || !page.ok()) return;  // they come in their order
  std::vector<LogLine> lines(page->lines.rbegin(), page->lines.rend());
  std::erase_if(lines, [&](const LogLine& line) {  // what came after the question is in the tail, or asked for next
    return line.entry->id <= overtaken_to_ || line.entry->id > covered;
  });
  SendEarly(lines, covered);
}

// `lines` in order; all that is urgent up to `covered` and worth an early copy is among them.
void Channel::SendEarly(const std::vector<LogLine>& lines, EntryId covered) {
  std::vector<LogLine> urgent, overlaid = lines;
  Overlay(overlaid);
  const int64_t now_ms = carrier_.host.NowMs();
  for (const LogLine& line : overlaid) {
    const logs::LogEntry& entry = *line.entry;
    if (entry.id <= told_ || !entry.is_item() || !model::IsUrgent(entry.priority)) continue;
    if (line.state >= logs::ItemState::kRead || entry.Expired(now_ms)) continue;
    if (carrier_.early_out == model::kMaxEarly) {  // the rest when one of these is acknowledged
      covered = urgent.empty() ? overtaken_to_ : urgent.back().entry->id;
      break;
    }
    early_.push_back({entry.id, entry.nid});
    ++carrier_.early_out;
    urgent.push_back(line);
  }
  overtaken_to_ = std::max(overtaken_to_, covered);
  if (urgent.empty()) return;
  std::string frame;
  AppendEarlyCopies(frame, topic_, told_, urgent);
  overtook.Add(static_cast<int64_t>(urgent.size()));
  carrier_.host.Send(frame, std::nullopt);
}

// Sends the lines in order until credit ends. `covered`: where the log ended when they were read.
void Channel::Deliver(const logs::LogPiece& piece, EntryId covered) {
  if (piece.gap) {
    return carrier_.Bye(CloseCode::kSlow, "the log was trimmed beyond this cursor; what is left follows a new hello");
  }
  if (!topic_.empty() || carrier_.has_topics) {
    for (const LogLine& line : piece.lines) Account(line);
  }
  std::vector<LogLine> shown;
  std::span<const LogLine> lines(piece.lines);
  const int64_t now_ms = carrier_.host.NowMs();
  if (logs::AnyExpired(lines, now_ms) || !states_.empty() || !changes_.empty()) {
    shown = piece.lines;
    logs::DropExpired(shown, now_ms);
    Overlay(shown);
    lines = shown;
  }
  size_t first = 0, bytes = 0;  // of the items that wait to be sent in one frame
  for (size_t i = 0; i < lines.size(); ++i) {
    const logs::LogEntry& entry = *lines[i].entry;
    if (!entry.is_item()) {
      SendItems(lines.subspan(first, i - first));
      std::string frame;
      const logs::Counts counts = logs::Sum(entry.change->counts, carrier_.TopicCounts());
      AppendStateChange(frame, topic_, told_, entry, topic_.empty() ? &counts : nullptr);
      told_ = entry.id;
      carrier_.host.Send(frame, told_);
      first = i + 1;
      bytes = 0;
      continue;
    }
    if (i - first >= carrier_.room()) {
      SendItems(lines.subspan(first, i - first));
      waits_for_credit_ = true;
      return;
    }
    bytes += entry.bytes();
    if (bytes >= model::kFrameTarget) {
      SendItems(lines.subspan(first, i + 1 - first));
      first = i + 1;
      bytes = 0;
    }
  }
  SendItems(lines.subspan(first));
  // What lies between was deleted, or has expired.
  const EntryId end = piece.complete ? covered : piece.lines.empty() ? told_ : piece.lines.back().entry->id;
  if (told_ < end) {
    std::string frame;
    AppendNotifications(frame, topic_, told_, end, {}, end < log_->last());
    told_ = end;
    carrier_.host.Send(frame, told_);
  }
  if (told_ >= log_->last()) states_.clear();  // of items that were to be sent
}

void Channel::SendItems(std::span<const LogLine> items) {
  if (items.empty()) return;
  const EntryId prev = std::exchange(told_, items.back().entry->id);
  std::string frame;
  AppendNotifications(frame, topic_, prev, told_, items, told_ < log_->last());
  if (!carrier_.unlimited()) {
    for (const LogLine& line : items) sent_.push_back(line.entry->id);
    carrier_.unacked += items.size();
  }
  delivered.Add(static_cast<int64_t>(items.size()));
  carrier_.host.Send(frame, told_);
}

void Channel::Settle(EntryId cursor) {
  const auto keep = std::upper_bound(sent_.begin(), sent_.end(), cursor);
  acked.Add(keep - sent_.begin());
  carrier_.unacked -= static_cast<size_t>(keep - sent_.begin());
  sent_.erase(sent_.begin(), keep);
  if (sent_.empty()) std::vector<EntryId>().swap(sent_);  // idle sessions hold no buffers
  DropEarly([cursor](const Early& copy) { return copy.id <= cursor; });
  if (!carrier_.has_device || cursor <= receipt_) return;
  receipt_ = cursor;
  carrier_.host.StoreReceipt(topic_, cursor);
}

void Channel::SettleEarly(const std::vector<std::string>& nids) {
  DropEarly([&nids](const Early& copy) { return std::find(nids.begin(), nids.end(), copy.nid) != nids.end(); });
}

}  // namespace tocsin::session
