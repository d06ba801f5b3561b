#include "load/publisher.h"

#include <cctype>
#include <charconv>
#include <optional>

namespace tocsin::bench {

namespace {

// The value of header `name` (lower case) in a whole head.
std::string_view Header(std::string_view head, std::string_view name) {
  for (size_t at = head.find("\r\n"); at != std::string_view::npos; at = head.find("\r\n", at + 2)) {
    const std::string_view line = head.substr(at + 2);
    if (line.size() <= name.size() || line[name.size()] != ':') {
      continue;
    }
    size_t same = 0;
    while (same < name.size() && std::tolower(static_cast<unsigned char>(line[same])) == name[same]) {
      ++same;
    }
    if (same == name.size()) {
      std::string_view value = line.substr(name.size() + 1, line.find("\r\n") - name.size() - 1);
      value.remove_prefix(std::min(value.find_first_not_of(' '), value.size()));
      return value;
    }
  }
  return {};
}

struct Answer {
  int status = 0;
  std::string_view body;
  size_t size = 0;
};

// The answer that `bytes` begins with, once it is whole.
std::optional<Answer> ParseAnswer(std::string_view bytes) {
  const size_t head_end = bytes.find("\r\n\r\n");
  if (head_end == std::string_view::npos) {
    return std::nullopt;
  }
  const std::string_view head = bytes.substr(0, head_end + 2);
  if (!head.starts_with("HTTP/1.1 ") || head.size() < 14) {
    Die("not an HTTP/1.1 answer: %.*s", static_cast<int>(head.size()), head.data());
  }
  Answer answer;
  std::from_chars(head.data() + 9, head.data() + 12, answer.status);
  const std::string_view rest = bytes.substr(head_end + 4);
  const std::string_view length_text = Header(head, "content-length");
  size_t length = 0;
  if (!length_text.empty()) {
    std::from_chars(length_text.data(), length_text.data() + length_text.size(), length);
  } else if (Header(head, "transfer-encoding") == "chunked") {
    const size_t last = rest.find("0\r\n\r\n");  // bodies of peers are short text without a zero before a line end
    if (last == std::string_view::npos) {
      return std::nullopt;
    }
    length = last + 5;
  }
  if (rest.size() < length) {
    return std::nullopt;
  }
  answer.body = rest.substr(0, length);
  answer.size = head_end + 4 + length;
  return answer;
}

}  // namespace

Publisher::Publisher(Loop* loop, const Options& options, OnAnswered on_answered)
    : Connection(loop), options_(options), on_answered_(std::move(on_answered)) {
  Connect(options.port);
}

void Publisher::Publish(std::string_view user, std::string_view body) {
  idle_ = false;
  request_ = "POST ";
  switch (options_.peer) {
    case Peer::kTocsin:
      request_ += "/v1/notifications";
      break;
    case Peer::kStack:
      request_ += "/notifications";
      break;
    case Peer::kNchan:
    case Peer::kRelay:
    case Peer::kRedis:
    case Peer::kNone:
      request_ += "/pub?id=";
      request_ += user;
      break;
  }
  request_ += " HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n";
  if (options_.peer == Peer::kTocsin || options_.peer == Peer::kStack) {
    request_ += "X-Api-Key: ";
    request_ += options_.api_key;
    request_ += "\r\n";
  }
  request_ += "Content-Length: ";
  request_ += std::to_string(body.size());
  request_ += "\r\n\r\n";
  request_ += body;
  Send(request_);
}

size_t Publisher::OnBytes(std::string_view bytes) {
  const std::optional<Answer> answer = ParseAnswer(bytes);
  if (!answer) {
    return 0;
  }
  if (answer->status < 200 || answer->status > 299) {
    Die("publish answered: %.*s", static_cast<int>(bytes.size()), bytes.data());
  }
  idle_ = true;
  on_answered_(this, answer->body);
  return answer->size;
}

void Publisher::OnClosed() { Die("the server closed a publisher's connection"); }

}  // namespace tocsin::bench
