// SessionHost: where a session lives: a connection of the gateway, or a test. Answers may come at once, inside the
// call.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "auth/jwt.h"
#include "base/result.h"
#include "logs/live_log.h"
#include "logs/log_reader.h"
#include "logs/mark_request.h"
#include "logs/topic_records.h"
#include "session/close_code.h"

namespace tocsin::session {

// Names a channel of a session to its host; never used again in that session.
using ChannelNumber = uint32_t;
inline constexpr ChannelNumber kOwnChannel = 0;  // the user's own log

class SessionHost {
 public:
  virtual ~SessionHost() = default;
  // One frame, to be kept in order. `cur`: the client's cursor after it in the frame's channel (an SSE event's id), if
  // the frame moves it.
  virtual void Send(std::string_view frame, std::optional<model::EntryId> cur) = 0;
  // The wall clock, ms since 1970: what has expired by it is not sent.
  virtual int64_t NowMs() const = 0;
  // The peer does not read: the session does not pull until OnWritable(). Replies are sent all the same, so the host
  // takes no more messages of the peer while it is congested.
  virtual bool Congested() const = 0;
  // `bye` was sent; close with that code.
  virtual void End(CloseCode code, std::string_view message) = 0;

  virtual base::Result<auth::Identity> Verify(std::string_view token) = 0;
  // Answered by OnLogOpened, on the user's home Core.
  virtual void OpenLog(const std::string& user, const std::string& device) = 0;
  // Answered by OnTopicOpened; on the user's home Core, as all that follows.
  virtual void OpenTopic(ChannelNumber channel, const std::string& topic) = 0;
  // Answered by OnTopicsLoaded: what the user follows, and where the session's device stands.
  virtual void LoadTopics() = 0;
  // Answered by OnTopicTallied: the newest items of the topic and what the user has done with them.
  virtual void TallyTopic(ChannelNumber channel, const std::string& topic) = 0;
  // The session has left that log. Not from inside a call of the log.
  virtual void CloseLog(logs::LiveLog& log) = 0;
  // Answered by OnLogRead.
  virtual void ReadLog(ChannelNumber channel, const logs::LiveLog& log, model::EntryId after, size_t max_entries,
                       size_t max_bytes) = 0;
  // Answered by OnListed with the same `i`.
  virtual void ListLog(std::string i, model::EntryId before, size_t limit, logs::ListFilter filter) = 0;
  // Answered by OnUrgent: the newest urgent items that are not read.
  virtual void ListUrgent(ChannelNumber channel, const logs::LiveLog& log, size_t limit) = 0;
  // A device's receipt, on its way to the store. `topic`: empty for the user's own log.
  virtual void StoreReceipt(const std::string& topic, model::EntryId cursor) = 0;
  // Answered by OnMarked with the same `i`, after the sync.
  virtual void StoreMark(std::string i, logs::MarkRequest request) = 0;
  // The same of items of a topic, those above `counted_from` counting for the user.
  virtual void StoreTopicMark(std::string i, logs::MarkRequest request, const std::string& topic,
                              model::EntryId counted_from) = 0;
};

}  // namespace tocsin::session
