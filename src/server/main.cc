// tocsin: reads the command line and the settings, and hands over to the command.
#include <csignal>
#include <cstdio>
#include <string>
#include <vector>

#include "server/command_line.h"
#include "server/commands.h"
#include "server/config.h"
#include "server/migrate.h"
#include "server/operator_commands.h"
#include "server/serve.h"

namespace tocsin::server {
namespace {

constexpr int kFailed = 1;
constexpr int kWrongUsage = 2;

std::string_view NameOf(Command command) {
  switch (command) {
    case Command::kServe:
      return "tocsin serve";
    case Command::kPublish:
      return "tocsin publish";
    case Command::kTail:
      return "tocsin tail";
    case Command::kToken:
      return "tocsin token";
    case Command::kStreams:
      return "tocsin streams";
    case Command::kGroups:
      return "tocsin groups";
    case Command::kPending:
      return "tocsin pending";
    case Command::kClaim:
      return "tocsin claim";
    case Command::kTrim:
      return "tocsin trim";
    case Command::kDeadLetters:
      return "tocsin dead-letters";
    case Command::kMigrate:
      return "tocsin migrate";
    case Command::kVersion:
    case Command::kHelp:
      break;
  }
  return "tocsin";
}

int Fail(std::string_view who, const base::Status& status, int exit_status) {
  std::fprintf(stderr, "%.*s: %.*s\n", static_cast<int>(who.size()), who.data(),
               static_cast<int>(status.message().size()), status.message().data());
  return exit_status;
}

// A flag that is wrong is wrong usage; a file or a variable that is wrong is a failure to start.
int FailToLoad(const CommandLine& line, const base::Status& status) {
  return Fail(NameOf(line.command), status, status.message().starts_with("--") ? kWrongUsage : kFailed);
}

int RunServe(const Config& config) {
  base::SetLogLevel(config.log_level);
  if (base::Status status = CheckSupported(config); !status.ok()) return Fail("tocsin serve", status, kFailed);
  return Serve(config);
}

int Run(std::vector<std::string> arguments) {
  base::Result<CommandLine> line = ParseCommandLine(std::move(arguments));
  if (!line.ok()) return Fail("tocsin", line.status(), kWrongUsage);
  if (line->command == Command::kHelp) {
    std::fputs(line->help.c_str(), stdout);
    return 0;
  }
  if (line->command == Command::kVersion) return Version();
  base::Result<Config> config =
      LoadConfig(GivenOrVariable(line->config_file, "TOCSIN_CONFIG"), Environment(), line->flags);
  if (!config.ok()) return FailToLoad(*line, config.status());
  switch (line->command) {
    case Command::kServe:
      return RunServe(*config);
    case Command::kPublish:
      return Publish(line->publish, *config);
    case Command::kTail:
      return Tail(line->tail, *config);
    case Command::kToken:
      return Token(line->token, *config);
    case Command::kStreams:
      return Streams(line->streams, *config);
    case Command::kGroups:
      return Groups(line->groups, *config);
    case Command::kPending:
      return Pending(line->pending, *config);
    case Command::kClaim:
      return Claim(line->claim, *config);
    case Command::kTrim:
      return Trim(line->trim, *config);
    case Command::kDeadLetters:
      return DeadLetters(line->dead_letters, *config);
    case Command::kMigrate:
      return Migrate(line->migrate, *config);
    case Command::kVersion:
    case Command::kHelp:
      break;
  }
  return 0;
}

}  // namespace
}  // namespace tocsin::server

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);  // a peer that goes away is a failed write, never the end
  return tocsin::server::Run({argv + 1, argv + argc});
}
