// For tests: a host that writes down what its session does, and a session with it.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "session/session.h"

namespace tocsin::session {

using base::Code;
using base::Status;
using logs::Counts;
using logs::LogEntry;
using logs::LogEntryPtr;
using logs::LogHead;
using logs::LogLine;
using logs::LogPiece;
using model::EntryId;

inline constexpr int64_t kWall = 1'700'000'000'000;
inline const std::string kEpoch = "0123456789abcdef";

inline LogEntryPtr Item(uint64_t id) {
  auto entry = std::make_shared<LogEntry>();
  entry->id = {id, 0};
  entry->nid = "n" + std::to_string(id);
  entry->json = "\"nid\":\"" + entry->nid + "\"";
  return entry;
}

inline LogEntryPtr Urgent(uint64_t id, model::Priority priority = model::Priority::kCritical) {
  auto entry = std::make_shared<LogEntry>(*Item(id));
  entry->priority = priority;
  return entry;
}

inline LogEntryPtr Change(uint64_t id, model::MarkOp op, std::vector<std::string> nids,
                          std::optional<EntryId> upto = std::nullopt, std::string by = "web") {
  auto entry = std::make_shared<LogEntry>();
  entry->id = {id, 0};
  entry->change = logs::StateChange{op, std::move(nids), upto, std::move(by), {2, 1, {0, 2, 0, 0}}};
  return entry;
}

inline std::string ItemJson(uint64_t id, std::string_view state = "unread") {
  const std::string n = std::to_string(id);
  return "{\"id\":\"" + n + "-0\",\"nid\":\"n" + n + "\",\"state\":\"" + std::string(state) + "\"}";
}

// `n` with the items from `first` to `last`.
inline std::string Frame(uint64_t prev, uint64_t first, uint64_t last, std::string_view more = "") {
  std::string items;
  for (uint64_t id = first; id <= last; ++id) items += (id > first ? "," : "") + ItemJson(id);
  return "{\"t\":\"n\",\"prev\":\"" + std::to_string(prev) + "-0\",\"cur\":\"" + std::to_string(last) +
         "-0\",\"items\":[" + items + "]" + std::string(more) + "}";
}
inline constexpr std::string_view kMore = ",\"more\":true";

inline std::string Error(std::string_view i, std::string_view code, std::string_view message, std::string_view retry) {
  std::string frame = R"({"t":"err","i":)";
  frame.append(i).append(R"(,"code":")").append(code).append(R"(","msg":")").append(message);
  frame.append(R"(","retry":)").append(retry).append(R"(,"doc":"/docs/errors#)").append(code).append("\"}");
  return frame;
}

// Says what the session did, in order; answers what it was told to.
class ScriptedHost final : public SessionHost {
 public:
  std::vector<std::string> said;  // frames, and "end CODE MESSAGE"
  std::vector<std::optional<EntryId>> curs;
  std::vector<std::string> asked;  // "open ...", "read ...", ...
  bool congested = false;
  int64_t now_ms = kWall;
  std::vector<std::pair<std::string, logs::MarkRequest>> marks;
  std::map<std::string, ChannelNumber> numbers;  // of the topics that were opened
  std::vector<std::string> closed;               // logs

  void Send(std::string_view frame, std::optional<EntryId> cur) override {
    said.emplace_back(frame);
    curs.push_back(cur);
  }
  int64_t NowMs() const override { return now_ms; }
  bool Congested() const override { return congested; }
  void End(CloseCode code, std::string_view message) override {
    said.push_back("end " + std::to_string(static_cast<int>(code)) + " " + std::string(message));
  }
  base::Result<auth::Identity> Verify(std::string_view token) override {
    if (token == "bad") return Status(Code::kUnauthenticated, "the token's signature is wrong");
    if (token == "old") return Status(Code::kExpired, "the token has expired");
    auth::Identity identity;
    const size_t colon = token.find(':'), bar = token.find('|');  // user:life in ms|topic|topic
    identity.user = token.substr(0, std::min(colon, bar));
    identity.expires_ms =
        colon == token.npos ? kWall + 3'600'000 : kWall + std::stoll(std::string(token.substr(colon + 1)));
    identity.topics.limited = bar != token.npos;
    while (token.find('|') != token.npos) {
      token.remove_prefix(token.find('|') + 1);
      identity.topics.patterns.emplace_back(token.substr(0, token.find('|')));
    }
    return identity;
  }
  void OpenLog(const std::string& user, const std::string& device) override {
    asked.push_back("open " + user + " " + device);
  }
  void OpenTopic(ChannelNumber channel, const std::string& topic) override {
    asked.push_back("topic " + topic);
    numbers[topic] = channel;
  }
  void LoadTopics() override { asked.push_back("topics"); }
  void TallyTopic(ChannelNumber, const std::string& topic) override { asked.push_back("tally " + topic); }
  void StoreTopicMark(std::string i, logs::MarkRequest request, const std::string& topic, EntryId from) override {
    asked.push_back("mark " + i + " of " + topic + " from " + from.ToString());
    marks.emplace_back(std::move(i), std::move(request));
  }
  void CloseLog(logs::LiveLog& log) override { closed.push_back(log.user()); }
  void ReadLog(ChannelNumber channel, const logs::LiveLog& log, EntryId after, size_t max_entries, size_t) override {
    const std::string of = channel == kOwnChannel ? "" : log.user() + " ";
    asked.push_back("read " + of + after.ToString() + " " + std::to_string(max_entries));
  }
  void ListLog(std::string i, EntryId before, size_t limit, logs::ListFilter filter) override {
    asked.push_back("list " + i + " " + (before == EntryId::Max() ? "max" : before.ToString()) + " " +
                    std::to_string(limit) + " " + std::to_string(static_cast<int>(filter)));
  }
  void ListUrgent(ChannelNumber, const logs::LiveLog&, size_t limit) override {
    asked.push_back("urgent " + std::to_string(limit));
  }
  void StoreReceipt(const std::string& topic, EntryId cursor) override {
    asked.push_back("receipt " + (topic.empty() ? "" : topic + " ") + cursor.ToString());
  }
  void StoreMark(std::string i, logs::MarkRequest request) override {
    asked.push_back("mark " + i);
    marks.emplace_back(std::move(i), std::move(request));
  }
};

class SessionTest : public testing::Test {
 protected:
  SessionTest() { Start({.sid = "s1", .header_token = {}}); }

