#include "server/inbox_client.h"

#include <algorithm>
#include <ctime>

namespace tocsin::server {
namespace {

using base::Code;
using base::Result;
using base::Status;
using model::EntryId;
using wire::JsonValue;

constexpr size_t kSeenNids = 4'096;
constexpr int64_t kBackoffMs = 500;
constexpr int64_t kMaxBackoffMs = 30'000;
constexpr int64_t kOverloadMs = 5'000;

Status Malformed(std::string_view what) {
  return Status(Code::kInvalidArgument, "the server sent " + std::string(what));
}

std::string TextOf(JsonValue object, std::string_view name) {
  std::optional<JsonValue> value = wire::Find(object, name);
  return value && value->is_string() ? wire::Text(*value) : std::string();
}

int64_t NumberOf(JsonValue object, std::string_view name, int64_t absent) {
  std::optional<JsonValue> value = wire::Find(object, name);
  std::optional<int64_t> number = value ? wire::Integer(*value) : std::nullopt;
  return number.value_or(absent);
}

std::optional<EntryId> IdOf(JsonValue object, std::string_view name) { return EntryId::Parse(TextOf(object, name)); }

// "14:03:12", in local time
std::string ClockText(int64_t ms) {
  std::time_t seconds = static_cast<std::time_t>(ms / 1000);
  std::tm parts{};
  char text[32] = "--:--:--";
  if (localtime_r(&seconds, &parts) != nullptr) std::strftime(text, sizeof text, "%H:%M:%S", &parts);
  return text;
}

std::string Painted(InboxFormat format, std::string_view colour, const std::string& text) {
  if (format.colour == InboxFormat::Colour::kOff || text.empty()) return text;
  return "\x1b[" + std::string(colour) + "m" + text + "\x1b[0m";
}

std::string ReadableLine(JsonValue notification, InboxFormat format) {
  std::string line = Painted(format, "2", ClockText(NumberOf(notification, "ts", 0))) + "  ";
  std::string priority = TextOf(notification, "prio");
  if (priority == "critical") line += Painted(format, "1;31", "CRITICAL") + "  ";
  if (priority == "high") line += Painted(format, "33", "HIGH") + "  ";
  std::string title = Printable(TextOf(notification, "title"));
  if (!title.empty()) line += Painted(format, "1", title) + ": ";
  line += Printable(TextOf(notification, "body"));
  std::string url = Printable(TextOf(notification, "url"));
  if (!url.empty()) line += "  <" + url + ">";
  if (std::string state = TextOf(notification, "state"); !state.empty() && state != "unread") {
    line += Painted(format, "2", "  (" + Printable(state) + ")");
  }
  return line + "\n";
}

}  // namespace

std::string Printable(std::string_view text) {
  std::string shown;
  for (size_t i = 0; i < text.size(); ++i) {
    auto byte = static_cast<unsigned char>(text[i]);
    bool c1 = byte == 0xc2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xa0;
    if (byte < 0x20 || byte == 0x7f || c1) {
      shown += ' ';
      if (c1) ++i;
    } else {
      shown += text[i];
    }
  }
  return shown;
}

std::string InboxClient::Hello(std::string_view token) {
  welcomed_ = false;
  moved_ = false;
  unacked_ = 0;
  early_.clear();
  farewell_ = {};
  std::string frame = R"({"t":"hello","tok":)";
  wire::AppendJsonString(frame, token);
  if (!device_.empty()) {
    frame += ",\"dev\":";
    wire::AppendJsonString(frame, device_);
  }
  if (cursor_) {
    frame += ",\"epoch\":";
    wire::AppendJsonString(frame, epoch_);
    frame += ",\"cur\":\"" + cursor_->ToString() + "\"";
  } else if (since_ == "all" || since_ == "new") {
    frame += ",\"since\":\"" + since_ + "\"";
  } else {
    frame += ",\"since\":" + since_;  // a number: Tail has checked it
  }
  return frame + "}";
}

Result<InboxStep> InboxClient::OnMessage(std::string_view text) {
  InboxStep step;
  while (!text.empty() && !step.out_of_step) {
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    if (line.find_first_not_of(" \r\t") == std::string_view::npos) continue;
    Result<JsonValue> frame = wire::ParseJson(line);
    if (!frame.ok() || !frame->is_object()) return Malformed("what is not a frame");
    RETURN_IF_ERROR(OnFrame(*frame, step));
  }
  return step;
}

Status InboxClient::OnFrame(JsonValue frame, InboxStep& step) {
  std::string type = TextOf(frame, "t");
  if (type == "welcome") return OnWelcome(frame, step);
  if (type == "n") return OnNotifications(frame, step);
  if (type == "st") return OnStateChange(frame, step);
  if (type == "ping") {
    step.reply += step.reply.empty() ? "" : "\n";
    step.reply += R"({"t":"pong"})";
  } else if (type == "bye") {
    farewell_.code = static_cast<int>(NumberOf(frame, "code", 0));
    farewell_.message = Printable(TextOf(frame, "msg"));
    farewell_.after_ms = NumberOf(frame, "after_ms", -1);
  } else if (type == "warn") {
    step.notes += "the server warns: " + Printable(TextOf(frame, "what")) + "\n";
  } else if (type == "err") {
    step.notes += "the server refused: " + Printable(TextOf(frame, "msg")) + "\n";
  }
  return base::Ok();
}

Status InboxClient::OnWelcome(JsonValue frame, InboxStep& step) {
  std::optional<EntryId> cursor = IdOf(frame, "cur");
  if (!cursor) return Malformed("a welcome without a cursor");
  std::string resume = TextOf(frame, "resume");
  if (resume == "reset") {
    step.notes += "this inbox was replaced: starting over\n";
    seen_.clear();
    seen_order_.clear();
  }
  if (resume == "gap") step.notes += "some older notifications are no longer kept\n";
  bool first = !cursor_;
  epoch_ = TextOf(frame, "epoch");
  cursor_ = cursor;
  welcomed_ = true;
  int64_t unread = 0;
  if (std::optional<JsonValue> counts = wire::Find(frame, "counts")) unread = NumberOf(*counts, "unread", 0);
  if (first) {
    step.notes += "connected as " + Printable(TextOf(frame, "user")) + ", " + std::to_string(unread) + " unread\n";
  } else {
    step.notes += "connected again\n";
  }
  return base::Ok();
}

Result<bool> InboxClient::Advance(JsonValue frame) {
  std::optional<EntryId> previous = IdOf(frame, "prev");
  std::optional<EntryId> cursor = IdOf(frame, "cur");
  if (!previous || !cursor || !welcomed_) return Malformed("a frame without `prev` and `cur`, or before the welcome");
  if (*previous != *cursor_) return false;
  moved_ = moved_ || *cursor != *cursor_;
  cursor_ = cursor;
  return true;
}

Status InboxClient::OnNotifications(JsonValue frame, InboxStep& step) {
  if (wire::Find(frame, "ch")) return base::Ok();  // a topic: none was asked for
  std::optional<JsonValue> previous = wire::Find(frame, "prev");
  bool early = !previous || previous->is_null();
  if (!early) {
    Result<bool> in_step = Advance(frame);
    if (!in_step.ok()) return in_step.status();
    step.out_of_step = !*in_step;
    if (step.out_of_step) return base::Ok();
  }
  std::optional<JsonValue> notifications = wire::Find(frame, "items");
  std::optional<EntryId> last;
  for (JsonValue each : notifications ? wire::Elements(*notifications) : std::vector<JsonValue>()) {
    if (remaining_ == 0) {  // the rest stays for the next time: the cursor ends at the last one shown
      if (!early) cursor_ = last.value_or(*cursor_);
      break;
    }
    if (early) early_.push_back(TextOf(each, "nid"));
    Show(each, step);
    ++unacked_;
    last = IdOf(each, "id");
  }
  return base::Ok();
}

Status InboxClient::OnStateChange(JsonValue frame, InboxStep& step) {
  if (wire::Find(frame, "ch")) return base::Ok();
  Result<bool> in_step = Advance(frame);
  if (!in_step.ok()) return in_step.status();
  step.out_of_step = !*in_step;
  if (step.out_of_step) return base::Ok();
  if (format_.output == Output::kJson) {
    step.print.append(frame.raw) += '\n';
    return base::Ok();
  }
  std::string what = Printable(TextOf(frame, "op"));
  if (std::optional<JsonValue> ids = wire::Find(frame, "ids")) {
    what += " " + std::to_string(wire::Elements(*ids).size());
  } else {
    what += " all up to " + Printable(TextOf(frame, "upto"));
  }
  if (std::optional<JsonValue> counts = wire::Find(frame, "counts")) {
    what += ", " + std::to_string(NumberOf(*counts, "unread", 0)) + " unread";
  }
  std::optional<EntryId> id = IdOf(frame, "cur");
  step.print += Painted(format_, "2", ClockText(static_cast<int64_t>(id ? id->ms : 0)) + "  . " + what) + "\n";
  return base::Ok();
}

void InboxClient::Show(JsonValue notification, InboxStep& step) {
  std::string nid = TextOf(notification, "nid");
  if (!nid.empty() && !IsNew(nid)) return;
  if (remaining_ > 0) --remaining_;
  if (format_.output == Output::kJson) {
    step.print.append(notification.raw) += '\n';
  } else {
    step.print += ReadableLine(notification, format_);
  }
}

bool InboxClient::IsNew(const std::string& nid) {
  if (!seen_.insert(nid).second) return false;
  seen_order_.push_back(nid);
  if (seen_order_.size() > kSeenNids) {
    seen_.erase(seen_order_.front());
    seen_order_.pop_front();
  }
  return true;
}

std::string InboxClient::TakeAck() {
  if (!welcomed_ || (!moved_ && early_.empty())) return {};
  std::string frame = R"({"t":"ack")";
  if (moved_) frame += ",\"cur\":\"" + cursor_->ToString() + "\"";
  if (!early_.empty()) {
    frame += ",\"nids\":[";
    for (const std::string& nid : early_) {
      if (!frame.ends_with('[')) frame += ',';
      wire::AppendJsonString(frame, nid);
    }
    frame += ']';
  }
  moved_ = false;
  unacked_ = 0;
  early_.clear();
  return frame + "}";
}

NextTry AfterFarewell(const Farewell& farewell, int attempt, base::Random& random) {
  int64_t ceiling = std::min(kMaxBackoffMs, kBackoffMs << std::min(attempt, 10));
  int64_t jitter = static_cast<int64_t>(random.Below(static_cast<uint64_t>(ceiling) + 1));
  int code = farewell.code;
  if (code >= 4000 && code < 4100) return {.kind = NextTry::Kind::kStop};
  if (code >= 4100 && code < 4200) {
    return {.kind = NextTry::Kind::kAgain, .wait_ms = std::max(farewell.after_ms, kOverloadMs + jitter)};
  }
  if (code >= 4200 && code < 4300 && farewell.after_ms >= 0) {
    return {.kind = NextTry::Kind::kAgain, .wait_ms = std::min<int64_t>(farewell.after_ms, 10 * kMaxBackoffMs)};
  }
  if (code >= 4300 && code < 4400) {
    return {.kind = NextTry::Kind::kAgainWithNewToken, .wait_ms = attempt == 0 ? 0 : jitter};
  }
  return {.kind = NextTry::Kind::kAgain, .wait_ms = jitter};
}

}  // namespace tocsin::server
