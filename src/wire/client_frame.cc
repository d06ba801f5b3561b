#include "wire/client_frame.h"

#include <algorithm>
#include <array>

#include "model/limits.h"
#include "model/notification.h"
#include "wire/json.h"

namespace tocsin::wire {
namespace {

using base::Code;
using base::Ok;
using base::Result;
using base::Status;
using model::EntryId;

constexpr size_t kMaxCorrelator = 64;  // bytes of JSON
constexpr size_t kMaxEpoch = 64;
constexpr size_t kMaxMarkId = 64;
constexpr size_t kMaxNid = 320;  // an entry id, `@` and the name of a stream
constexpr size_t kMaxChannel = 256;
constexpr size_t kMaxFilter = 64;
constexpr size_t kMaxBefore = 1'024;

Status Wrong(std::string_view member, std::string_view expected) {
  return Status(Code::kInvalidArgument, "`" + std::string(member) + "`: expected " + std::string(expected));
}

Status ReadString(std::string_view member, JsonValue value, size_t max, std::string& out) {
  if (value.is_string()) {
    out = Text(value);
    if (out.size() <= max) return Ok();
  }
  return Wrong(member, "a string of at most " + std::to_string(max) + " bytes");
}

Status ReadId(std::string_view member, JsonValue value, std::optional<EntryId>& out) {
  std::string scratch;
  if (value.is_string()) out = EntryId::Parse(TextView(value, scratch));
  return out ? Ok() : Wrong(member, "an entry id in quotes, `<ms>-<n>`");
}

Status ReadNids(std::string_view member, JsonValue value, std::vector<std::string>& out) {
  if (!value.is_array()) return Wrong(member, "an array of nids");
  for (ElementReader e(value); e.Next();) {
    if (out.size() == model::kMaxMarkIds) {
      return Wrong(member, "at most " + std::to_string(model::kMaxMarkIds) + " nids");
    }
    RETURN_IF_ERROR(ReadString(member, e.value(), kMaxNid, out.emplace_back()));
    if (out.back().empty()) return Wrong(member, "nids that are not empty");
  }
  return out.empty() ? Wrong(member, "at least one nid") : Ok();
}

Status ReadNumber(std::string_view member, JsonValue value, int64_t max, int& out) {
  const std::optional<int64_t> number = Integer(value);
  if (!number || *number < 1 || *number > max) {
    return Wrong(member, "a whole number from 1 to " + std::to_string(max));
  }
  out = static_cast<int>(*number);
  return Ok();
}

Status ReadCorrelator(JsonValue value, std::string& out) {
  if ((!value.is_number() && !value.is_string()) || value.raw.size() > kMaxCorrelator) {
    return Wrong("i", "a number or a string of at most 64 bytes");
  }
  out = value.raw;
  return Ok();
}

Status ReadLang(JsonValue value, std::string& out) {
  RETURN_IF_ERROR(ReadString("lang", value, model::kMaxLang, out));
  const bool tag = std::all_of(out.begin(), out.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-';
  });
  return tag ? Ok() : Wrong("lang", "a language tag such as `en` or `pt-BR`");
}

Status ReadSince(JsonValue value, Since& out) {
  std::string scratch;
  const std::string_view word = TextView(value, scratch);
  if (const std::optional<int64_t> ms = Integer(value); ms && *ms >= 0) {
    out = {Since::Kind::kTime, *ms, true};
  } else if (word == "new") {
    out = {Since::Kind::kNew, 0, true};
  } else if (word == "all") {
    out = {Since::Kind::kAll, 0, true};
  } else {
    return Wrong("since", "`new`, `all` or milliseconds since 1970");
  }
  return Ok();
}

Status ReadTopics(JsonValue value, std::vector<std::string>& out) {
  if (!value.is_array()) return Wrong("topics", "an array of topics");
  out.clear();
  for (ElementReader e(value); e.Next();) {
    if (out.size() == model::kMaxTopics) return Wrong("topics", "at most " + std::to_string(model::kMaxTopics));
    RETURN_IF_ERROR(ReadString("topics", e.value(), kMaxChannel, out.emplace_back()));
  }
  return Ok();
}

// A map of channel to cursor; `own`: that of the user's own log.
Status ReadCursors(JsonValue value, std::map<std::string, EntryId>& topics, std::optional<EntryId>& own) {
  for (MemberReader m(value); m.Next();) {
    std::optional<EntryId> id;
    RETURN_IF_ERROR(ReadId("cur", m.value(), id));
    if (m.key().empty()) {
      own = id;
    } else {
      topics.insert_or_assign(std::string(m.key()), *id);
    }
  }
  return Ok();
}

// One member of each type of frame. An unknown member is skipped.

Status Set(Hello& hello, std::string_view member, JsonValue value) {
  if (member == "tok") return ReadString(member, value, model::kMaxToken, hello.token);
  if (member == "epoch") return ReadString(member, value, kMaxEpoch, hello.epoch);
  if (member == "lang") return ReadLang(value, hello.lang);
  if (member == "since") return ReadSince(value, hello.since);
  if (member == "dev") {
    RETURN_IF_ERROR(ReadString(member, value, model::kMaxDeviceId, hello.device));
    return model::IsValidDeviceId(hello.device) ? Ok() : Wrong(member, "1 to 128 printable ASCII characters");
  }
  if (member == "cur") {
    if (!value.is_object()) return ReadId(member, value, hello.cursor);
    hello.knows_topics = true;
    return ReadCursors(value, hello.topic_cursors, hello.cursor);
  }
  if (member == "topics") {
    hello.knows_topics = true;
    return ReadTopics(value, hello.topics);
  }
  if (member == "credit") {
    const std::optional<int64_t> credit = Integer(value);
    if (!credit || *credit < 1) return Wrong(member, "a whole number of at least 1");
    hello.credit = static_cast<int>(std::min<int64_t>(*credit, model::kMaxCredit));
  }
  return Ok();
}

Status Set(Ack& ack, std::string_view member, JsonValue value) {
  if (member == "cur") return ReadId(member, value, ack.cursor);
  if (member == "ch") return ReadString(member, value, kMaxChannel, ack.channel);
  if (member == "nids") return ReadNids(member, value, ack.nids);
  return Ok();
}

// What a Mark is while it is read: whether a member was sent at all matters.
struct MarkDraft {
  Mark mark;
  bool has_op = false;
  bool has_channel = false;
};

Status Set(MarkDraft& draft, std::string_view member, JsonValue value) {
  Mark& mark = draft.mark;
  if (member == "i") return ReadCorrelator(value, mark.correlator);
  if (member == "ids") return ReadNids(member, value, mark.nids);
  if (member == "upto") return ReadId(member, value, mark.upto);
  if (member == "mid") return ReadString(member, value, kMaxMarkId, mark.mark_id);
  if (member == "ch") {
    draft.has_channel = true;
    return ReadString(member, value, kMaxChannel, mark.channel);
  }
  if (member == "op") {
    std::string scratch;
    const std::optional<MarkOp> op = model::ParseMarkOp(TextView(value, scratch));
    if (!op) return Wrong(member, "one of `read`, `unread`, `seen`, `archive`, `delete`");
    mark.op = *op;
    draft.has_op = true;
  }
  return Ok();
}

Status Set(List& list, std::string_view member, JsonValue value) {
  if (member == "i") return ReadCorrelator(value, list.correlator);
  if (member == "before") return ReadString(member, value, kMaxBefore, list.before);
  if (member == "limit") return ReadNumber(member, value, model::kMaxListLimit, list.limit);
  if (member == "filter") return ReadString(member, value, kMaxFilter, list.filter);
  return Ok();
}

Status Set(Subscribe& subscribe, std::string_view member, JsonValue value) {
  if (member == "i") return ReadCorrelator(value, subscribe.correlator);
  if (member == "topics") return ReadTopics(value, subscribe.topics);
  if (member == "since") return ReadSince(value, subscribe.since);
  if (member == "cur") {
    std::optional<EntryId> own;
    if (!value.is_object()) return Wrong(member, "a map of topic to entry id");
    return ReadCursors(value, subscribe.cursors, own);
  }
  return Ok();
}

Status Set(Unsubscribe& unsubscribe, std::string_view member, JsonValue value) {
  if (member == "i") return ReadCorrelator(value, unsubscribe.correlator);
  if (member == "topics") return ReadTopics(value, unsubscribe.topics);
  return Ok();
}

Status Set(AuthToken& auth, std::string_view member, JsonValue value) {
  if (member == "i") return ReadCorrelator(value, auth.correlator);
  if (member == "tok") return ReadString(member, value, model::kMaxToken, auth.token);
  return Ok();
}

// What a frame must have.

Status NeedsCorrelator(const std::string& correlator) {
  return correlator.empty() ? Wrong("i", "a number or a string") : Ok();
}

Status Check(const Hello&) { return Ok(); }
Status Check(const Ack& ack) {
  return ack.cursor || !ack.nids.empty() ? Ok() : Wrong("cur", "an entry id in quotes, `<ms>-<n>`");
}
Status Check(const MarkDraft& draft) {
  RETURN_IF_ERROR(NeedsCorrelator(draft.mark.correlator));
  if (!draft.has_op) return Wrong("op", "one of `read`, `unread`, `seen`, `archive`, `delete`");
  if (draft.mark.upto.has_value() != draft.mark.nids.empty()) return Wrong("ids", "either `ids` or `upto`");
  if (draft.mark.upto && !draft.has_channel) {
    return Wrong("ch", "the log that `upto` belongs to (\"\" is the user's own)");
  }
  return Ok();
}
Status Check(const List& list) { return NeedsCorrelator(list.correlator); }
Status NeedsTopics(const std::vector<std::string>& topics) {
  return topics.empty() ? Wrong("topics", "an array of 1 to " + std::to_string(model::kMaxTopics) + " topics") : Ok();
}
Status Check(const Subscribe& subscribe) {
  RETURN_IF_ERROR(NeedsCorrelator(subscribe.correlator));
  return NeedsTopics(subscribe.topics);
}
Status Check(const Unsubscribe& unsubscribe) {
  RETURN_IF_ERROR(NeedsCorrelator(unsubscribe.correlator));
  return NeedsTopics(unsubscribe.topics);
}
Status Check(const AuthToken& auth) {
  RETURN_IF_ERROR(NeedsCorrelator(auth.correlator));
  return auth.token.empty() ? Wrong("tok", "a token") : Ok();
}

template <typename Frame>
Result<ClientFrame> Read(JsonValue object) {
  Frame frame;
  for (MemberReader m(object); m.Next();) {
    if (!m.value().is_null()) RETURN_IF_ERROR(Set(frame, m.key(), m.value()));
  }
  RETURN_IF_ERROR(Check(frame));
  if constexpr (std::is_same_v<Frame, MarkDraft>) {
    return ClientFrame(std::move(frame.mark));
  } else {
    return ClientFrame(std::move(frame));
  }
}

// The acks of SDKs are nearly all of a client's frames, and written in one way.
std::optional<EntryId> PlainAck(std::string_view object) {
  constexpr std::string_view kHead = R"({"t":"ack","cur":")";
  constexpr std::string_view kTail = R"("})";
  if (!object.starts_with(kHead) || !object.ends_with(kTail) || object.size() < kHead.size() + kTail.size()) return {};
  return EntryId::Parse(object.substr(kHead.size(), object.size() - kHead.size() - kTail.size()));
}

}  // namespace

