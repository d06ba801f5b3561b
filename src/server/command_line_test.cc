#include "server/command_line.h"

#include <sstream>

#include <gtest/gtest.h>

#include "server/help.h"

namespace tocsin::server {
namespace {

using base::Code;
using base::Result;

CommandLine Parse(std::vector<std::string> arguments) {
  Result<CommandLine> line = ParseCommandLine(std::move(arguments));
  EXPECT_TRUE(line.ok()) << line.status().ToString();
  return line.ok() ? std::move(line).value() : CommandLine();
}
std::string MessageOf(std::vector<std::string> arguments) {
  return std::string(ParseCommandLine(std::move(arguments)).status().message());
}

TEST(CommandLine, SettingsOfServe) {
  CommandLine line =
      Parse({"serve", "--config", "t.toml", "--listen=127.0.0.1:9", "--data-dir", "d", "--redis-listen", ""});
  EXPECT_EQ(line.command, Command::kServe);
  EXPECT_EQ(line.config_file, "t.toml");
  std::vector<Assignment> flags = line.flags;
  std::sort(flags.begin(), flags.end());
  EXPECT_EQ(flags, (std::vector<Assignment>{{"data_dir", "d"}, {"listen", "127.0.0.1:9"}, {"redis_listen", ""}}));
  EXPECT_EQ(Parse({"serve", "--data_dir", "d"}).flags, (std::vector<Assignment>{{"data_dir", "d"}}));
  EXPECT_EQ(Parse({"serve", "--listen", "a:1", "--listen", "b:2"}).flags, (std::vector<Assignment>{{"listen", "b:2"}}));
  EXPECT_EQ(Parse({"serve", "--redis-listen="}).flags, (std::vector<Assignment>{{"redis_listen", ""}}));
}

TEST(CommandLine, ASwitchMayStandAlone) {
  EXPECT_EQ(Parse({"serve", "--demo"}).flags, (std::vector<Assignment>{{"demo", "on"}}));
  EXPECT_EQ(Parse({"serve", "--demo=off"}).flags, (std::vector<Assignment>{{"demo", "off"}}));
  EXPECT_EQ(Parse({"serve", "--demo=on"}).flags, (std::vector<Assignment>{{"demo", "on"}}));
  EXPECT_EQ(Parse({"serve"}).flags, std::vector<Assignment>());
}

TEST(CommandLine, EverySettingIsAFlag) {
  for (const SettingHelp& setting : AllSettings()) {
    std::string flag = "--" + std::string(setting.name);
    std::replace(flag.begin(), flag.end(), '_', '-');
    EXPECT_EQ(Parse({"serve", flag + "=x,y=2"}).flags, (std::vector<Assignment>{{std::string(setting.name), "x,y=2"}}));
    EXPECT_NE(HelpFor(Command::kServe).find(flag), std::string::npos) << flag;
  }
}

TEST(CommandLine, Publish) {
  CommandLine line = Parse({"publish", "--user", "ann", "--user=bob", "--title", "T", "--data", "{\"a\":[1,2]}",
                            "--json", "--idempotency-key", "k", "--server", "http://h:1", "Hello, world"});
  EXPECT_EQ(line.command, Command::kPublish);
  EXPECT_EQ(line.publish.users, (std::vector<std::string>{"ann", "bob"}));
  EXPECT_EQ(line.publish.message, "Hello, world");
  EXPECT_EQ(line.publish.data, "{\"a\":[1,2]}");
  EXPECT_EQ(line.publish.idempotency_key, "k");
  EXPECT_EQ(line.publish.output, Output::kJson);
  EXPECT_EQ(Parse({"publish", "--user", "ann", "--message", "m"}).publish.message, "m");
  EXPECT_EQ(Parse({"publish", "--user", "a,b", "--", "-minus"}).publish.users, (std::vector<std::string>{"a,b"}));
  EXPECT_EQ(Parse({"publish", "--user", "a", "--", "--minus"}).publish.message, "--minus");
  EXPECT_EQ(Parse({"publish", "--user", "ann", "Hello"}).publish.message, "Hello");
  EXPECT_EQ(Parse({"publish", "Hello", "--user", "ann", "--user", "bob"}).publish.users.size(), 2u);
}

TEST(CommandLine, TailAndToken) {
  CommandLine tail = Parse({"tail", "--user", "ann", "--device", "desk", "--since", "new", "--count", "3"});
  EXPECT_EQ(tail.tail.user, "ann");
  EXPECT_EQ(tail.tail.count, 3);
  CommandLine token = Parse({"token", "--user", "ann", "--ttl", "7d", "--topics", "news,team.*"});
  EXPECT_EQ(token.token.ttl, "7d");
  EXPECT_EQ(token.token.topics, (std::vector<std::string>{"news", "team.*"}));
}

TEST(CommandLine, OperatorsCommands) {
  CommandLine streams = Parse({"streams", "--redis", "redis://h:1", "--api-key", "k", "--json"});
  EXPECT_EQ(streams.command, Command::kStreams);
  EXPECT_EQ(streams.streams.redis, "redis://h:1");
  EXPECT_EQ(streams.streams.api_key, "k");
  EXPECT_EQ(streams.streams.output, Output::kJson);
  EXPECT_EQ(streams.streams.stream, "");
  EXPECT_EQ(Parse({"groups", "s"}).groups.stream, "s");
  CommandLine pending = Parse({"pending", "s", "--idle", "60s", "g", "--consumer", "c", "--count", "7"});
  EXPECT_EQ(pending.pending.stream, "s");
  EXPECT_EQ(pending.pending.group, "g");
  EXPECT_EQ(pending.pending.consumer, "c");
  EXPECT_EQ(pending.pending.idle, "60s");
  EXPECT_EQ(pending.pending.count, 7);
  CommandLine claim = Parse({"claim", "s", "g", "c", "--id", "1-0,2-0", "--id", "3-0"});
  EXPECT_EQ(claim.claim.consumer, "c");
  EXPECT_EQ(claim.claim.ids, (std::vector<std::string>{"1-0", "2-0", "3-0"}));
  CommandLine trim = Parse({"trim", "s", "--max-length", "5", "--exact"});
  EXPECT_EQ(trim.trim.max_length, "5");
  EXPECT_EQ(trim.trim.precision, Precision::kExact);
  EXPECT_EQ(trim.trim.removal, Removal::kAcknowledged);
  EXPECT_EQ(Parse({"trim", "s", "--min-id", "5", "--force"}).trim.removal, Removal::kForced);
}

TEST(CommandLine, DeadLetters) {
  using Action = DeadLettersOptions::Action;
  EXPECT_EQ(Parse({"dead-letters", "list"}).dead_letters.action, Action::kList);
  CommandLine line = Parse({"dead-letters", "redrive", "s", "--filter", "a=1,2", "--filter", "b~c", "--dry-run",
                            "--set", "x=1,2", "--unset", "y", "--older-than", "7d"});
  EXPECT_EQ(line.dead_letters.action, Action::kRedrive);
  EXPECT_EQ(line.dead_letters.stream, "s");
  EXPECT_EQ(line.dead_letters.filters, (std::vector<std::string>{"a=1,2", "b~c"}));
  EXPECT_EQ(line.dead_letters.set, std::vector<std::string>{"x=1,2"});
  EXPECT_EQ(line.dead_letters.unset, std::vector<std::string>{"y"});
  EXPECT_EQ(line.dead_letters.rehearsal, Rehearsal::kDryRun);
  EXPECT_EQ(line.dead_letters.selection, DeadLettersOptions::Selection::kChosen);
  CommandLine drop = Parse({"dead-letters", "drop", "--all"});
  EXPECT_EQ(drop.dead_letters.selection, DeadLettersOptions::Selection::kAll);
  EXPECT_EQ(drop.dead_letters.rehearsal, Rehearsal::kNo);
  EXPECT_NE(MessageOf({"dead-letters"}).find("--help"), std::string::npos);
  EXPECT_NE(MessageOf({"dead-letters", "purge"}).find("`purge`"), std::string::npos);
  EXPECT_FALSE(MessageOf({"dead-letters", "list", "s", "t"}).empty());
  // Who gives it believes in what would not happen.
  EXPECT_FALSE(MessageOf({"dead-letters", "list", "--dry-run"}).empty());
  EXPECT_FALSE(MessageOf({"dead-letters", "list", "--all"}).empty());
  EXPECT_FALSE(MessageOf({"dead-letters", "drop", "--all", "--set", "a=1"}).empty());
  EXPECT_FALSE(MessageOf({"dead-letters", "redrive", "--all", "--count", "3"}).empty());
}

TEST(CommandLine, HelpTeaches) {
  for (std::vector<std::string> arguments : std::vector<std::vector<std::string>>{{"--help"},
                                                                                  {"-h"},
                                                                                  {"help"},
                                                                                  {"serve", "--help"},
                                                                                  {"publish", "-h"},
                                                                                  {"streams", "-h"},
                                                                                  {"groups", "-h"},
                                                                                  {"help", "pending"},
                                                                                  {"claim", "-h"},
                                                                                  {"trim", "-h"},
                                                                                  {"dead-letters", "-h"},
                                                                                  {"dead-letters", "list", "-h"},
                                                                                  {"help", "tail"},
                                                                                  {"token", "--user", "x", "--help"}}) {
    CommandLine line = Parse(arguments);
    EXPECT_EQ(line.command, Command::kHelp);
    EXPECT_NE(line.help.find("usage: tocsin"), std::string::npos) << line.help;
  }
  for (const char* command : {"serve", "publish", "tail", "token", "version", "streams", "groups", "pending", "claim",
                              "trim", "dead-letters"}) {
    EXPECT_NE(MainHelp().find(command), std::string::npos);
  }
}

TEST(CommandLine, HelpOfOperatorsFitsATerminal) {
  for (const char* command : {"streams", "groups", "pending", "claim", "trim", "dead-letters"}) {
    std::istringstream help(Parse({command, "--help"}).help);
    for (std::string line; std::getline(help, line);) EXPECT_LE(line.size(), 120u) << line;
  }
}

TEST(CommandLine, WrongUsageSaysWhatIsMeant) {
  EXPECT_NE(MessageOf({}).find("tocsin --help"), std::string::npos);
  EXPECT_EQ(MessageOf({"srve"}), "there is no command `srve`; did you mean `serve`?");
  EXPECT_EQ(MessageOf({"serve", "--lisen", "x"}), "there is no option `--lisen`; did you mean `--listen`?");
  EXPECT_EQ(MessageOf({"serve", "--data-dri=x"}), "there is no option `--data-dri`; did you mean `--data-dir`?");
  EXPECT_EQ(MessageOf({"serve", "extra"}), "`extra` is not expected here");
  EXPECT_FALSE(MessageOf({"serve", "--listen"}).empty());
  EXPECT_FALSE(MessageOf({"tail", "--count", "many"}).empty());
  EXPECT_FALSE(MessageOf({"publish", "--user", "a", "one", "two"}).empty());
  EXPECT_FALSE(MessageOf({"publish", "--message", "one", "two"}).empty());
  EXPECT_FALSE(MessageOf({"version", "--loud"}).empty());
}

}  // namespace
}  // namespace tocsin::server
