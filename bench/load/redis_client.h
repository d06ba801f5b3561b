// RedisClient: one connection to a Redis port. It sends commands that were encoded before and cuts the replies (RESP2)
// off what comes back, without building them: a load generator has to be cheaper than the server.
//
// 1. Replies come one by one, whole, as raw bytes, in the order of the commands.
// 2. A reply `-ERR ...` is the end of the run, unless its receiver says that it expected one (RawReply::is_error).
#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>

#include "load/connection.h"
#include "load/options.h"

namespace tocsin::bench {

// Appends one command as RESP.
void AppendCommand(std::initializer_list<std::string_view> words, std::string* out);
void AppendBulk(std::string_view bytes, std::string* out);

// Reads a raw reply from its front. What does not fit the reply is the end of the run.
class RawReply {
 public:
  explicit RawReply(std::string_view bytes) : bytes_(bytes) {}

  bool is_error() const { return bytes_.starts_with('-'); }
  bool is_null() const { return bytes_.starts_with("*-1") || bytes_.starts_with("$-1"); }
  std::string_view bytes() const { return bytes_; }

  int64_t Array();          // its size
  int64_t Integer();        // of `:`
  std::string_view Bulk();  // of `$`

 private:
  std::string_view Line(char type);

  std::string_view bytes_;
};

class RedisClient : public Connection {
 public:
  using OnReply = std::function<void(RedisClient& client, RawReply reply)>;

  // Connects, and logs in where the peer asks for it. Nothing is called for that.
  RedisClient(Loop* loop, const Options& options, OnReply on_reply);

  // Several commands at once are as many replies.
  void Command(std::string_view encoded) { Send(encoded); }
  void SetOnReply(OnReply on_reply) { on_reply_ = std::move(on_reply); }

  // Sends the commands and turns the loop until the last of so many replies is there; their raw bytes.
  std::string Ask(std::string_view encoded, int replies = 1);

 protected:
  size_t OnBytes(std::string_view bytes) override;
  void OnClosed() override;

 private:
  Loop* loop_;
  OnReply on_reply_;
  int silent_ = 0;  // replies to its own login that are to come
};

// How many bytes the first reply has; 0: it is not all there.
size_t ReplySize(std::string_view bytes);

// The body of an entry: 100 letters, random and different each time, so that no disk format gains by their likeness.
inline constexpr size_t kBodyBytes = 100;
std::string RandomBody();
// XADD key * f <body>
std::string AddCommand(std::string_view key);
// The number that INFO gives under that name.
int64_t InfoNumber(RedisClient* client, std::string_view name);

}  // namespace tocsin::bench
