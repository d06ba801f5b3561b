// hiredis: publish, a consumer group, a blocking consumer, a pipeline. Prints what it published.
#include <memory>
#include <string>
#include <thread>

#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>

namespace {

void Expect(bool condition, const char* what, const redisReply* reply = nullptr) {
  if (condition) return;
  fprintf(stderr, "not so: %s (%s)\n", what, reply != nullptr && reply->str != nullptr ? reply->str : "no text");
  exit(1);
}

using Reply = std::unique_ptr<redisReply, void (*)(void*)>;
using Context = std::unique_ptr<redisContext, void (*)(redisContext*)>;

template <typename... Arguments>
Reply Ask(const Context& context, const char* format, Arguments... arguments) {
  Reply reply(static_cast<redisReply*>(redisCommand(context.get(), format, arguments...)), freeReplyObject);
  Expect(reply != nullptr, format);
  return reply;
}

Context Connect() {
  Context context(redisConnect("127.0.0.1", atoi(getenv("TOCSIN_REDIS_PORT"))), redisFree);
  Expect(context != nullptr && context->err == 0, "connected");
  if (const char* password = getenv("TOCSIN_REDIS_PASSWORD")) {
    const Reply reply = Ask(context, "AUTH %s", password);
    Expect(reply->type == REDIS_REPLY_STATUS, "authenticated", reply.get());
  }
  return context;
}

// The id of the first entry of the first stream.
std::string FirstId(const Reply& reply) {
  Expect(reply->type == REDIS_REPLY_ARRAY && reply->elements == 1, "one stream", reply.get());
  return reply->element[0]->element[1]->element[0]->element[0]->str;
}

}  // namespace

int main() {
  const Context redis = Connect();
  const char* user = getenv("TOCSIN_TEST_USER");
  Ask(redis, "XGROUP CREATE notifications_stream hiredis $ MKSTREAM");
  const Reply added = Ask(redis, "XADD notifications_stream * user_id %s message %s", user, "from hiredis");
  Expect(added->type == REDIS_REPLY_STRING, "added", added.get());
  const std::string id = added->str;
  Expect(FirstId(Ask(redis, "XREADGROUP GROUP hiredis worker-1 STREAMS notifications_stream >")) == id, "read");
  Expect(Ask(redis, "XACK notifications_stream hiredis %s", id.c_str())->integer == 1, "acknowledged");

  std::string found;
  std::thread consumer([&found] {
    found = FirstId(Ask(Connect(), "XREADGROUP GROUP hiredis worker-2 BLOCK 0 STREAMS notifications_stream >"));
  });
  while (std::string(Ask(redis, "INFO clients")->str).find("blocked_clients:1\r\n") == std::string::npos) {
  }
  const std::string later = Ask(redis, "XADD notifications_stream * user_id %s message waited", user)->str;
  consumer.join();
  Expect(found == later, "the consumer that waited got it");
  const Reply none = Ask(redis, "XREADGROUP GROUP hiredis worker-2 BLOCK 20 STREAMS notifications_stream >");
  Expect(none->type == REDIS_REPLY_NIL, "nothing in time", none.get());

  for (int i = 0; i < 1000; ++i) redisAppendCommand(redis.get(), "XADD work * i %d", i);
  for (int i = 0; i < 1000; ++i) {
    void* reply = nullptr;
    Expect(redisGetReply(redis.get(), &reply) == REDIS_OK, "a reply to each");
    Expect(static_cast<redisReply*>(reply)->type == REDIS_REPLY_STRING, "an id", static_cast<redisReply*>(reply));
    freeReplyObject(reply);
  }
  Expect(Ask(redis, "XLEN work")->integer == 1000, "a thousand entries");
  printf("%s %s\n", id.c_str(), later.c_str());
  return 0;
}
