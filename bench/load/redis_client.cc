#include "load/redis_client.h"

#include <charconv>
#include <optional>
#include <random>

namespace tocsin::bench {

namespace {

constexpr int64_t kAnswerTimeoutNs = 120'000'000'000;

// The number in a line `:123` and how long the line is, with its end.
struct Head {
  int64_t number = 0;
  size_t size = 0;
};

std::optional<Head> ReadHead(std::string_view bytes) {
  const size_t end = bytes.find('\n');
  if (end == std::string_view::npos) {
    return std::nullopt;
  }
  Head head{.number = 0, .size = end + 1};
  std::from_chars(bytes.data() + 1, bytes.data() + end, head.number);
  return head;
}

}  // namespace

void AppendBulk(std::string_view bytes, std::string* out) {
  *out += '$';
  *out += std::to_string(bytes.size());
  *out += "\r\n";
  *out += bytes;
  *out += "\r\n";
}

void AppendCommand(std::initializer_list<std::string_view> words, std::string* out) {
  *out += '*' + std::to_string(words.size()) + "\r\n";
  for (const std::string_view word : words) {
    AppendBulk(word, out);
  }
}

std::string_view RawReply::Line(char type) {
  const size_t end = bytes_.find("\r\n");
  if (!bytes_.starts_with(type) || end == std::string_view::npos) {
    Die("a reply is not what was asked for: %.*s", static_cast<int>(std::min<size_t>(bytes_.size(), 200)),
        bytes_.data());
  }
  const std::string_view line = bytes_.substr(1, end - 1);
  bytes_.remove_prefix(end + 2);
  return line;
}

int64_t RawReply::Integer() {
  const std::string_view line = Line(':');
  int64_t number = 0;
  std::from_chars(line.data(), line.data() + line.size(), number);
  return number;
}

int64_t RawReply::Array() {
  const std::string_view line = Line('*');
  int64_t number = 0;
  std::from_chars(line.data(), line.data() + line.size(), number);
  return number;
}

std::string_view RawReply::Bulk() {
  const std::string_view line = Line('$');
  size_t size = 0;
  std::from_chars(line.data(), line.data() + line.size(), size);
  const std::string_view bulk = bytes_.substr(0, size);
  bytes_.remove_prefix(std::min(size + 2, bytes_.size()));
  return bulk;
}

size_t ReplySize(std::string_view bytes) {
  size_t at = 0;
  for (int64_t wanted = 1; wanted > 0; --wanted) {
    if (at >= bytes.size()) {
      return 0;
    }
    const std::optional<Head> head = ReadHead(bytes.substr(at));
    if (!head) {
      return 0;
    }
    switch (bytes[at]) {
      case '$':
        at += head->size + (head->number < 0 ? 0 : static_cast<size_t>(head->number) + 2);
        break;
      case '*':
        at += head->size;
        wanted += std::max<int64_t>(head->number, 0);
        break;
      default:
        at += head->size;
    }
  }
  return at <= bytes.size() ? at : 0;
}

RedisClient::RedisClient(Loop* loop, const Options& options, OnReply on_reply)
    : Connection(loop), loop_(loop), on_reply_(std::move(on_reply)) {
  Connect(options.port);
  if (options.peer == Peer::kTocsin) {
    std::string login;
    AppendCommand({"AUTH", options.api_key}, &login);
    Send(login);
    silent_ = 1;
  }
}

size_t RedisClient::OnBytes(std::string_view bytes) {
  size_t used = 0;
  while (open()) {
    const size_t size = ReplySize(bytes.substr(used));
    if (size == 0) {
      break;
    }
    const RawReply reply(bytes.substr(used, size));
    used += size;
    if (reply.is_error()) {
      Die("the server says: %.*s", static_cast<int>(reply.bytes().size()), reply.bytes().data());
    }
    if (silent_ > 0) {
      --silent_;
    } else if (on_reply_) {
      on_reply_(*this, reply);
    }
  }
  return used;
}

void RedisClient::OnClosed() { Die("the server closed a connection"); }

std::string RedisClient::Ask(std::string_view encoded, int replies) {
  std::string answer;
  OnReply before = std::move(on_reply_);
  on_reply_ = [&](RedisClient&, RawReply reply) {
    answer += reply.bytes();
    --replies;
  };
  Send(encoded);
  const int64_t deadline_ns = NowNs() + kAnswerTimeoutNs;
  while (replies > 0) {
    if (NowNs() > deadline_ns) {
      Die("no answer within %lld s", static_cast<long long>(kAnswerTimeoutNs / 1'000'000'000));
    }
    loop_->Turn(deadline_ns);
  }
  on_reply_ = std::move(before);
  return answer;
}

std::string RandomBody() {
  constexpr int kBitsEach = 6;
  constexpr int kLettersEach = 10;  // of one random word
  static std::mt19937_64 random(42);
  std::string body;
  while (body.size() < kBodyBytes) {
    uint64_t bits = random();
    for (int i = 0; i < kLettersEach; ++i, bits >>= kBitsEach) {
      body += static_cast<char>('0' + (bits & 63));
    }
  }
  return body;
}

std::string AddCommand(std::string_view key) {
  std::string command;
  AppendCommand({"XADD", key, "*", "f", RandomBody()}, &command);
  return command;
}

int64_t InfoNumber(RedisClient* client, std::string_view name) {
  std::string command;
  AppendCommand({"INFO"}, &command);
  const std::string info = client->Ask(command);
  const size_t at = info.find("\n" + std::string(name) + ":");
  if (at == std::string::npos) {
    Die("INFO does not tell %.*s", static_cast<int>(name.size()), name.data());
  }
  return std::atoll(info.c_str() + at + name.size() + 2);
}

}  // namespace tocsin::bench
