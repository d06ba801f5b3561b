#include "session/server_frame.h"

#include "model/limits.h"
#include "wire/json.h"

namespace tocsin::session {
namespace {

using logs::Counts;
using logs::LogLine;
using model::EntryId;
using wire::AppendJsonNumber;
using wire::AppendJsonString;

void Id(std::string& out, std::string_view name, EntryId id) {
  out.append(name).push_back('"');
  id.AppendTo(out);
  out.push_back('"');
}

void Number(std::string& out, std::string_view name, int64_t value) {
  out += name;
  AppendJsonNumber(out, value);
}

void String(std::string& out, std::string_view name, std::string_view value) {
  out += name;
  AppendJsonString(out, value);
}

void Strings(std::string& out, std::string_view name, const std::vector<std::string>& values) {
  out.append(name).push_back('[');
  for (const std::string& value : values) {
    if (out.back() != '[') out.push_back(',');
    AppendJsonString(out, value);
  }
  out.push_back(']');
}

// All but the id, and the end.
void ItemMembers(std::string& out, const LogLine& line) {
  out += line.entry->json;
  out.append(",\"state\":\"").append(logs::ItemStateName(line.state)).append("\"");
  if (!line.entry->traits.replaces.empty()) Strings(out, ",\"replaces\":", line.entry->traits.replaces);
  out.push_back('}');
}

void Items(std::string& out, std::span<const LogLine> lines) {
  out += ",\"items\":[";
  for (size_t i = 0; i < lines.size(); ++i) {
    if (i > 0) out.push_back(',');
    AppendItem(out, lines[i]);
  }
  out.push_back(']');
}

void ReplyStart(std::string& out, std::string_view type, std::string_view i) {
  out.append("{\"t\":\"").append(type).append("\"");
  if (!i.empty()) out.append(",\"i\":").append(i);
}

constexpr std::string_view kResumeNames[] = {"ok", "gap", "reset", "fresh"};

std::string_view ResumeName(const ChannelStart& start) { return kResumeNames[static_cast<size_t>(start.resume)]; }

// `t` and, of a topic, `ch`.
void FrameStart(std::string& out, std::string_view type, std::string_view topic) {
  out.append("{\"t\":\"").append(type).append("\"");
  if (!topic.empty()) String(out, ",\"ch\":", topic);
}

void ChannelMembers(std::string& out, const ChannelStart& start) {
  Id(out, ",\"head\":", start.head);
  Id(out, ",\"floor\":", start.floor);
  Id(out, ",\"cur\":", start.cur);
  String(out, ",\"resume\":", ResumeName(start));
}

void RefusalMembers(std::string& out, const Refusal& refusal) {
  String(out, "\"code\":", refusal.code);
  String(out, ",\"msg\":", refusal.message);
}

// The members of ChannelMembers, each as a map by channel; and `refused`, if anything was.
void ChannelMaps(std::string& out, const Welcome& welcome) {
  const auto map = [&](std::string_view name, auto append) {
    out += name;
    append(welcome.own);
    for (const ChannelStart& start : welcome.topics) {
      out.push_back(',');
      append(start);
    }
    out.push_back('}');
  };
  const auto of = [&out](const ChannelStart& start) {
    AppendJsonString(out, start.topic);
    return std::string_view(":");
  };
  map(",\"head\":{", [&](const ChannelStart& start) { Id(out, of(start), start.head); });
  map(",\"floor\":{", [&](const ChannelStart& start) { Id(out, of(start), start.floor); });
  map(",\"cur\":{", [&](const ChannelStart& start) { Id(out, of(start), start.cur); });
  map(",\"resume\":{", [&](const ChannelStart& start) { String(out, of(start), ResumeName(start)); });
  if (welcome.refused.empty()) return;
  out += ",\"refused\":{";
  for (const Refusal& refusal : welcome.refused) {
    if (out.back() != '{') out.push_back(',');
    String(out, "", refusal.topic);
    out += ":{";
    RefusalMembers(out, refusal);
    out.push_back('}');
  }
  out.push_back('}');
}

}  // namespace

std::string_view Explain(CloseCode code) {
  switch (code) {
    case CloseCode::kBadToken:
      return "the token is not valid";
    case CloseCode::kRevoked:
      return "the user's tokens were revoked";
    case CloseCode::kProtocol:
      return "a frame broke the protocol";
    case CloseCode::kOrigin:
      return "this origin is not allowed";
    case CloseCode::kOverload:
      return "the server is overloaded";
    case CloseCode::kSlow:
      return "the client reads too slowly";
    case CloseCode::kDrain:
      return "the server is going away";
    case CloseCode::kNoPong:
      return "no frame came after a ping";
    case CloseCode::kLogLost:
      return "the store has lost entries of the log";
    case CloseCode::kExpired:
      return "the token has expired";
  }
  return "closed";
}

void AppendWelcome(std::string& out, const Welcome& welcome) {
  String(out, "{\"t\":\"welcome\",\"sid\":", welcome.sid);
  String(out, ",\"user\":", welcome.user);
  String(out, ",\"epoch\":", welcome.epoch);
  if (welcome.knows_topics) {
    ChannelMaps(out, welcome);
  } else {
    ChannelMembers(out, welcome.own);
  }
  Number(out, ",\"ping\":", model::kPingMs / 1000);
  Number(out, ",\"ttl\":", welcome.ttl_s);
  out += ",\"counts\":";
  AppendCounts(out, welcome.own.head, welcome.own.counts);
  Number(out, ",\"now\":", welcome.now_ms);
  out.push_back('}');
}

void AppendItem(std::string& out, const LogLine& line) {
  Id(out, "{\"id\":", line.entry->id);
  out.push_back(',');
  ItemMembers(out, line);
}

void AppendNotifications(std::string& out, std::string_view topic, EntryId prev, EntryId cur,
                         std::span<const LogLine> lines, bool more) {
  FrameStart(out, "n", topic);
  Id(out, ",\"prev\":", prev);
  Id(out, ",\"cur\":", cur);
  Items(out, lines);
  if (more) out += ",\"more\":true";
  out.push_back('}');
}

void AppendEarlyCopies(std::string& out, std::string_view topic, EntryId cur, std::span<const LogLine> lines) {
  FrameStart(out, "n", topic);
  Id(out, ",\"prev\":null,\"cur\":", cur);
  out += ",\"items\":[";
  for (const LogLine& line : lines) {
    if (out.back() != '[') out.push_back(',');
    out.push_back('{');
    ItemMembers(out, line);
  }
  out += "]}";
}

void AppendStateChange(std::string& out, std::string_view topic, EntryId prev, const logs::LogEntry& entry,
                       const Counts* counts) {
  const logs::StateChange& change = *entry.change;
  FrameStart(out, "st", topic);
  Id(out, ",\"id\":", entry.id);
  Id(out, ",\"prev\":", prev);
  Id(out, ",\"cur\":", entry.id);
  String(out, ",\"op\":", model::MarkOpName(change.op));
  if (!change.topic.empty()) String(out, ",\"of\":", change.topic);
  if (change.upto) {
    Id(out, ",\"upto\":", *change.upto);
  } else {
    Strings(out, ",\"ids\":", change.nids);
  }
  if (!change.by.empty()) String(out, ",\"by\":", change.by);
  if (counts != nullptr) {
    out += ",\"counts\":";
    AppendCounts(out, entry.id, *counts);
  }
  out.push_back('}');
}

void AppendCounts(std::string& out, EntryId at, const Counts& counts) {
  Id(out, "{\"at\":", at);
  Number(out, ",\"unread\":", counts.unread);
  Number(out, ",\"unseen\":", counts.unseen);
  out += ",\"by_priority\":{";
  for (size_t i = 0; i < model::kPriorities; ++i) {
    if (i > 0) out.push_back(',');
    out.append("\"").append(model::PriorityName(static_cast<model::Priority>(i))).append("\":");
    AppendJsonNumber(out, int64_t{counts.unread_by_priority[i]});
  }
  out += "},\"by_category\":{";
  for (const auto& [category, unread] : counts.unread_by_category) {
    if (out.back() != '{') out.push_back(',');
    AppendJsonString(out, category);
    out.push_back(':');
    AppendJsonNumber(out, int64_t{unread});
  }
  out += "}}";
}

void AppendOkCounts(std::string& out, std::string_view i, EntryId at, const Counts& counts) {
  ReplyStart(out, "ok", i);
  out += ",\"counts\":";
  AppendCounts(out, at, counts);
  out.push_back('}');
}

void AppendOkTopics(std::string& out, std::string_view i, std::span<const ChannelStart> started,
                    std::span<const Refusal> refused) {
  ReplyStart(out, "ok", i);
  out += ",\"topics\":{";
  const auto member = [&out](std::string_view topic) {
    if (out.back() != '{') out.push_back(',');
    AppendJsonString(out, topic);
    out += ":{";
  };
  for (const ChannelStart& start : started) {
    member(start.topic);
    std::string members;
    ChannelMembers(members, start);
    out.append(members, 1).push_back('}');  // behind its comma
  }
  for (const Refusal& refusal : refused) {
    member(refusal.topic);
    RefusalMembers(out, refusal);
    out.push_back('}');
  }
  out += "}}";
}

void AppendOkEnded(std::string& out, std::string_view i, std::span<const std::string> topics) {
  ReplyStart(out, "ok", i);
  out += ",\"topics\":{";
  for (const std::string& topic : topics) {
    if (out.back() != '{') out.push_back(',');
    AppendJsonString(out, topic);
    out += ":{}";
  }
  out += "}}";
}

void AppendOkTtl(std::string& out, std::string_view i, int64_t ttl_s) {
  ReplyStart(out, "ok", i);
  Number(out, ",\"ttl\":", ttl_s);
  out.push_back('}');
}

void AppendOkPage(std::string& out, std::string_view i, const logs::ListPage& page, EntryId at, const Counts& counts) {
  ReplyStart(out, "ok", i);
  Items(out, page.lines);
  if (page.before) Id(out, ",\"before\":", *page.before);
  out += ",\"counts\":";
  AppendCounts(out, at, counts);
  out.push_back('}');
}

void AppendError(std::string& out, std::string_view i, std::string_view code, std::string_view message, Retry retry) {
  ReplyStart(out, "err", i);
  String(out, ",\"code\":", code);
  String(out, ",\"msg\":", message);
  out.append(",\"retry\":").append(retry == Retry::kLater ? "true" : "false");
  out.append(",\"doc\":\"/docs/errors#").append(code).append("\"}");
}

void AppendEnd(std::string& out, const Refusal& ended) {
  FrameStart(out, "end", ended.topic);
  out.push_back(',');
  RefusalMembers(out, ended);
  out.push_back('}');
}

void AppendPing(std::string& out, int64_t now_ms) {
  Number(out, "{\"t\":\"ping\",\"ts\":", now_ms);
  out.push_back('}');
}

void AppendWarn(std::string& out, std::string_view what, int64_t in_ms) {
  String(out, "{\"t\":\"warn\",\"what\":", what);
  Number(out, ",\"in_ms\":", in_ms);
  out.push_back('}');
}

void AppendBye(std::string& out, CloseCode code, std::string_view message, int64_t after_ms) {
  Number(out, "{\"t\":\"bye\",\"code\":", static_cast<int64_t>(code));
  String(out, ",\"msg\":", message.empty() ? Explain(code) : message);
  if (after_ms >= 0) Number(out, ",\"after_ms\":", after_ms);
  out.push_back('}');
}

}  // namespace tocsin::session
