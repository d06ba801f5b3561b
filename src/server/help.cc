#include "server/help.h"

#include <algorithm>

#include "server/operator_help.h"

namespace tocsin::server {
namespace {

constexpr size_t kWidth = 100;
constexpr size_t kColumn = 34;

// "  --name VALUE      what it is", wrapped in its column.
void AppendOption(std::string& out, std::string_view option, std::string_view summary) {
  std::string line = "  " + std::string(option);
  if (line.size() + 2 > kColumn) {
    out += line + "\n";
    line.clear();
  }
  line.resize(kColumn, ' ');
  while (!summary.empty()) {
    size_t space = kWidth - kColumn;
    size_t cut = summary.size();
    if (cut > space) {
      cut = summary.rfind(' ', space);
      if (cut == std::string_view::npos || cut == 0) cut = std::min(summary.find(' '), summary.size());
    }
    out += line + std::string(summary.substr(0, cut)) + "\n";
    summary.remove_prefix(std::min(cut + 1, summary.size()));
    line.assign(kColumn, ' ');
  }
}

std::string FlagOf(const SettingHelp& setting) {
  std::string flag = "--" + std::string(setting.name);
  std::replace(flag.begin(), flag.end(), '_', '-');
  if (setting.is_switch) return flag + "[=" + std::string(setting.placeholder) + "]";
  return flag + " " + std::string(setting.placeholder);
}

constexpr std::string_view kServeHead =
    R"(Runs the service in the foreground until SIGTERM or Ctrl-C; then it drains and ends.

usage: tocsin serve [--config FILE] [SETTING...]

  tocsin serve                                   everything by default: keys are made in ./tocsin-data
  tocsin serve --demo --redis-auth off           with the demo inbox; the Redis port asks for no password
  TOCSIN_LISTEN=0.0.0.0:80 tocsin serve          a setting as a variable
  tocsin serve --config /etc/tocsin.toml         settings from a file: listen = "0.0.0.0:80"

Logs go to standard error, a JSON object a line. Once it accepts work it prints one line on standard output:
`ready http=127.0.0.1:8080 redis=127.0.0.1:6380 durability=sync`. Exit status: 0 ended as asked, 1 could not start (and
says why), 2 used wrongly.

One setting has one name in three spellings: `data_dir` in the file, TOCSIN_DATA_DIR, --data-dir. A flag wins over a
variable, a variable over the file. Defaults are in parentheses.
)";

std::string ServeHelp() {
  std::string help(kServeHead);
  std::string_view group;
  for (const SettingHelp& setting : AllSettings()) {
    if (setting.group != group) help += "\n" + std::string(setting.group) + ":\n";
    group = setting.group;
    AppendOption(help, FlagOf(setting), setting.summary);
  }
  return help;
}

constexpr std::string_view kPublishHelp =
    R"(Publishes notifications; each is on the server's disk before its id is printed.

usage: tocsin publish --user ID [OPTION...] MESSAGE
       tocsin publish [OPTION...] < notifications.ndjson

  tocsin publish --user ann "Your parcel is on its way"
  tocsin publish --user ann --user bob --title Build --priority high --url https://ci.example/7 "Tests failed"
  jq -c '.[]' users.json | tocsin publish        one JSON object a line, as POST /v1/notifications takes it

  --user ID                       whom to tell; may be given again
  --title, --url, --icon TEXT     headline; where a click leads; picture
  --lang TAG                      language of the text, for example en or pt-BR
  --priority LEVEL                low, normal, high or critical (normal)
  --data JSON                     an object that the client gets as it is
  --idempotency-key KEY           sent again within 24 hours, it is the same notification, not a second one
  --json                          print the server's answer instead of the ids
  --server URL                    TOCSIN_SERVER (http:// and the address of the setting `listen`)
  --api-key SECRET                better TOCSIN_API_KEY: others can read flags (the generated key of the data directory)
  --data-dir DIR, --config FILE   whose settings and keys to use

Prints one id (nid) a line, in order. Exit status: 0 all are published, 1 not all (the ids printed are), 2 used wrongly.
)";

constexpr std::string_view kMigrateHelp =
    R"(Copies everything from one store into another, empty one, then reads it again there and compares.

usage: tocsin migrate --from STORE --to STORE [OPTION...]

  tocsin migrate --from embedded:./tocsin-data --to redis://10.0.0.7:6379
  tocsin migrate --from redis-sentinel://10.0.0.7:26379/mymaster --to embedded:./tocsin-data

Streams come with their groups and what is pending in them, user logs with ids, states, cursors, counts and
the epoch: every device goes on where it was. The service must not run on either store, and nobody may XADD
meanwhile. The source is only read. Generated keys in the data directory and Idempotency-Keys are not copied.