Result<ClientFrame> ParseClientFrame(std::string_view object) {
  if (const std::optional<EntryId> cursor = PlainAck(object)) return ClientFrame(Ack{cursor, {}, {}});
  const Result<JsonValue> parsed = ParseJson(object);
  if (!parsed.ok()) return parsed.status();
  if (!parsed->is_object()) return Status(Code::kInvalidArgument, "expected a JSON object");
  const std::optional<JsonValue> type = Find(*parsed, "t");
  if (!type || !type->is_string()) return Wrong("t", "the type of the frame as a string");
  std::string scratch;
  const std::string_view name = TextView(*type, scratch);
  if (name == "ack") return Read<Ack>(*parsed);
  if (name == "pong") return ClientFrame(Pong{});
  if (name == "mark") return Read<MarkDraft>(*parsed);
  if (name == "list") return Read<List>(*parsed);
  if (name == "hello") return Read<Hello>(*parsed);
  if (name == "auth") return Read<AuthToken>(*parsed);
  if (name == "sub") return Read<Subscribe>(*parsed);
  if (name == "unsub") return Read<Unsubscribe>(*parsed);
  return ClientFrame(Unknown{std::string(name)});
}

std::optional<std::string_view> ClientFrameReader::Next() {
  while (!rest_.empty()) {
    const size_t end = rest_.find('\n');
    const std::string_view line = rest_.substr(0, end);
    rest_ = end == rest_.npos ? std::string_view() : rest_.substr(end + 1);
    if (line.find_first_not_of(" \t\r") != line.npos) return line;
  }
  return std::nullopt;
}

}  // namespace tocsin::wire
