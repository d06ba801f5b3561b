// RedisClient: one connection to a server that speaks the Redis protocol (Tocsin's own port, or a redis-server), one
// pipeline after the other. For the operators' commands. hiredis lives in the .cc alone.
//
// 1. Replies are values; nothing points into the connection.
// 2. After kUnavailable the connection is of no use, and whether what was sent has been carried out is unknown.
// 3. A pipeline is written whole before a reply is read: its replies should stay small where the pipeline is large.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "server/config.h"

struct redisContext;

namespace tocsin::server {

// redis://[[USER]:SECRET@]HOST[:PORT][/0]; the port is 6379 where none is given, as everywhere.
struct RedisUrl {
  Address address;
  std::string user{};
  std::string secret{};  // empty: none

  // kInvalidArgument says what is expected, and never repeats the secret.
  static base::Result<RedisUrl> Parse(std::string_view url);
};

struct RedisReply {
  enum class Kind : uint8_t { kNil, kInteger, kText, kError, kArray };
  Kind kind = Kind::kNil;
  int64_t integer = 0;
  std::string text{};                  // kText (a simple string too) and kError
  std::vector<RedisReply> elements{};  // kArray

  bool is_nil() const { return kind == Kind::kNil; }
  bool is_error() const { return kind == Kind::kError; }
  // The value behind `name` in names and values by turns; a nil where there is none.
  const RedisReply& Find(std::string_view name) const;
  // The element at `i`; a nil where there is none. What a server answers is not taken for granted.
  const RedisReply& At(size_t i) const;
};

// The failure that an error reply is; the message is its text, without what could drive a terminal.
//   kUnauthenticated    NOAUTH, WRONGPASS           kNotFound   no such key, NOGROUP
//   kPermissionDenied   NOPERM                      kConflict   WRONGTYPE
//   kTooLarge           the reply would be too large: ask for less
//   kInternal           anything else
base::Status StatusOf(const RedisReply& error);

using RedisCommand = std::vector<std::string>;

class RedisClient {
 public:
  // kUnavailable, naming the address and the reason.
  static base::Result<RedisClient> Connect(const Address& address);

  RedisClient(RedisClient&&) noexcept;
  RedisClient& operator=(RedisClient&&) noexcept;
  ~RedisClient();

  // An error reply is a failure: StatusOf.
  base::Result<RedisReply> Run(const RedisCommand& command);
  // One reply a command, error replies among them.
  base::Result<std::vector<RedisReply>> Pipeline(std::span<const RedisCommand> commands);
  // All of them in one MULTI: an array of their replies, error replies among them; a nil where something has changed
  // that was watched. What the server refuses to queue is a failure, and then nothing was done.
  base::Result<RedisReply> Transaction(std::span<const RedisCommand> commands);

 private:
  explicit RedisClient(redisContext* context);
  base::Status Failed() const;

  struct Closer {
    void operator()(redisContext* context) const;
  };
  std::unique_ptr<redisContext, Closer> context_;
};

}  // namespace tocsin::server
