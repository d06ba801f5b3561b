#include "client.h"

namespace tocsin::tests {

using wire::JsonValue;

Client::Client(World& world, size_t user, std::string device)
    : world_(world), user_(user), device_(std::move(device)) {}

void Client::Step() {
  Connection* live = connection();
  if (live == nullptr) {
    if (world_.Chance(30)) Connect();
    return;
  }
  const uint64_t choice = world_.random().Below(100);
  if (choice < 45) {
    Read(1 + world_.random().Below(4));
  } else if (choice < 70) {
    Ack();
  } else if (choice < 84) {
    Mark();
  } else if (choice < 87) {
    List();
  } else if (choice < 90) {
    ForgeAck();
  } else if (choice < 93) {
    older_ = state_;
  } else if (choice < 97) {
    world_.Disconnect(connection_);
  } else if (choice < 98) {
    live->session().Drain(static_cast<int64_t>(world_.random().Below(1'000)));
  }  // else it does nothing for a while
}

bool Client::CatchUp() {
  if (connection() == nullptr) {
    Connect();
    return false;
  }
  Read(100);
  if (connection() == nullptr || !welcomed_) return false;
  const bool behind = state_.cursor < world_.user(user_).log.last;
  if (behind) Ack();
  return !behind && unanswered_.empty();
}

// As a client of every kind: one that goes on, one that lost everything, one that has an old copy, and liars.
void Client::Connect() {
  base::Random& random = world_.random();
  const uint64_t kind = world_.calm() ? 0 : random.Below(100);
  Claim claim{.cursor = state_.cursor, .epoch = state_.epoch, .device = device_};
  if (kind >= 60 && kind < 75) {  // a fresh page
    state_ = {};
    claim.cursor.reset();
  } else if (kind >= 75 && kind < 88 && older_) {
    state_ = *std::exchange(older_, std::nullopt);
    claim.cursor = state_.cursor;
    claim.epoch = state_.epoch;
    world_.tally().Add("old cursor");
  } else if (kind >= 88 && kind < 92) {
    claim.epoch = kind < 90 ? world_.Epoch(1 - user_) : "0123456789abcdef";
    claim.cursor = claim.cursor.value_or(EntryId{5, 5});
  } else if (kind >= 92 && kind < 96) {
    claim.cursor = EntryId{EntryId::Max().ms, random.Below(9)};
    claim.epoch = world_.Epoch(user_);
  } else if (kind >= 96 && kind < 98) {  // the beginning of everything
    state_ = {};
    claim.cursor = EntryId{};
    claim.epoch = world_.Epoch(user_);
  }
  std::string hello = R"({"t":"hello","tok":)";
  wire::AppendJsonString(hello, world_.user(user_).name);
  if (!device_.empty()) hello += R"(,"dev":")" + device_ + "\"";
  if (claim.cursor) hello += R"(,"epoch":")" + claim.epoch + R"(","cur":")" + claim.cursor->ToString() + "\"";
  if (world_.Chance(80)) {
    claim.credit = 1 + random.Below(12);
    hello += R"(,"credit":)" + std::to_string(claim.credit);
  }
  if (!world_.calm() && world_.Chance(20)) {
    const int64_t some_ms = world_.now().wall_ms - static_cast<int64_t>(random.Below(100'000));
    hello += world_.Chance(50) ? R"(,"since":"new")" : R"(,"since":)" + std::to_string(some_ms);
  }
  hello += "}";
  Connection& made = world_.Connect(*this, 1 + random.Below(6));
  connection_ = made.number();
  welcomed_ = false;
  early_.clear();
  made.Hello(hello, std::move(claim));
}

void Client::Send(const std::string& frame) {
  if (Connection* live = connection()) live->session().OnMessage(frame, world_.now());
}

void Client::Read(size_t frames) {
  while (frames-- > 0) {
    Connection* live = connection();
    if (live == nullptr) return;
    std::optional<std::string> frame = live->Take();
    if (frame) {
      Receive(*frame);
    } else {
      if (live->ended()) world_.Disconnect(connection_);
      return;
    }
  }
}

void Client::Receive(const std::string& text) {
  auto frame = wire::ParseJson(text);
  const std::string type = TextOf(*frame, "t");
  if (type == "welcome") return OnWelcome(*frame);
  if (type == "n") return OnNotifications(*frame);
  if (type == "st") return OnChange(*frame);
  if (type == "ok" || type == "err") return OnReply(*frame);
  if (type == "ping") Send(R"({"t":"pong"})");
}

void Client::OnWelcome(JsonValue frame) {
  const std::string resume = TextOf(frame, "resume");
  const EntryId cur = IdOf(frame, "cur");
  const bool goes_on = state_.cursor && (resume == "ok" || resume == "gap");
  if (!goes_on) {
    state_ = {};
    state_.base = cur;
  }
  state_.epoch = TextOf(frame, "epoch");
  state_.cursor = cur;
  welcomed_ = true;
  for (const auto& [i, mark] : unanswered_) Send(mark);
}

void Client::OnNotifications(JsonValue frame) {
  if (wire::Find(frame, "prev")->is_null()) {  // shown at once, and taken into the state in its order
    for (wire::ElementReader e(*wire::Find(frame, "items")); e.Next();) early_.insert(TextOf(e.value(), "nid"));
    return;
  }
  REQUIRE(state_.cursor == IdOf(frame, "prev"), "prev is not where the client stands");
  for (wire::ElementReader e(*wire::Find(frame, "items")); e.Next();) {
    const std::string state = TextOf(e.value(), "state");
    const int level = state == "unread" ? 0 : state == "seen" ? 1 : state == "read" ? 2 : 3;
    const bool is_new = state_.items.try_emplace(IdOf(e.value(), "id"), Item{TextOf(e.value(), "nid"), level}).second;
    REQUIRE(is_new, "an item that the client has: " + std::string(e.value().raw));
    if (auto replaces = wire::Find(e.value(), "replaces")) {
      for (wire::ElementReader r(*replaces); r.Next();) {
        std::erase_if(state_.items, [&](const auto& known) { return known.second.nid == wire::Text(r.value()); });
      }
    }
  }
  state_.cursor = IdOf(frame, "cur");
}

void Client::OnChange(JsonValue frame) {
  REQUIRE(state_.cursor == IdOf(frame, "prev"), "prev is not where the client stands");
  const std::string name = TextOf(frame, "op");
  const model::MarkOp op = name == "expire" ? model::MarkOp::kExpire : *model::ParseMarkOp(name);
  std::optional<EntryId> upto;
  std::set<std::string> nids;
  if (wire::Find(frame, "upto")) {
    upto = IdOf(frame, "upto");
  } else {
    for (wire::ElementReader e(*wire::Find(frame, "ids")); e.Next();) nids.insert(wire::Text(e.value()));
  }
  for (auto at = state_.items.begin(); at != state_.items.end();) {
    const bool meant = upto ? at->first <= *upto : nids.contains(at->second.nid);
    if (meant) at->second.state = ReferenceLog::Moved(op, at->second.state);
    at = at->second.state < 0 ? state_.items.erase(at) : std::next(at);
  }
  state_.cursor = IdOf(frame, "cur");
}

void Client::OnReply(JsonValue frame) {
  const int64_t i = NumberOf(frame, "i");
  if (TextOf(frame, "t") == "err") {
    world_.tally().Add("err " + TextOf(frame, "code"));
    auto mark = unanswered_.find(i);
    if (mark != unanswered_.end()) Send(std::string(mark->second));
    return;
  }
  unanswered_.erase(i);
}

void Client::Ack() {
  if (welcomed_ && !early_.empty() && world_.Chance(50)) connection()->AckEarly(std::exchange(early_, {}));
  if (welcomed_ && state_.cursor) connection()->Ack(*state_.cursor);
}

// A receipt for what was not sent, or long ago.
void Client::ForgeAck() {
  if (!welcomed_) return;
  const EntryId head = world_.user(user_).log.last;
  const EntryId forged[] = {EntryId::Max(), head, {head.ms, head.seq + 1}, {head.ms / 2, 0}, {}};
  connection()->Ack(forged[world_.random().Below(std::size(forged))]);
}

void Client::Mark() {
  if (!welcomed_) return;
  base::Random& random = world_.random();
  const auto op = static_cast<model::MarkOp>(random.Below(model::kUserMarkOps));
  const int64_t i = next_i_++;
  std::string frame = R"({"t":"mark","i":)" + std::to_string(i) + R"(,"op":")";
  frame.append(model::MarkOpName(op)).append("\",");
  if (world_.Chance(25) && !(op == model::MarkOp::kDelete && world_.Chance(80))) {
    EntryId upto = *state_.cursor;
    if (world_.Chance(30) && !state_.items.empty()) upto = state_.items.begin()->first;
    if (world_.Chance(10)) upto = EntryId::Max();
    frame += R"("ch":"","upto":")" + upto.ToString() + "\"";
  } else {
    frame += R"("ids":["no-such-nid")";
    for (const auto& [id, item] : state_.items) {
      if (random.Below(state_.items.size() + 1) < 3) frame += ",\"" + item.nid + "\"";
    }
    frame += "]";
  }
  const bool safe = world_.Chance(60);
  if (safe) frame += R"(,"mid":"m)" + std::to_string(random.Below(1'000'000'000)) + "\"";
  frame += "}";
  if (safe) unanswered_[i] = frame;
  Send(frame);
  if (safe && world_.Chance(5)) Send(frame);  // impatient
}

void Client::List() {
  if (!welcomed_) return;
  static constexpr const char* kFilters[] = {"inbox", "unread", "archived", "all"};
  Send(R"({"t":"list","i":)" + std::to_string(next_i_++) + R"(,"limit":)" +
       std::to_string(1 + world_.random().Below(20)) + R"(,"filter":")" + kFilters[world_.random().Below(4)] + "\"}");
}

void Client::CompareWith(const ReferenceLog& log) const {
  REQUIRE(state_.cursor == log.last, "the client stands at " + state_.cursor.value_or(EntryId{}).ToString());
  const EntryId from = std::max(state_.base, log.floor);
  auto mine = state_.items.upper_bound(from);
  for (auto real = log.entries.upper_bound(from); real != log.entries.end(); ++real) {
    if (!real->second) continue;
    REQUIRE(mine != state_.items.end() && mine->first == real->first, "item " + real->first.ToString() + " is missing");
    REQUIRE(mine->second.nid == real->second->nid, mine->second.nid + " is not " + real->second->nid);
    REQUIRE(mine->second.state == real->second->state, "the state of " + mine->second.nid);
    ++mine;
  }
  REQUIRE(mine == state_.items.end(), "item " + mine->first.ToString() + " should be gone");
}

}  // namespace tocsin::tests
