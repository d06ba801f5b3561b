// What redis-server itself says, under several configurations, against what is made of it.
#include "nodes/durability.h"

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/check.h"

namespace tocsin::nodes {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

// A redis-server on a socket in a directory of its own, and one connection to it.
class RealServer {
 public:
  explicit RealServer(std::vector<std::string> settings) {
    std::string pattern = (std::filesystem::temp_directory_path() / "tocsin-nodes-XXXXXX").string();
    dir_ = mkdtemp(pattern.data());
    std::vector<std::string> words = {"redis-server", "--port", "0", "--dir", dir_, "--unixsocket", path()};
    words.insert(words.end(), settings.begin(), settings.end());
    CHECK(pipe(log_.data()) == 0);
    pid_ = fork();
    if (pid_ == 0) {
      std::vector<char*> argv;
      for (std::string& word : words) argv.push_back(word.data());
      argv.push_back(nullptr);
      dup2(log_[1], STDOUT_FILENO);
      execvp(argv[0], argv.data());
      _exit(127);
    }
    close(log_[1]);
    Connect();
  }
  ~RealServer() {
    if (socket_ >= 0) close(socket_);
    close(log_[0]);
    if (pid_ > 0) {
      kill(pid_, SIGKILL);
      waitpid(pid_, nullptr, 0);
    }
    std::filesystem::remove_all(dir_);
  }
  RealServer(const RealServer&) = delete;
  RealServer& operator=(const RealServer&) = delete;

  bool running() const { return socket_ >= 0; }

  wire::RespReply Ask(const std::vector<std::string>& command) {
    std::string out;
    std::vector<std::string_view> words(command.begin(), command.end());
    wire::AppendRespCommand(out, words);
    EXPECT_EQ(write(socket_, out.data(), out.size()), static_cast<ssize_t>(out.size()));
    wire::RespReplyParser parser;
    wire::RespReply reply;
    std::string in;
    for (;;) {
      size_t consumed = 0;
      wire::RespReplyParser::Step step = parser.Next(in, consumed, reply);
      in.erase(0, consumed);
      if (step == wire::RespReplyParser::Step::kReply) return reply;
      std::array<char, 16384> bytes;
      ssize_t got = read(socket_, bytes.data(), bytes.size());
      if (got <= 0 || step == wire::RespReplyParser::Step::kError) {
        ADD_FAILURE() << "no reply";
        return {};
      }
      in.append(bytes.data(), static_cast<size_t>(got));
    }
  }

  ServerFacts Facts() {
    ServerFacts facts;
    facts.address = "10.0.0.7:6379";
    for (const std::vector<std::string>& command : FactCommands()) Learn(facts, Ask(command));
    return facts;
  }

 private:
  std::string path() const { return dir_ + "/socket"; }

  // It says in its log that it is ready; the log ends where it cannot start.
  void Connect() {
    std::array<char, 4096> bytes;
    std::string said;
    while (said.find("eady to accept connections") == std::string::npos) {
      ssize_t got = read(log_[0], bytes.data(), bytes.size());
      if (got <= 0) return;
      said.append(bytes.data(), static_cast<size_t>(got));
    }
    socket_ = socket(AF_UNIX, SOCK_STREAM, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::snprintf(address.sun_path, sizeof(address.sun_path), "%s", path().c_str());
    CHECK(connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0);
  }

  std::string dir_;
  pid_t pid_ = -1;
  int socket_ = -1;
  std::array<int, 2> log_ = {-1, -1};
};

Durability AssessOne(const ServerFacts& facts) { return Assess({&facts, 1}); }

class DurabilityTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (std::system("redis-server --version > /dev/null 2>&1") != 0) GTEST_SKIP() << "redis-server is missing";
  }
};

TEST_F(DurabilityTest, LevelIsThatOfTheServersFile) {
  struct Case {
    std::vector<std::string> settings;
    Level level;
    std::string_view says;
  };
  const std::vector<Case> cases = {
      {{"--appendonly", "yes", "--appendfsync", "always"}, Level::kSync, "appendfsync always."},
      {{"--appendonly", "yes", "--appendfsync", "everysec"}, Level::kInterval, "last one or two seconds"},
      {{"--appendonly", "yes"}, Level::kInterval, "appendfsync everysec"},  // Redis' own default
      {{"--appendonly", "yes", "--appendfsync", "no"}, Level::kMemory, "appendfsync no"},
      {{"--appendonly", "yes", "--appendfsync", "always", "--no-appendfsync-on-rewrite", "yes"},
       Level::kMemory,
       "no-appendfsync-on-rewrite yes"},
      {{"--appendfsync", "always"}, Level::kMemory, "last snapshot (save 3600 1 300 100 60 10000)"},
      {{"--save", ""}, Level::kMemory, "a crash loses everything"},
  };
  for (const Case& test : cases) {
    RealServer server(test.settings);
    ASSERT_TRUE(server.running());
    Durability durability = AssessOne(server.Facts());
    EXPECT_EQ(durability.level, test.level) << durability.why;
    EXPECT_THAT(durability.why, HasSubstr(test.says));
    EXPECT_THAT(durability.why, HasSubstr("10.0.0.7:6379"));
    EXPECT_THAT(durability.refusal, IsEmpty());
  }
}

