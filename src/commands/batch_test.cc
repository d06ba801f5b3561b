#include "commands/batch.h"

#include "commands/commands_fixture.h"

namespace tocsin::commands {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class BatchTest : public CommandsTest {};

TEST_F(BatchTest, RepliesComeInTheOrderOfTheCommands) {
  Batch batch;
  for (const char* line : {"PING", "XADD s 1-1 a b", "ECHO x", "ECHO y", "XLEN s", "PING"}) Take(line, batch);
  EXPECT_FALSE(batch.is_ready());
  EXPECT_EQ(Run(batch, *client_), "+PONG\r\n$3\r\n1-1\r\n$1\r\nx\r\n$1\r\ny\r\n:1\r\n+PONG\r\n");
}

TEST_F(BatchTest, ReadyRepliesAloneNeedNoTurn) {
  Batch batch;
  Take("PING", batch);
  Take("ECHO x", batch);
  EXPECT_TRUE(batch.is_ready());
  EXPECT_TRUE(batch.lazy());
  EXPECT_EQ(batch.ready_replies(), "+PONG\r\n$1\r\nx\r\n");
}

TEST_F(BatchTest, IsLazyUntilSomethingIsConfirmed) {
  const auto lazy = [&](const char* line) {
    Batch batch;
    Take(line, batch);
    return std::pair(batch.lazy(), batch.read_only());
  };
  EXPECT_EQ(lazy("XRANGE s - +"), std::pair(true, true));
  EXPECT_EQ(lazy("INFO"), std::pair(true, true));
  EXPECT_EQ(lazy("XREADGROUP GROUP g c STREAMS s >"), std::pair(true, false));
  EXPECT_EQ(lazy("XADD s * a b"), std::pair(false, false));
  EXPECT_EQ(lazy("XACK s g 1-1"), std::pair(false, false));
  // A transaction is what is in it.
  Batch batch;
  for (const char* line : {"MULTI", "XADD s * a b", "EXEC"}) Take(line, batch);
  EXPECT_FALSE(batch.lazy());
}

TEST_F(BatchTest, OwnsItsBytes) {
  Batch batch;
  {
    std::string words[] = {"XADD", "s", "1-1", "name", "value"};
    const std::vector<std::string_view> views(std::begin(words), std::end(words));
    client_->Take(views, batch);
    for (std::string& word : words) word.assign(word.size(), '#');
  }
  EXPECT_EQ(Run(batch, *client_), "$3\r\n1-1\r\n");
  EXPECT_EQ(Ask("XRANGE s - +"), "*1|*2|$3|1-1|*2|$4|name|$5|value|");
}

TEST_F(BatchTest, StopsAtTheWindowAndGoesOnWhereItWas) {
  Ask("XADD s 1-1 f " + std::string(400'000, 'x'));
  Batch batch;
  for (int i = 0; i < 7; ++i) Take("XRANGE s - +", batch);
  Take("XADD s 2-1 a b", batch);
  Take("PING", batch);
  std::string all;
  int turns = 0;
  for (Batch::Stop stop = Batch::Stop::kWindow; stop == Batch::Stop::kWindow; ++turns) {
    std::string out;
    storage::Batch turn;
    stop = batch.Run(*db_, *client_->session(), turn, out);
    EXPECT_LT(out.size(), kReplyWindow + 500'000);
    all += out;
  }
  EXPECT_EQ(turns, 3);
  EXPECT_THAT(all, EndsWith("$3\r\n2-1\r\n+PONG\r\n"));
  EXPECT_GT(all.size(), 7u * 400'000);
}

TEST_F(BatchTest, AFailedTurnRefusesItsCommandsAndNoOthers) {
  Batch batch;
  for (const char* line : {"PING", "XADD s 1-1 a b", "ECHO x", "XLEN s"}) Take(line, batch);
  std::string out;
  storage::Batch turn;
  batch.Run(*db_, *client_->session(), turn, out);
  out.clear();
  batch.Refuse({base::Code::kNoSpace, "the disk is full"}, out);
  EXPECT_THAT(out, StartsWith("+PONG\r\n-ERR no space"));
  EXPECT_THAT(out, HasSubstr("$1\r\nx\r\n-ERR no space"));

  // Never run at all: the queue was full.
  Batch other;
  for (const char* line : {"XLEN s", "PING"}) Take(line, other);
  out.clear();
  other.RefuseRest({base::Code::kUnavailable, "busy"}, out);
  EXPECT_EQ(out, "-ERR the store cannot confirm now: nothing was stored (busy)\r\n+PONG\r\n");
}

// Whatever the failure, its text is an error reply of one line.
TEST_F(BatchTest, FailuresOfTheTurnAreErrors) {
  for (int code = 1; code <= static_cast<int>(base::Code::kInternal); ++code) {
    Batch batch;
    Take("XLEN s", batch);
    std::string out;
    batch.RefuseRest({static_cast<base::Code>(code), "NOGROUP\r\nsomething"}, out);
    EXPECT_THAT(out, StartsWith("-ERR ")) << code;
    EXPECT_EQ(out.find("\r\n"), out.size() - 2) << code;
  }
}

TEST_F(BatchTest, CanBeTriedAgain) {
  Batch batch;
  Take("XLEN s", batch);
  std::string out;
  storage::Batch turn;
  batch.Run(*db_, *client_->session(), turn, out);
  EXPECT_EQ(out, ":0\r\n");
  Ask("XADD s 1-1 a b");
  batch.Rewind();
  EXPECT_EQ(Run(batch, *client_), ":1\r\n");
}

TEST_F(BatchTest, ACommandThatWaitsIsTheLast) {
  Batch batch;
  EXPECT_EQ(Take("XADD s 1-1 a b", batch), Next::kGoOn);
  EXPECT_EQ(Take("XREAD BLOCK 500 STREAMS s $", batch), Next::kSubmit);
  std::string out;
  storage::Batch turn;
  EXPECT_EQ(batch.Run(*db_, *client_->session(), turn, out), Batch::Stop::kBlocked);
  EXPECT_EQ(out, "$3\r\n1-1\r\n");
  ASSERT_TRUE(batch.blocking().has_value());
  EXPECT_EQ(batch.blocking()->timeout_ms, 500);
  EXPECT_EQ(batch.blocking()->request.streams.at(0).after, (model::EntryId{1, 1}));
  // Refused, it is an error like any other.
  out.clear();
  batch.Refuse({base::Code::kUnavailable, "broken"}, out);
  EXPECT_EQ(std::count(out.begin(), out.end(), '\n'), 2);
}

TEST_F(BatchTest, BoundsWhatOneReplyHolds) {
  for (int i = 1; i <= 8; ++i) Ask(*client_, {"XADD", "s", std::to_string(i), "f", std::string(12u << 20, 'x')});
  EXPECT_THAT(Ask("XRANGE s - +"), StartsWith("-ERR the reply would be too large"));
  EXPECT_THAT(Ask("XREVRANGE s + -"), StartsWith("-ERR the reply would be too large"));
  EXPECT_THAT(Ask("XREAD STREAMS s 0"), StartsWith("*1|*2|$1|s|*2|"));  // what fits; the client asks on
  // All replies of a transaction together.
  Batch batch;
  for (const char* line : {"MULTI", "XRANGE s - + COUNT 4", "XRANGE s - + COUNT 4", "XLEN s", "EXEC"}) {
    Take(line, batch);
  }
  const std::string out = Run(batch, *client_);
  EXPECT_LT(out.size(), 70u << 20);
  EXPECT_THAT(out, EndsWith("-ERR the reply would be too large: ask for fewer entries with COUNT\r\n:8\r\n"));
}

}  // namespace
}  // namespace tocsin::commands
