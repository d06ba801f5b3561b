// What a client says over the WebSocket (docs: protocol, section 1): a text message holds one or more JSON objects
// separated by `\n`; `t` is the type.
//
// 1. Unknown types are handed out as Unknown and unknown members are skipped: an older server understands a newer
// client.
// 2. A known member of the wrong type or beyond its bound is an error that names it; `null` counts as not sent.
// 3. `i` only correlates. It is kept as the JSON the client wrote (a number or a string), to be sent back as it is.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"
#include "model/entry_id.h"
#include "model/mark.h"

namespace tocsin::wire {

// Where a device without a cursor starts.
struct Since {
  enum class Kind : uint8_t { kAll, kNew, kTime };
  Kind kind = Kind::kAll;
  int64_t ms = 0;      // kTime: entries of this time and later, milliseconds since 1970
  bool given = false;  // else kAll is only the default
};

struct Hello {
  std::string token;  // empty: not sent (it may have come in the Authorization header)
  std::string device;
  std::string epoch;
  std::optional<model::EntryId> cursor;  // of the user's own log; of a map the member ""
  std::string lang;
  int credit = 0;  // 0: not sent; otherwise 1 to kMaxCredit (more is cut to it)
  Since since;
  // It has `topics`, or its `cur` is a map: the client knows what to do with channels.
  bool knows_topics = false;
  std::vector<std::string> topics;                      // at most kMaxTopics; any text
  std::map<std::string, model::EntryId> topic_cursors;  // of `cur`; any text
};

// Has a cursor or nids, or both.
struct Ack {
  std::optional<model::EntryId> cursor;
  std::string channel;  // empty: the user's own log; otherwise a topic
  std::vector<std::string> nids;
};

using model::MarkOp;

// Has nids (1 to kMaxMarkIds) or `upto`, never both.
struct Mark {
  std::string correlator;
  MarkOp op = MarkOp::kRead;
  std::vector<std::string> nids;
  std::optional<model::EntryId> upto;  // an entry id of the log `channel`
  std::string channel;                 // sent with every `upto`; empty: the user's own log
  std::string mark_id;                 // `mid`; empty: not sent
};

struct List {
  std::string correlator;
  std::string before;  // opaque; empty: from the newest
  int limit = 0;       // 0: not sent; otherwise 1 to kMaxListLimit
  std::string filter;  // empty: not sent
};

// At most kMaxTopics topics; any text.
struct Subscribe {
  std::string correlator;
  std::vector<std::string> topics;
  std::map<std::string, model::EntryId> cursors;  // `cur`, a map
  Since since;
};
struct Unsubscribe {
  std::string correlator;
  std::vector<std::string> topics;
};

struct AuthToken {
  std::string correlator;
  std::string token;
};

struct Pong {};

// A type that this server does not know; to be ignored.
struct Unknown {
  std::string type;
};

using ClientFrame = std::variant<Hello, Ack, Mark, List, AuthToken, Subscribe, Unsubscribe, Pong, Unknown>;

// One object. kInvalidArgument, with a message that names the member, where it is not one.
base::Result<ClientFrame> ParseClientFrame(std::string_view object);

// Takes the objects of one message in order; blank lines are skipped. `text` must outlive the reader.
//   for (ClientFrameReader r(text); std::optional<std::string_view> object = r.Next();) ParseClientFrame(*object) ...
class ClientFrameReader {
 public:
  explicit ClientFrameReader(std::string_view text) : rest_(text) {}
  std::optional<std::string_view> Next();

 private:
  std::string_view rest_;
};

}  // namespace tocsin::wire