// A file that is switched on while it runs, in the order in which the replies come.
TEST_F(DurabilityTest, FollowsAServerThatIsReconfigured) {
  RealServer server({"--appendfsync", "always", "--save", ""});
  ASSERT_TRUE(server.running());
  EXPECT_EQ(AssessOne(server.Facts()).level, Level::kMemory);
  ASSERT_EQ(server.Ask({"CONFIG", "SET", "appendonly", "yes"}).text, "OK");
  EXPECT_EQ(AssessOne(server.Facts()).level, Level::kSync);
  ASSERT_EQ(server.Ask({"CONFIG", "SET", "appendfsync", "everysec"}).text, "OK");
  EXPECT_EQ(AssessOne(server.Facts()).level, Level::kInterval);
}

TEST_F(DurabilityTest, ReadsEveryFact) {
  RealServer server({"--appendonly", "yes", "--appendfsync", "always", "--maxmemory", "100mb",
                     "--min-replicas-to-write", "0", "--save", "60 1"});
  ASSERT_TRUE(server.running());
  ServerFacts facts = server.Facts();
  EXPECT_THAT(facts.version, ::testing::MatchesRegex("[67]\\.[0-9]+\\.[0-9]+"));
  EXPECT_EQ(facts.product, "Redis " + facts.version);
  EXPECT_EQ(facts.role, "master");
  EXPECT_EQ(facts.aof_enabled, true);
  EXPECT_EQ(facts.appendfsync, "always");
  EXPECT_EQ(facts.no_fsync_on_rewrite, false);
  EXPECT_EQ(facts.save, "60 1");
  EXPECT_EQ(facts.maxmemory, 100u << 20);
  EXPECT_EQ(facts.maxmemory_policy, "noeviction");
  EXPECT_EQ(facts.min_replicas_to_write, 0u);
  EXPECT_EQ(facts.connected_replicas, 0u);
  EXPECT_EQ(server.Ask({"HELLO", "3"}).type, wire::RespReply::Type::kMap);
  ServerFacts again = server.Facts();  // the same from RESP3's maps and verbatim strings
  EXPECT_EQ(again.version, facts.version);
  EXPECT_EQ(again.appendfsync, "always");
  EXPECT_EQ(again.save, "60 1");
  EXPECT_EQ(again.maxmemory, 100u << 20);
}

TEST_F(DurabilityTest, RefusesWhatMayEvict) {
  for (std::string policy : {"allkeys-lru", "volatile-ttl", "allkeys-random", "volatile-lfu"}) {
    RealServer server({"--appendonly", "yes", "--maxmemory", "100mb", "--maxmemory-policy", policy});
    ASSERT_TRUE(server.running());
    EXPECT_THAT(AssessOne(server.Facts()).refusal, HasSubstr("maxmemory-policy " + policy));
    ASSERT_EQ(server.Ask({"CONFIG", "SET", "maxmemory", "0"}).text, "OK");
    EXPECT_THAT(AssessOne(server.Facts()).refusal, IsEmpty());  // without a limit nothing is evicted
    ASSERT_EQ(server.Ask({"CONFIG", "SET", "maxmemory", "100mb"}).text, "OK");
    ASSERT_EQ(server.Ask({"CONFIG", "SET", "maxmemory-policy", "noeviction"}).text, "OK");
    EXPECT_THAT(AssessOne(server.Facts()).refusal, IsEmpty());
  }
}

// As a managed service, or a strict ACL, has it. INFO alone tells version, limit and policy, not when the file is
// synced.
TEST_F(DurabilityTest, CountsWhatIsNotSaidAsTheWeaker) {
  RealServer server(
      {"--appendonly", "yes", "--appendfsync", "always", "--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru"});
  ASSERT_TRUE(server.running());
  ASSERT_EQ(server.Ask({"ACL", "SETUSER", "narrow", "on", "nopass", "~*", "+@all", "-config"}).text, "OK");
  ASSERT_EQ(server.Ask({"ACL", "SETUSER", "blind", "on", "nopass", "~*", "+@all", "-config", "-info"}).text, "OK");
  ASSERT_EQ(server.Ask({"AUTH", "narrow", "x"}).text, "OK");
  ServerFacts facts = server.Facts();
  EXPECT_EQ(facts.appendfsync, std::nullopt);
  EXPECT_EQ(AssessOne(facts).level, Level::kMemory);
  EXPECT_THAT(AssessOne(facts).why, HasSubstr("does not say when it is synced"));
  EXPECT_THAT(AssessOne(facts).refusal, HasSubstr("may evict keys"));
  ASSERT_EQ(server.Ask({"AUTH", "blind", "x"}).text, "OK");
  EXPECT_THAT(AssessOne(server.Facts()).refusal, HasSubstr("+info"));
  EXPECT_THAT(AssessOne(server.Facts()).why, HasSubstr("so none is assumed"));
}