  --from STORE, --to STORE        embedded:DIR, or an address as the setting `store` has it
  --ingest-streams, --partitions  as the service has them
  --stream NAME                   from a Redis: another stream that is to come along; may be repeated. Ingest
                                  streams and their dead letters always do, as from an embedded store everything does
)";

constexpr std::string_view kTailHelp =
    R"(A live inbox in the terminal: prints what a user gets, acknowledges it, and survives restarts of the server.

usage: tocsin tail (--user ID | --token JWT) [OPTION...]

  tocsin tail --user ann                         what Ann has, then what comes
  tocsin tail --user ann --since new             only what comes
  tocsin tail --user ann --device desk           remembered as the device `desk`: next time it goes on there
  tocsin tail --user ann --json | jq .title      a JSON object a line

  --user ID                       whose inbox; a token is made with the secret of the data directory
  --token JWT                     or the user's own token; better TOCSIN_TOKEN: others can read flags
  --device NAME                   a device is acknowledged for (none: what is shown here stays new for other devices)
  --since all|new|MS              where to start without a remembered place (all); MS: milliseconds since 1970
  --count N                       end after N notifications
  --json                          notifications and changes as JSON
  --server URL                    TOCSIN_SERVER (http:// and the address of the setting `listen`)
  --data-dir DIR, --config FILE   whose settings and secret to use

Ctrl-C ends it. Exit status: 0 ended as asked, 1 the server said stop, 2 used wrongly.
)";

constexpr std::string_view kTokenHelp =
    R"help(Makes a development token (HS256), with the secret of the settings or of the data directory. In production your
identity provider makes them: see jwt_public_key_file in `tocsin serve --help`.

usage: tocsin token --user ID [--ttl 24h] [--topics LIST]

  tocsin token --user ann                        valid for 24 hours
  curl -N -H "Authorization: Bearer $(tocsin token --user ann)" http://127.0.0.1:8080/v1/events

  --user ID                       becomes the claim `sub` (or what jwt_user_claim says)
  --ttl TIME                      90s, 15m, 12h, 7d (24h)
  --topics LIST                   topics it may follow, for example news,team.*
  --data-dir DIR, --config FILE   whose settings and secret to use
)help";

}  // namespace

std::string MainHelp() {
  return R"(tocsin: real-time notifications. Back-ends publish; Tocsin keeps each notification on disk until the user has it;
users get it live over WebSocket or SSE, or the moment they come back online.

usage: tocsin COMMAND [OPTION...]

  serve      run the service              tocsin serve --demo
  publish    tell a user something        tocsin publish --user ann "Your parcel is on its way"
  tail       a user's inbox, live         tocsin tail --user ann
  token      make a development token     tocsin token --user ann --ttl 12h
  version    which version this is        tocsin version

For operators, through the Redis port:

  streams       what stands in the streams               tocsin streams
  groups        how far a stream's groups are            tocsin groups notifications_stream
  pending       delivered, not acknowledged              tocsin pending notifications_stream mailer --idle 5m
  claim         hand that to another consumer            tocsin claim notifications_stream mailer worker-2 --idle 5m
  trim          remove old entries, safely               tocsin trim notifications_stream --older-than 7d
  dead-letters  what failed: list, redrive, drop         tocsin dead-letters list
  migrate       to another store, or back                tocsin migrate --from embedded:DIR --to redis://HOST

Try it: run `tocsin serve --demo` in one terminal, `tocsin tail --user ann` in a second one, and publish to `ann` from a
third. Nothing need be configured: keys are made at the first start, in ./tocsin-data, and the commands find them there.

`tocsin COMMAND --help` has examples and every option; `tocsin serve --help` lists the settings.
)";
}

std::string HelpFor(Command command) {
  switch (command) {
    case Command::kServe:
      return ServeHelp();
    case Command::kPublish:
      return std::string(kPublishHelp);
    case Command::kTail:
      return std::string(kTailHelp);
    case Command::kToken:
      return std::string(kTokenHelp);
    case Command::kMigrate:
      return std::string(kMigrateHelp);
    case Command::kStreams:
    case Command::kGroups:
    case Command::kPending:
    case Command::kClaim:
    case Command::kTrim:
    case Command::kDeadLetters:
      return OperatorHelp(command);
    case Command::kVersion:
    case Command::kHelp:
      return MainHelp();
  }
  return MainHelp();
}

}  // namespace tocsin::server