  void Start(SessionOptions options) {
    session_.reset();
    host_ = ScriptedHost();
    session_ = std::make_unique<Session>(host_, std::move(options), now());
  }
  // Opens the log with that head.
  void SetHead(uint64_t last, uint64_t floor = 0, Counts counts = {}) {
    head_.last = {last, 0};
    head_.floor = {floor, 0};
    head_.counts = counts;
    log_.Open(head_);
  }
  void Say(std::string_view frame) { session_->OnMessage(frame, now()); }
  void AnswerOpening(std::optional<EntryId> device_cursor = std::nullopt) {
    session_->OnLogOpened(&log_, logs::LogOpening{head_, device_cursor, std::string(kEpoch), lost_}, now());
  }
  // A session that has been welcomed, the welcome forgotten.
  void GoLive(std::string_view members = "", std::optional<EntryId> device_cursor = std::nullopt) {
    Say("{\"t\":\"hello\",\"tok\":\"ann\"" + std::string(members) + "}");
    AnswerOpening(device_cursor);
    ASSERT_TRUE(session_->live());
    host_.said.erase(host_.said.begin());
    host_.asked.clear();
  }
  void Append(std::vector<LogEntryPtr> entries, uint64_t floor = 0) {
    log_.Apply({"ann", std::move(entries), {floor, 0}, {9, 9, {}}});
    Advance();
  }
  // What LiveLogs tells of the log.
  void Advance() {
    for (logs::LogFollower* follower : log_.followers()) follower->OnLogAdvanced();
  }
  void Lose() {
    for (logs::LogFollower* follower : log_.followers()) follower->OnLogLost();
  }
  void AnswerRead(std::vector<LogEntryPtr> entries, bool complete, bool gap = false) {
    LogPiece piece;
    for (LogEntryPtr& entry : entries) piece.lines.push_back({std::move(entry), logs::ItemState::kUnread});
    piece.complete = complete;
    piece.gap = gap;
    piece.lost = lost_;
    session_->OnLogRead(kOwnChannel, piece);
  }
  // What the session has sent since the last time.
  std::vector<std::string> Said() { return std::exchange(host_.said, {}); }
  std::vector<std::string> Asked() { return std::exchange(host_.asked, {}); }
  std::string Welcome(std::string_view cur, std::string_view resume) const {
    return "{\"t\":\"welcome\",\"sid\":\"s1\",\"user\":\"ann\",\"epoch\":\"" + kEpoch + "\",\"head\":\"" +
           head_.last.ToString() + "\",\"floor\":\"" + head_.floor.ToString() + "\",\"cur\":\"" + std::string(cur) +
           "\",\"resume\":\"" + std::string(resume) + "\",\"ping\":25,\"ttl\":3600,\"counts\":{\"at\":\"" +
           head_.last.ToString() +
           "\",\"unread\":0,\"unseen\":0,\"by_priority\":{\"low\":0,\"normal\":0,\"high\":0,\"critical\":0},\"by_"
           "category\":{}},\"now\":" +
           std::to_string(kWall) + "}";
  }
  Moment now() const { return {wall_ms_, monotonic_ms_}; }
  void Pass(int64_t ms) {
    wall_ms_ += ms;
    monotonic_ms_ += ms;
    session_->OnTick(now());
  }

  int64_t wall_ms_ = kWall, monotonic_ms_ = 5'000;
  ScriptedHost host_;
  logs::LiveLog log_{"ann"};
  LogHead head_;
  EntryId lost_;  // of the next opening or read
  std::unique_ptr<Session> session_;
};

using Strings = std::vector<std::string>;

}  // namespace tocsin::session