ServerFacts Good(std::string address) {
  ServerFacts facts;
  facts.address = std::move(address);
  facts.version = "7.0.15";
  facts.product = "Redis 7.0.15";
  facts.role = "master";
  facts.aof_enabled = true;
  facts.appendfsync = "always";
  facts.no_fsync_on_rewrite = false;
  facts.save = "";
  facts.maxmemory = 0;
  facts.maxmemory_policy = "noeviction";
  facts.min_replicas_to_write = 0;
  facts.connected_replicas = 0;
  return facts;
}

TEST(DurabilityRules, TheWeakestPrimaryCounts) {
  std::vector<ServerFacts> primaries = {Good("a:1"), Good("b:2"), Good("c:3")};
  EXPECT_EQ(Assess(primaries).level, Level::kSync);
  EXPECT_THAT(Assess(primaries).why, HasSubstr("All 3 primaries"));
  primaries[1].appendfsync = "everysec";
  EXPECT_EQ(Assess(primaries).level, Level::kInterval);
  EXPECT_THAT(Assess(primaries).why, HasSubstr("b:2"));
  EXPECT_THAT(Assess(primaries).why, HasSubstr("1 of 3 primaries"));
  primaries[2].aof_enabled = false;
  EXPECT_EQ(Assess(primaries).level, Level::kMemory);
  EXPECT_THAT(Assess(primaries).why, HasSubstr("c:3"));
  primaries[0].maxmemory_policy = "allkeys-lru";
  primaries[0].maxmemory = 1;
  EXPECT_THAT(Assess(primaries).refusal, HasSubstr("a:1"));
  EXPECT_THAT(Assess({}).refusal, Not(IsEmpty()));
}

TEST(DurabilityRules, RefusesOldServersAndReplicas) {
  for (std::string version : {"6.0.16", "5.0.14", "2.8.9", "", "unstable", "7", "six.two"}) {
    ServerFacts facts = Good("a:1");
    facts.version = version;
    EXPECT_THAT(AssessOne(facts).refusal, Not(IsEmpty())) << version;
  }
  for (std::string version : {"6.2.0", "6.2.14", "7.2.4", "8.0.1", "10.1.0", "255.255.255", "7.4-rc1"}) {
    ServerFacts facts = Good("a:1");
    facts.version = version;
    EXPECT_THAT(AssessOne(facts).refusal, IsEmpty()) << version;
  }
  ServerFacts replica = Good("a:1");
  replica.role = "slave";
  EXPECT_THAT(AssessOne(replica).refusal, HasSubstr("is a replica"));
}

TEST(DurabilityRules, SaysWhatAFailoverMayTake) {
  ServerFacts facts = Good("a:1");
  EXPECT_THAT(AssessOne(facts).why, Not(HasSubstr("failover")));
  facts.connected_replicas = 1;
  EXPECT_THAT(AssessOne(facts).why, HasSubstr("A failover may lose"));
  facts.min_replicas_to_write = 1;
  EXPECT_THAT(AssessOne(facts).why, HasSubstr("min-replicas-to-write 1"));
  EXPECT_THAT(Assess({&facts, 1}, {.wait_replicas = 2}).why, HasSubstr("waits for 2 replicas (WAIT)"));
  EXPECT_EQ(AssessOne(facts).level, Level::kSync);
}

// Valkey says which Redis it stands for, and its own version beside it.
TEST(DurabilityRules, KnowsAValkey) {
  wire::RespReply reply;
  reply.type = wire::RespReply::Type::kBulk;
  reply.text = "# Server\r\nredis_version:7.2.4\r\nserver_name:valkey\r\nvalkey_version:8.0.1\r\nrole:master\r\n";
  ServerFacts facts;
  facts.address = "a:1";
  Learn(facts, reply);
  EXPECT_EQ(facts.product, "Valkey 8.0.1");
  EXPECT_THAT(AssessOne(facts).refusal, IsEmpty());
}

TEST(DurabilityRules, TakesRepliesOfAnyShape) {
  ServerFacts facts;
  wire::RespReply reply;
  for (std::string text : {"", ":", "\r\n", "#", "maxmemory:-1\nrole", ":::\n\n\nappendonly:perhaps", "# a:b"}) {
    reply.type = wire::RespReply::Type::kBulk;
    reply.text = text;
    Learn(facts, reply);
  }
  reply.type = wire::RespReply::Type::kArray;
  reply.elements = {wire::RespReply{.type = wire::RespReply::Type::kBulk, .text = "save", .elements = {}}};
  Learn(facts, reply);
  reply.type = wire::RespReply::Type::kError;
  reply.text = "aof_enabled:1";
  Learn(facts, reply);
  EXPECT_FALSE(facts.aof_enabled || facts.save || facts.maxmemory);
  EXPECT_THAT(facts.role, IsEmpty());
}

}  // namespace
}  // namespace tocsin::nodes
