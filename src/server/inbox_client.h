// InboxClient: the client's side of the protocol `tocsin.v1` for `tocsin tail`, without a socket. It is given what the
// server sends and says what to print and what to answer.
//
// 1. Nothing is skipped: a frame is applied only if its `prev` is the cursor. Otherwise the caller reconnects, and the
//    next hello takes up at the cursor.
// 2. Nothing is printed twice: what comes again (an early copy, a repeat after a cut) is dropped by its `nid`.
// 3. An ack names only what was handed out for printing, and the caller sends it after it has printed.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "base/random.h"
#include "model/entry_id.h"
#include "server/commands.h"
#include "wire/json.h"

namespace tocsin::server {

// How `tocsin tail` shows things: text of strangers is shown without control characters, which a terminal would obey.
struct InboxFormat {
  Output output = Output::kReadable;
  enum class Colour : uint8_t { kOff, kOn } colour = Colour::kOff;
};

// What one message asks for.
struct InboxStep {
  std::string print{};       // for standard output
  std::string notes{};       // for standard error: what happened to the connection
  std::string reply{};       // frames to send now; empty: none
  int64_t shown = 0;         // notifications in `print`
  bool out_of_step = false;  // the server and we disagree about the cursor: reconnect
};

// How a connection ended, as far as it was said.
struct Farewell {
  int code = 0;  // close code; 0: it was cut
  std::string message{};
  int64_t after_ms = -1;  // -1: not said
};

class InboxClient {
 public:
  // `limit`: notifications to hand out; after the last one the cursor stays there. 0: no limit.
  InboxClient(std::string device, std::string since, InboxFormat format, int64_t limit = 0)
      : device_(std::move(device)), since_(std::move(since)), format_(format), remaining_(limit > 0 ? limit : -1) {}

  // The first frame of a new connection.
  std::string Hello(std::string_view token);
  // One text message of the server. Frames of unknown type are ignored; kInvalidArgument: it is not the protocol.
  base::Result<InboxStep> OnMessage(std::string_view text);
  // The frame that acknowledges what was applied since the last one; empty: nothing new.
  std::string TakeAck();
  // Notifications that came since the last ack: the server stops sending at its credit.
  int unacked() const { return unacked_; }

  bool welcomed() const { return welcomed_; }  // on this connection
  bool reached_limit() const { return remaining_ == 0; }
  const Farewell& farewell() const { return farewell_; }  // of this connection

 private:
  base::Status OnFrame(wire::JsonValue frame, InboxStep& step);
  base::Status OnWelcome(wire::JsonValue frame, InboxStep& step);
  base::Status OnNotifications(wire::JsonValue frame, InboxStep& step);
  base::Status OnStateChange(wire::JsonValue frame, InboxStep& step);
  // Moves the cursor over a frame. False: it does not start where we stand.
  base::Result<bool> Advance(wire::JsonValue frame);
  void Show(wire::JsonValue notification, InboxStep& step);
  bool IsNew(const std::string& nid);

  const std::string device_;
  const std::string since_;
  const InboxFormat format_;
  int64_t remaining_;  // notifications to hand out; -1: all

  std::string epoch_;
  std::optional<model::EntryId> cursor_;
  std::unordered_set<std::string> seen_;
  std::deque<std::string> seen_order_;  // oldest first

  bool welcomed_ = false;
  bool moved_ = false;  // the cursor, since the last ack
  int unacked_ = 0;
  std::vector<std::string> early_;  // nids to acknowledge
  Farewell farewell_;
};

// What to do after a connection has ended.
struct NextTry {
  enum class Kind : uint8_t { kStop, kAgain, kAgainWithNewToken } kind = Kind::kAgain;
  int64_t wait_ms = 0;
};
// By the close code (docs: protocol, section 1). `attempt`: how many in a row have failed, from 0. Waits are random
// over the whole range, so that many clients do not come back at once.
NextTry AfterFarewell(const Farewell& farewell, int attempt, base::Random& random);

// `text` without what a terminal would obey: control characters become spaces.
std::string Printable(std::string_view text);

}  // namespace tocsin::server
