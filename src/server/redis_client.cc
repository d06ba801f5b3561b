#include "server/redis_client.h"

#include <cerrno>
#include <charconv>

#include <hiredis/hiredis.h>

#include "server/terminal.h"

namespace tocsin::server {
namespace {

using base::Code;
using base::Result;
using base::Status;

constexpr timeval kConnectLimit = {.tv_sec = 10, .tv_usec = 0};
// Longer than any command of ours waits for: a large XTRIM, a turn behind a slow disk.
constexpr timeval kReplyLimit = {.tv_sec = 120, .tv_usec = 0};

const RedisReply kNilReply;

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool DecodePercents(std::string_view text, std::string& decoded) {
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      decoded += text[i];
      continue;
    }
    if (i + 2 >= text.size()) return false;
    int high = HexDigit(text[i + 1]), low = HexDigit(text[i + 2]);
    if (high < 0 || low < 0) return false;
    decoded += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return true;
}

bool ParseHost(std::string_view text, Address& address) {
  size_t colon = text.rfind(':');
  size_t bracket = text.rfind(']');
  if (colon != std::string_view::npos && (bracket == std::string_view::npos || colon > bracket)) {
    std::string_view port = text.substr(colon + 1);
    auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), address.port);
    if (error != std::errc() || end != port.data() + port.size() || address.port == 0) return false;
    text = text.substr(0, colon);
  }
  if (text.size() > 2 && text.front() == '[' && text.back() == ']') text = text.substr(1, text.size() - 2);
  address.host = text;
  return !text.empty() && text.find_first_of("[]/?#@ \r\n") == std::string_view::npos;
}

RedisReply Copy(const redisReply& from) {
  RedisReply reply;
  switch (from.type) {
    case REDIS_REPLY_INTEGER:
      reply.kind = RedisReply::Kind::kInteger;
      reply.integer = from.integer;
      break;
    case REDIS_REPLY_STRING:
    case REDIS_REPLY_STATUS:
      reply.kind = RedisReply::Kind::kText;
      reply.text.assign(from.str, from.len);
      break;
    case REDIS_REPLY_ERROR:
      reply.kind = RedisReply::Kind::kError;
      reply.text.assign(from.str, from.len);
      break;
    case REDIS_REPLY_ARRAY:
      reply.kind = RedisReply::Kind::kArray;
      reply.elements.reserve(from.elements);
      for (size_t i = 0; i < from.elements; ++i) reply.elements.push_back(Copy(*from.element[i]));
      break;
    default:
      break;
  }
  return reply;
}

}  // namespace

Result<RedisUrl> RedisUrl::Parse(std::string_view url) {
  constexpr std::string_view kScheme = "redis://";
  auto wrong = [](std::string_view why) {
    return Status(Code::kInvalidArgument, "redis://[:SECRET@]HOST:PORT is expected: " + std::string(why));
  };
  if (url.starts_with("rediss://")) return wrong("TLS (rediss://) is not supported yet by the command line");
  if (!url.starts_with(kScheme)) return wrong("it does not begin with redis://");
  url.remove_prefix(kScheme.size());
  RedisUrl parsed{.address = {"", 6379}};
  if (size_t at = url.rfind('@'); at != std::string_view::npos) {
    std::string_view login = url.substr(0, at);
    url.remove_prefix(at + 1);
    size_t colon = login.find(':');
    if (colon == std::string_view::npos) return wrong("a secret stands behind a colon, also without a user");
    if (!DecodePercents(login.substr(0, colon), parsed.user) ||
        !DecodePercents(login.substr(colon + 1), parsed.secret)) {
      return wrong("a % in user or secret is written %25");
    }
  }
  size_t slash = url.find('/');
  if (slash != std::string_view::npos) {
    std::string_view database = url.substr(slash + 1);
    if (!database.empty() && database != "0") return wrong("there is one database, 0");
    url = url.substr(0, slash);
  }
  if (!ParseHost(url, parsed.address)) return wrong("host or port is wrong");
  return parsed;
}

const RedisReply& RedisReply::Find(std::string_view name) const {
  for (size_t i = 0; i + 1 < elements.size(); i += 2) {
    if (elements[i].text == name) return elements[i + 1];
  }
  return kNilReply;
}

