#include "connection.h"

#include "model/limits.h"

namespace tocsin::tests {

using logs::Counts;
using session::CloseCode;
using wire::JsonValue;

EntryId IdOf(JsonValue frame, std::string_view name) {
  auto member = wire::Find(frame, name);
  REQUIRE(member, std::string(name) + " is missing in " + std::string(frame.raw));
  auto id = EntryId::Parse(wire::Text(*member));
  REQUIRE(id, std::string(name) + " is no id in " + std::string(frame.raw));
  return *id;
}

std::string TextOf(JsonValue frame, std::string_view name) {
  auto member = wire::Find(frame, name);
  REQUIRE(member, std::string(name) + " is missing in " + std::string(frame.raw));
  return wire::Text(*member);
}

int64_t NumberOf(JsonValue frame, std::string_view name) {
  auto member = wire::Find(frame, name);
  REQUIRE(member && wire::Integer(*member), std::string(name) + " is missing in " + std::string(frame.raw));
  return *wire::Integer(*member);
}

// The counts of a log at the end of the turn whose last entry is `at`.
Counts CountsAt(const ReferenceLog& log, EntryId at) {
  if (at.IsZero()) return {};
  auto found = log.counts_at.find(at);
  REQUIRE(found != log.counts_at.end(),
          "no turn ended with " + at.ToString() + ", the log ends at " + log.last.ToString());
  return found->second;
}

Connection::Connection(World& world, size_t user, uint64_t number, size_t window)
    : world_(world),
      user_(user),
      number_(number),
      window_(window),
      session_(*this, {.sid = "s" + std::to_string(number), .header_token = {}}, world.now()) {}

void Connection::Hello(const std::string& frame, Claim claim) {
  claim_ = std::move(claim);
  session_.OnMessage(frame, world_.now());
}

void Connection::Ack(EntryId cursor) {
  if (cursor > session_.told()) world_.tally().Add("clamped ack");
  unacked_.erase(unacked_.begin(), unacked_.upper_bound(cursor));
  std::erase_if(early_, [&](const auto& copy) { return copy.second <= std::min(cursor, session_.told()); });
  session_.OnMessage(R"({"t":"ack","cur":")" + cursor.ToString() + R"("})", world_.now());
}

std::optional<std::string> Connection::Take() {
  if (inbox_.empty()) return std::nullopt;
  std::string frame = std::move(inbox_.front());
  inbox_.pop_front();
  if (was_congested_ && inbox_.size() <= window_ / 2) {
    was_congested_ = false;
    session_.OnWritable();
  }
  return frame;
}

void Connection::Send(std::string_view text, std::optional<EntryId> cur) {
  REQUIRE(!ended_, "a frame after bye: " + std::string(text));
  auto parsed = wire::ParseJson(text);
  REQUIRE(parsed.ok(), std::string(text));
  const std::string type = TextOf(*parsed, "t");
  if (type == "welcome") CheckWelcome(*parsed);
  const bool early = type == "n" && wire::Find(*parsed, "prev")->is_null();
  if (early) {
    CheckEarlyCopies(*parsed);
  } else if (type == "n") {
    CheckNotifications(*parsed);
  }
  if (type == "st") CheckChange(*parsed);
  if (!early && (type == "n" || type == "st" || type == "welcome")) {
    REQUIRE(cur == IdOf(*parsed, "cur"), std::string(text));
    told_ = cur;
  } else {
    REQUIRE(!cur, std::string(text));
  }
  if (auto counts = wire::Find(*parsed, "counts"); counts && type == "ok") {
    CheckCounts(*counts, CountsAt(world_.user(user_).log, IdOf(*counts, "at")));
  }
  if (type == "bye") world_.tally().Add("bye " + std::to_string(NumberOf(*parsed, "code")));
  inbox_.emplace_back(text);
  if (Congested()) {
    was_congested_ = true;
    world_.tally().Add("congestion");
  }
}

void Connection::CheckWelcome(JsonValue frame) {
  const ReferenceLog& log = world_.user(user_).log;
  const EntryId head = IdOf(frame, "head"), floor = IdOf(frame, "floor"), cur = IdOf(frame, "cur");
  const std::string resume = TextOf(frame, "resume");
  REQUIRE(!told_, "a second welcome");
  REQUIRE(TextOf(frame, "user") == world_.user(user_).name, "of another user");
  REQUIRE(floor <= cur && cur <= head, std::string(frame.raw));
  REQUIRE(head <= log.last && floor <= log.floor, "ahead of what was committed");
  auto counts = wire::Find(frame, "counts");
  REQUIRE(counts && IdOf(*counts, "at") == head, std::string(frame.raw));
  CheckCounts(*counts, CountsAt(log, head));
  world_.tally().Add("resume " + resume);
  if (!claim_.cursor) {
    REQUIRE(resume == "fresh" || (!claim_.device.empty() && (resume == "ok" || resume == "gap")), resume);
    return;
  }
  if (claim_.epoch != world_.Epoch(user_) || *claim_.cursor > head) {
    REQUIRE(resume == "reset", resume);
  } else if (*claim_.cursor < floor) {
    REQUIRE(resume == "gap" && cur == floor, std::string(frame.raw));
  } else {
    REQUIRE(resume == "ok" && cur == *claim_.cursor, std::string(frame.raw));
  }
}

// Urgent items that the client does not have yet, each once on a session, and few; the cursor stays.
void Connection::CheckEarlyCopies(JsonValue frame) {
  const ReferenceLog& log = world_.user(user_).log;
  REQUIRE(told_ == IdOf(frame, "cur"), std::string(frame.raw));
  for (wire::ElementReader e(*wire::Find(frame, "items")); e.Next();) {
    REQUIRE(!wire::Find(e.value(), "id"), std::string(frame.raw));
    const std::string nid = TextOf(e.value(), "nid");
    REQUIRE(nid.ends_with(":" + std::to_string(user_)), "another user's: " + nid);
    REQUIRE(overtook_.insert(nid).second, "a second early copy of " + nid);
    EntryId id;
    for (const auto& [at, known] : log.undeleted) id = known == nid ? at : id;
    if (id != EntryId{}) {  // else it was deleted since
      REQUIRE(id > *told_, "an early copy of what the client has: " + nid);
      auto stored = log.entries.find(id);
      REQUIRE(stored == log.entries.end() || stored->second->priority >= 2, "it is not urgent: " + nid);
    }
    early_.emplace(nid, id);
  }
  REQUIRE(early_.size() <= model::kMaxEarly, "too many early copies are out");
  world_.tally().Add("early copy");
}

void Connection::AckEarly(const std::set<std::string>& nids) {
  std::string frame;
  for (const std::string& nid : nids) {
    early_.erase(nid);
    frame += frame.empty() ? "" : ",";
    wire::AppendJsonString(frame, nid);
  }
  session_.OnMessage(R"({"t":"ack","nids":[)" + frame + "]}", world_.now());
}

void Connection::CheckNotifications(JsonValue frame) {
  const ReferenceLog& log = world_.user(user_).log;
  const EntryId prev = IdOf(frame, "prev"), cur = IdOf(frame, "cur");
  REQUIRE(told_ == prev && prev < cur, std::string(frame.raw));
  std::set<EntryId> ids;
  auto items = wire::Find(frame, "items");
  REQUIRE(items && items->is_array(), std::string(frame.raw));
  for (wire::ElementReader e(*items); e.Next();) {
    const EntryId id = IdOf(e.value(), "id");
    REQUIRE(prev < id && id <= cur && (ids.empty() || *ids.rbegin() < id), std::string(frame.raw));
    const std::string nid = TextOf(e.value(), "nid");
    REQUIRE(nid.ends_with(":" + std::to_string(user_)), "another user's: " + nid);
    auto known = log.undeleted.find(id);
    REQUIRE(known == log.undeleted.end() || known->second == nid, nid);
    auto replaces = wire::Find(e.value(), "replaces");
    auto replaced = log.replaced.find(nid);
    REQUIRE(replaces.has_value() == (replaced != log.replaced.end()), std::string(frame.raw));
    if (replaces) REQUIRE(replaces->raw == "[\"" + replaced->second + "\"]", std::string(frame.raw));
    ids.insert(id);
    unacked_.insert(id);
  }
  if (ids.empty()) world_.tally().Add("n without items");
  CheckNothingSkipped(prev, cur, ids, std::nullopt);
  REQUIRE(unacked_.size() <= claim_.credit, std::to_string(unacked_.size()) + " items are out");
  if (unacked_.size() == claim_.credit) world_.tally().Add("credit exhausted");
}

void Connection::CheckChange(JsonValue frame) {
  const ReferenceLog& log = world_.user(user_).log;
  const EntryId prev = IdOf(frame, "prev"), id = IdOf(frame, "id");
  REQUIRE(told_ == prev && prev < id && id == IdOf(frame, "cur"), std::string(frame.raw));
  CheckNothingSkipped(prev, id, {}, id);
  REQUIRE(log.changes.contains(id), std::string(frame.raw));
  const ReferenceLog::Change& change = log.changes.at(id);
  REQUIRE(TextOf(frame, "op") == model::MarkOpName(change.op), std::string(frame.raw));
  if (change.upto) {
    REQUIRE(IdOf(frame, "upto") == *change.upto, std::string(frame.raw));
  } else {
    std::multiset<std::string> nids;
    for (wire::ElementReader e(*wire::Find(frame, "ids")); e.Next();) nids.insert(wire::Text(e.value()));
    REQUIRE(nids == std::multiset<std::string>(change.nids.begin(), change.nids.end()), std::string(frame.raw));
  }
  auto by = wire::Find(frame, "by");
  REQUIRE((by ? wire::Text(*by) : "") == change.by, std::string(frame.raw));
  CheckCounts(*wire::Find(frame, "counts"), change.counts);
  if (unacked_.size() == claim_.credit) world_.tally().Add("st without credit");
}

// Between the two cursors lies nothing that the frame should have had. What is missing was deleted; what a limit took
// must not be passed over in silence.
void Connection::CheckNothingSkipped(EntryId prev, EntryId cur, const std::set<EntryId>& items,
                                     std::optional<EntryId> change) {
  const ReferenceLog& log = world_.user(user_).log;
  for (auto at = log.undeleted.upper_bound(prev); at != log.undeleted.end() && at->first <= cur; ++at) {
    REQUIRE(items.contains(at->first), "item " + at->first.ToString() + " is skipped by the frame " + prev.ToString() +
                                           " to " + cur.ToString() + ", floor " + log.floor.ToString());
  }
  for (auto at = log.changes.upper_bound(prev); at != log.changes.end() && at->first <= cur; ++at) {
    REQUIRE(at->first == change, "change " + at->first.ToString() + " is skipped, told " + prev.ToString());
  }
}

void Connection::CheckCounts(JsonValue counts, const Counts& expected) {
  Counts sent;
  sent.unread = static_cast<uint32_t>(NumberOf(counts, "unread"));
  sent.unseen = static_cast<uint32_t>(NumberOf(counts, "unseen"));
  auto by_priority = wire::Find(counts, "by_priority");
  REQUIRE(by_priority, std::string(counts.raw));
  for (size_t i = 0; i < model::kPriorities; ++i) {
    sent.unread_by_priority[i] =
        static_cast<uint32_t>(NumberOf(*by_priority, model::PriorityName(static_cast<model::Priority>(i))));
  }
  for (wire::MemberReader m(*wire::Find(counts, "by_category")); m.Next();) {
    sent.unread_by_category.emplace_back(m.key(), static_cast<uint32_t>(*wire::Integer(m.value())));
  }
  REQUIRE(sent == expected, std::string(counts.raw) + ", expected unread " + std::to_string(expected.unread));
}

void Connection::End(CloseCode code, std::string_view) {
  const bool expected = code == CloseCode::kSlow || code == CloseCode::kDrain || code == CloseCode::kNoPong ||
                        code == CloseCode::kOverload;
  REQUIRE(expected, "close code " + std::to_string(static_cast<int>(code)));
  ended_ = true;
}

base::Result<auth::Identity> Connection::Verify(std::string_view token) {
  auth::Identity identity;
  identity.user = token;
  identity.expires_ms = world_.now().wall_ms + 1'000'000'000;
  return identity;
}

void Connection::OpenLog(const std::string& user, const std::string& device) { world_.OpenLog(number_, user, device); }
void Connection::ReadLog(session::ChannelNumber, const logs::LiveLog&, EntryId after, size_t max_entries,
                         size_t max_bytes) {
  world_.tally().Add("cold read");
  world_.ReadLog(number_, session_.user(), after, max_entries, max_bytes);
}
void Connection::ListLog(std::string i, EntryId before, size_t limit, logs::ListFilter filter) {
  world_.ListLog(number_, session_.user(), std::move(i), before, limit, filter);
}
void Connection::ListUrgent(session::ChannelNumber, const logs::LiveLog&, size_t limit) {
  world_.ListUrgent(number_, session_.user(), limit);
}
void Connection::StoreReceipt(const std::string&, EntryId cursor) {
  REQUIRE(cursor <= std::max(session_.told(), claim_.cursor.value_or(EntryId{})), "a receipt beyond what was sent");
  world_.StoreReceipt(user_, claim_.device, cursor);
}
void Connection::StoreMark(std::string i, logs::MarkRequest request) {
  world_.StoreMark(number_, user_, std::move(i), std::move(request));
}

}  // namespace tocsin::tests
