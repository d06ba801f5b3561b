#include "server/operator_help.h"

namespace tocsin::server {
namespace {

constexpr std::string_view kWhere =
    R"(  --redis URL                     redis://[:SECRET@]HOST:PORT; better TOCSIN_REDIS (the setting `redis_listen`)
  --api-key SECRET                better TOCSIN_API_KEY: others can read flags (the generated key of the data directory)
  --data-dir DIR, --config FILE   whose settings and key to use
)";

constexpr std::string_view kStreamsHelp =
    R"(What stands in the streams: one line each, or one stream with its groups.

usage: tocsin streams [STREAM] [OPTION...]

  tocsin streams                                 every stream: entries, groups, age of the oldest entry, size, last id
  tocsin streams notifications_stream            that one, and its groups
  tocsin streams --json | jq -r 'select(.length > 100000) | .stream'

  --json                          a JSON object a line, ages in ms, sizes in bytes
)";

constexpr std::string_view kGroupsHelp =
    R"(How far the consumer groups of a stream are, and who works in them.

usage: tocsin groups STREAM [OPTION...]

  tocsin groups notifications_stream
  tocsin groups notifications_stream --json | jq 'select(.lag > 1000)'

Of a group: its consumers, entries that were delivered and not acknowledged (pending), entries not read yet (lag), how
long the oldest pending one has been idle, and the last id that was delivered. Below it each consumer: what is pending
with it, and how long it has not been seen. The group `tocsin` of an ingest stream is the router's.

  --json                          a JSON object a group
)";

constexpr std::string_view kPendingHelp =
    R"(What a group was delivered and has not acknowledged, oldest id first.

usage: tocsin pending STREAM GROUP [OPTION...]

  tocsin pending notifications_stream mailer                      with whom, how long, delivered how often
  tocsin pending notifications_stream mailer --idle 5m            what seems to be stuck
  tocsin pending notifications_stream mailer --consumer worker-1  what a dead worker has left

  --idle TIME                     not delivered or claimed again for so long: 90s, 15m, 12h, 7d
  --consumer NAME                 with that consumer only
  --count N                       show N at most (100)
  --json                          a JSON object a line
)";

constexpr std::string_view kClaimHelp =
    R"(Hands pending entries to another consumer, for example those of one that has died.

usage: tocsin claim STREAM GROUP CONSUMER (--id ID... | --idle TIME [--count N])

  tocsin claim notifications_stream mailer worker-2 --idle 5m
  tocsin claim notifications_stream mailer worker-2 --id 1795494169140-0 --id 1795494169140-1

The consumer gets them by reading its own pending entries (XREADGROUP ... STREAMS notifications_stream 0), not with `>`.
Handing over is not counted as a delivery. What was deleted from the stream meanwhile is taken out of the pending ones,
and named.

  --id ID                         this one; may be given again, or as ID,ID
  --idle TIME                     those that have been idle for so long: 90s, 15m, 12h, 7d
  --count N                       with --idle: N at most (100)
  --json                          a JSON object an id
)";

constexpr std::string_view kTrimHelp =
    R"(Removes the oldest entries of a stream; never one that a group has not read and acknowledged, unless forced.

usage: tocsin trim STREAM (--max-length N | --min-id ID | --older-than TIME) [--exact] [--force]

  tocsin trim audit --older-than 7d              what is older than a week
  tocsin trim audit --max-length 100000          keeps about 100,000
  tocsin trim audit --max-length 0 --exact       what every group is done with

  --max-length N                  keep the newest N
  --min-id ID                     remove what has a smaller id (MS-N, or MS: milliseconds since 1970)
  --older-than TIME               remove what was added longer ago: 90s, 15m, 12h, 7d
  --exact                         to the entry; else whole nodes of about 100 entries, which is cheaper
  --force                         also what a group has unread or pending: those consumers never see it
  --json                          {"stream":...,"removed":...,"left":...}

Says how many went and how many are left and, where more are left than was asked for, which groups hold them. Entries of
an ingest stream are in the users' inboxes before they go, also with --force.
)";

constexpr std::string_view kDeadLettersHelp =
    R"(What could not be delivered, with the reason: look at it, publish it again, or drop it.

usage: tocsin dead-letters list    [STREAM] [CHOICE...] [--count N]
       tocsin dead-letters redrive [STREAM] CHOICE... [--set FIELD=VALUE...] [--unset FIELD...] [--dry-run]
       tocsin dead-letters drop    [STREAM] CHOICE... [--dry-run]

  tocsin dead-letters list
  tocsin dead-letters redrive --filter tocsin_reason~user_id --set user_id=ann --dry-run
  tocsin dead-letters redrive --all --dry-run    says what it would do, and changes nothing
  tocsin dead-letters drop --older-than 30d
  tocsin dead-letters list --json | jq -r '.reason' | sort | uniq -c

STREAM is whose dead letters (the first of the setting ingest_streams: notifications_stream); they are in STREAM:dead.
A redriven one is a new entry of STREAM, with a new id and its own fields; that and its end as a dead letter happen both
or not at all, and never twice. It goes to every group of STREAM, not only to one that had failed: the output says so
where a group had. One that is still wrong comes back as a dead letter, which is said too, and ends with 1.

Which:
  --id ID                         this one; may be given again, or as ID,ID
  --filter FIELD=TEXT             where that field equals TEXT; FIELD~TEXT: contains it. Given again: all must hold.
                                  Also tocsin_reason, tocsin_id, tocsin_attempts, tocsin_group
  --older-than, --newer-than TIME dead for longer or shorter than 90s, 15m, 12h, 7d
  --all                           redrive, drop: all of them (or all that the filters leave)
What:
  --dry-run                       redrive, drop: only say what would be done
  --set FIELD=VALUE               redrive: with this value; may be given again
  --unset FIELD                   redrive: without this field; may be given again
  --count N                       list: show N at most (100)
  --json                          a JSON object a line, fields uncut; bytes that are no UTF-8 as \xNN
Where:
)";

// Every one ends with where the server is, and what its end means.
std::string Complete(std::string_view text, std::string_view scopes) {
  return std::string(text) + std::string(kWhere) + "\nThe key needs the scopes: " + std::string(scopes) +
         ".\nExit status: 0 done, 1 failed or not all of it (and says why), 2 used wrongly.\n";
}

}  // namespace

std::string OperatorHelp(Command command) {
  switch (command) {
    case Command::kStreams:
      return Complete(kStreamsHelp, "read");
    case Command::kGroups:
      return Complete(kGroupsHelp, "read");
    case Command::kPending:
      return Complete(kPendingHelp, "consume");
    case Command::kClaim:
      return Complete(kClaimHelp, "consume (admin for the group `tocsin` of an ingest stream)");
    case Command::kTrim:
      return Complete(kTrimHelp, "read, admin");
    case Command::kDeadLetters:
      return Complete(kDeadLettersHelp, "read; redrive also publish and admin, drop also admin");
    default:
      return "";
  }
}

}  // namespace tocsin::server