const RedisReply& RedisReply::At(size_t i) const { return i < elements.size() ? elements[i] : kNilReply; }

Status StatusOf(const RedisReply& error) {
  std::string_view text = error.text;
  Code code = Code::kInternal;
  if (text.starts_with("NOAUTH") || text.starts_with("WRONGPASS")) code = Code::kUnauthenticated;
  if (text.starts_with("NOPERM")) code = Code::kPermissionDenied;
  if (text.starts_with("NOGROUP") || text == "ERR no such key") code = Code::kNotFound;
  if (text.starts_with("WRONGTYPE")) code = Code::kConflict;
  if (text.starts_with("ERR the reply would be too large")) code = Code::kTooLarge;
  return Status(code, "the server says: " + Escaped(text));
}

void RedisClient::Closer::operator()(redisContext* context) const { redisFree(context); }

RedisClient::RedisClient(redisContext* context) : context_(context) {}
RedisClient::RedisClient(RedisClient&&) noexcept = default;
RedisClient& RedisClient::operator=(RedisClient&&) noexcept = default;
RedisClient::~RedisClient() = default;

Result<RedisClient> RedisClient::Connect(const Address& address) {
  RedisClient client(redisConnectWithTimeout(address.host.c_str(), address.port, kConnectLimit));
  const redisContext* context = client.context_.get();
  if (context == nullptr || context->err != 0 || redisSetTimeout(client.context_.get(), kReplyLimit) != REDIS_OK) {
    std::string why = context == nullptr ? "no memory" : Escaped(context->errstr);
    return Status(Code::kUnavailable, "cannot connect to " + address.ToString() + ": " + why);
  }
  return client;
}

Status RedisClient::Failed() const {
  if (context_->err == REDIS_ERR_IO && errno == EAGAIN) {
    return Status(Code::kUnavailable, "the server did not answer within two minutes");
  }
  if (context_->err == REDIS_ERR_PROTOCOL) {
    return Status(Code::kUnavailable, "what answers there does not speak the Redis protocol");
  }
  return Status(Code::kUnavailable, "the connection failed: " + Escaped(context_->errstr));
}

Result<RedisReply> RedisClient::Run(const RedisCommand& command) {
  Result<std::vector<RedisReply>> replies = Pipeline(std::span(&command, 1));
  if (!replies.ok()) return replies.status();
  if (replies->front().is_error()) return StatusOf(replies->front());
  return std::move(replies->front());
}

Result<std::vector<RedisReply>> RedisClient::Pipeline(std::span<const RedisCommand> commands) {
  std::vector<const char*> words;
  std::vector<size_t> sizes;
  for (const RedisCommand& command : commands) {
    words.clear();
    sizes.clear();
    for (const std::string& word : command) {
      words.push_back(word.data());
      sizes.push_back(word.size());
    }
    if (redisAppendCommandArgv(context_.get(), static_cast<int>(words.size()), words.data(), sizes.data()) !=
        REDIS_OK) {
      return Failed();
    }
  }
  std::vector<RedisReply> replies;
  replies.reserve(commands.size());
  while (replies.size() < commands.size()) {
    void* got = nullptr;
    if (redisGetReply(context_.get(), &got) != REDIS_OK) return Failed();
    std::unique_ptr<redisReply, void (*)(void*)> reply(static_cast<redisReply*>(got), &freeReplyObject);
    replies.push_back(Copy(*reply));
  }
  return replies;
}

Result<RedisReply> RedisClient::Transaction(std::span<const RedisCommand> commands) {
  std::vector<RedisCommand> all = {{"MULTI"}};
  all.insert(all.end(), commands.begin(), commands.end());
  all.push_back({"EXEC"});
  Result<std::vector<RedisReply>> replies = Pipeline(all);
  if (!replies.ok()) return replies.status();
  if (!replies->back().is_error()) return std::move(replies->back());
  for (const RedisReply& reply : *replies) {  // EXECABORT only says that there is one before it
    if (reply.is_error()) return StatusOf(reply);
  }
  return StatusOf(replies->back());
}

}  // namespace tocsin::server
