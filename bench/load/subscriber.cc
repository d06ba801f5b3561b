#include "load/subscriber.h"

#include "load/jwt.h"
#include "load/ledger.h"

namespace tocsin::bench {

namespace {

constexpr uint8_t kText = 1;
constexpr uint8_t kClose = 8;
constexpr uint8_t kPing = 9;
constexpr uint8_t kPong = 10;
constexpr size_t kShortPayload = 126;

// The string that follows `key` (which includes the opening quote), or an empty view.
std::string_view StringAfter(std::string_view json, std::string_view key) {
  const size_t at = json.find(key);
  if (at == std::string_view::npos) {
    return {};
  }
  const size_t begin = at + key.size();
  return json.substr(begin, json.find('"', begin) - begin);
}

}  // namespace

int64_t AckClock::Serve(int64_t now_ns, int64_t otherwise_ns) {
  while (!queue_.empty() && queue_.front().deadline_ns <= now_ns) {
    const Armed due = queue_.front();
    queue_.pop_front();
    due.subscriber->AckIfDue(due.deadline_ns);
  }
  return queue_.empty() ? otherwise_ns : std::min(otherwise_ns, queue_.front().deadline_ns);
}

Subscriber::Subscriber(Loop* loop, const Options& options, uint32_t user, Listener* listener, AckClock* acks)
    : Connection(loop), options_(options), listener_(listener), acks_(acks), user_(user) {}

void Subscriber::Prepare() {
  const std::string name = UserName(user_);
  request_ = "GET ";
  switch (options_.peer) {
    case Peer::kTocsin:
      request_ += "/v1/ws";
      hello_ = R"({"t":"hello","tok":")" + MintJwt(options_.jwt_secret, name) + R"(","dev":"bench"})";
      break;
    case Peer::kStack:
      request_ += "/ws?token=" + MintJwt(options_.jwt_secret, name);
      break;
    case Peer::kNchan:
    case Peer::kRelay:
    case Peer::kRedis:
    case Peer::kNone:
      request_ += "/sub?id=" + name;
      break;
  }
  // The nonce need not be random: no cache stands between.
  request_ +=
      " HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n";
  if (options_.peer == Peer::kTocsin) {
    request_ += "Sec-WebSocket-Protocol: tocsin.v1\r\n";
  }
  request_ += "\r\n";
}

void Subscriber::Start() {
  Connect(options_.port);
  Send(request_);
  request_.clear();
  request_.shrink_to_fit();
}

size_t Subscriber::OnBytes(std::string_view bytes) {
  size_t used = 0;
  if (!upgraded_) {
    const size_t head_end = bytes.find("\r\n\r\n");
    if (head_end == std::string_view::npos) {
      return 0;
    }
    if (!bytes.starts_with("HTTP/1.1 101")) {
      Die("no upgrade: %.*s", static_cast<int>(head_end), bytes.data());
    }
    upgraded_ = true;
    used = head_end + 4;
    if (options_.peer == Peer::kTocsin) {
      SendFrame(kText, hello_);
      hello_.clear();
      hello_.shrink_to_fit();
    } else if (options_.peer != Peer::kStack) {
      Online();  // no session: the upgrade is all there is
    }
  }
  while (bytes.size() - used >= 2) {
    const std::string_view frame = bytes.substr(used);
    const auto at = [&](size_t i) { return static_cast<uint8_t>(frame[i]); };
    size_t size = at(1);
    size_t head = 2;
    if (size > kShortPayload + 1 || (at(0) & 0x70) != 0) {
      Die("a masked or compressed frame came from the server");
    }
    if (size >= kShortPayload) {
      const size_t length_bytes = size == kShortPayload ? 2 : 8;
      head += length_bytes;
      if (frame.size() < head) {
        break;
      }
      size = 0;
      for (size_t i = 2; i < head; ++i) {
        size = size << 8 | at(i);
      }
    }
    if (frame.size() < head + size) {
      break;
    }
    if ((at(0) & 0x80) == 0) {
      Die("a fragmented message came from the server");
    }
    OnFrame(at(0) & 0x0f, frame.substr(head, size));
    used += head + size;
  }
  return used;
}

void Subscriber::OnFrame(uint8_t opcode, std::string_view payload) {
  switch (opcode) {
    case kPing:
      SendFrame(kPong, payload);
      return;
    case kClose:
      Die("the server closed the WebSocket of %s: %.*s", UserName(user_).c_str(), static_cast<int>(payload.size()),
          payload.data());
    default:
      OnText(payload);
  }
}

void Subscriber::OnText(std::string_view text) {
  if (options_.peer == Peer::kStack && !online_) {
    Online();  // its first message is the welcome
    return;
  }
  if (options_.peer != Peer::kTocsin) {
    OnItems(text);
    return;
  }
  while (!text.empty()) {
    const size_t line = std::min(text.find('\n'), text.size());
    OnObject(text.substr(0, line));
    text.remove_prefix(std::min(line + 1, text.size()));
  }
}

void Subscriber::OnObject(std::string_view json) {
  const std::string_view type = StringAfter(json, R"("t":")");
  if (type == "n") {
    TakeCursor(json);
    OnItems(json);
  } else if (type == "welcome") {
    cursor_ = StringAfter(json, R"("cur":")");
    welcome_cursor_ = cursor_;
    Online();
  } else if (type == "st") {
    TakeCursor(json);
  } else if (type == "ping") {
    SendFrame(kText, R"({"t":"pong"})");
  } else if (type == "bye" || type == "err" || type == "warn") {
    Die("%s was told: %.*s", UserName(user_).c_str(), static_cast<int>(json.size()), json.data());
  }
}

void Subscriber::TakeCursor(std::string_view json) {
  const std::string_view prev = StringAfter(json, R"("prev":")");
  const std::string_view cur = StringAfter(json, R"("cur":")");
  if (prev != cursor_ || cur.empty()) {
    Die("%s stands at cursor %s and was sent %.*s", UserName(user_).c_str(), cursor_.c_str(),
        static_cast<int>(json.size()), json.data());
  }
  cursor_ = cur;
}

void Subscriber::OnItems(std::string_view json) {
  constexpr std::string_view kSeqKey = "\"seq\":";
  int items = 0;
  for (size_t at = json.find(kSeqKey); at != std::string_view::npos; at = json.find(kSeqKey, at + kSeqKey.size())) {
    listener_->OnNotification(this, json.substr(at));
    ++items;
  }
  if (options_.peer != Peer::kTocsin || items == 0) {
    return;
  }
  if (unacked_ == 0) {
    ack_deadline_ns_ = NowNs() + kAckAfterNs;
    acks_->Arm(this, ack_deadline_ns_);
  }
  unacked_ += items;
  if (unacked_ >= kAckEveryItems) {
    SendAck();
  }
}

void Subscriber::AckIfDue(int64_t deadline_ns) {
  if (unacked_ > 0 && ack_deadline_ns_ == deadline_ns) {
    SendAck();
  }
}

void Subscriber::SendAck() {
  unacked_ = 0;
  SendFrame(kText, R"({"t":"ack","cur":")" + cursor_ + R"("})");
}

void Subscriber::SendFrame(uint8_t opcode, std::string_view payload) {
  std::string frame;
  frame.reserve(payload.size() + 8);
  frame.push_back(static_cast<char>(0x80 | opcode));
  if (payload.size() < kShortPayload) {
    frame.push_back(static_cast<char>(0x80 | payload.size()));
  } else {
    frame.push_back(static_cast<char>(0x80 | kShortPayload));
    frame.push_back(static_cast<char>(payload.size() >> 8));
    frame.push_back(static_cast<char>(payload.size() & 0xff));
  }
  // A fixed mask: the server has to undo it all the same.
  constexpr char kMask[] = {0x5a, 0x11, 0x27, 0x3c};
  frame.append(kMask, sizeof kMask);
  for (size_t i = 0; i < payload.size(); ++i) {
    frame.push_back(static_cast<char>(payload[i] ^ kMask[i & 3]));
  }
  Send(frame);
}

void Subscriber::Online() {
  online_ = true;
  listener_->OnOnline(this);
}

void Subscriber::OnClosed() { Die("the server closed the connection of %s", UserName(user_).c_str()); }

}  // namespace tocsin::bench
