// What the client of Redis reads: addresses that people write, and what servers say: errors that redirect, slot maps,
// the replies of a greeting. An address that is accepted reads back as the same deployment from its own text.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "redis/address.h"
#include "redis/cluster.h"
#include "redis/greeting.h"
#include "redis/refusal.h"
#include "wire/resp.h"

namespace {

namespace redis = tocsin::redis;
namespace wire = tocsin::wire;

void ReadAddress(std::string_view text) {
  const auto parsed = redis::ParseDeployment(text);
  if (!parsed.ok()) return CHECK(!parsed.status().message().empty());
  CHECK(!parsed->endpoints.empty());
  const auto again = redis::ParseDeployment(parsed->ToString());
  CHECK_MSG(again.ok(), parsed->ToString());
  CHECK(again->endpoints == parsed->endpoints && again->database == parsed->database);
  CHECK(again->primary_name == parsed->primary_name && again->kind == parsed->kind && again->tls == parsed->tls);
}

void ReadMap(const wire::RespReply& reply) {
  for (const redis::SlotRange& range : redis::ReadSlots(reply, "asked").ranges) {
    CHECK(range.first <= range.last && range.last < redis::kSlots);
    CHECK(!range.primary.host.empty() && range.primary.port != 0);
  }
}

// The greeting of each kind of connection, fed with whatever the server says.
void Greet(std::string_view text, redis::Login::Role role) {
  const redis::Login login = {.role = role, .user = "u", .password = "secret", .database = 1, .name = "n"};
  redis::Greeting greeting(login, "host:1");
  wire::RespReplyParser parser;
  while (true) {
    wire::RespReply reply;
    size_t consumed = 0;
    if (parser.Next(text, consumed, reply) != wire::RespReplyParser::Step::kReply) return;
    text.remove_prefix(consumed);
    if (reply.is_error()) {
      const auto refusal = redis::ParseRefusal(reply.text);
      CHECK(!refusal || refusal->slot < redis::kSlots);
    }
    ReadMap(reply);
    const auto step = greeting.OnReply(reply);
    CHECK((step == redis::Greeting::Step::kFailed) == !greeting.failure().ok());
    if (step == redis::Greeting::Step::kFailed || step == redis::Greeting::Step::kDone) return;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  if (size < 1) return 0;
  const std::string_view text(reinterpret_cast<const char*>(bytes) + 1, size - 1);
  if (bytes[0] % 8 < 4) {
    ReadAddress(text);
  } else {
    Greet(text, static_cast<redis::Login::Role>(bytes[0] % 4));
  }
  return 0;
}
