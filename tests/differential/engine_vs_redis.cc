// The stream engine against a redis-server: random sessions, every reply compared. Ids are explicit and times are not
// compared, so that both clocks may differ; waiting has its own tests (streams/engine_waits_test.cc).
//
//   engine_vs_redis [SEED [STEPS]]      default: sessions of 24 seeds, about 230,000 commands in all, in which every
//                                       command must have had at least 200 answers that say something
//
// What is known to differ between redis-server 7.0 (Debian's) and the 7.2 that the engine follows:
//   - lag and entries-read, where entries were trimmed or deleted: 7.2.6 corrected both (compared in calm sessions)
//   - 7.2 makes a consumer that gets nothing at once (7.0 is told to, before each XREADGROUP, XCLAIM and XAUTOCLAIM)
//   - 7.2 refuses an XSETID below the last deletion (7.0 is not asked)
//   - XINFO CONSUMERS has `inactive`, the full report `active-time`: 7.2 only (left out)
#include <algorithm>
#include <map>
#include <memory>
#include <set>

#include <stdio.h>
#include <stdlib.h>

#include "base/random.h"
#include "redis_server.h"
#include "storage/temp_dir.h"
#include "streams/engine.h"

namespace tocsin::differential {
namespace {

using namespace streams;  // NOLINT: its words are this file's subject

std::string Fields(const EntryView& entry) {
  if (entry.gone()) return std::string(kNil);
  std::vector<std::string> words;
  for (const auto& [name, value] : entry.Fields()) {
    words.push_back(Bulk(name));
    words.push_back(Bulk(value));
  }
  return Array(words);
}

std::string Show(EntryId id) { return Bulk(id.ToString()); }
std::string Show(const EntryView& entry) { return Array({Show(entry.id()), Fields(entry)}); }

std::string Show(const Entries& entries) {
  std::vector<std::string> list;
  for (const auto& entry : entries.list) list.push_back(Show(entry));
  return Array(list);
}

std::string ShowIds(const std::vector<EntryId>& ids) {
  std::vector<std::string> list;
  for (const EntryId id : ids) list.push_back(Show(id));
  return Array(list);
}

std::string Failed(const base::Status& status) { return "-" + std::string(status.message()); }
std::string Show(const base::Status& status) { return status.ok() ? "+OK" : Failed(status); }
std::string Show(const base::Result<uint64_t>& count) {
  return count.ok() ? Int(static_cast<int64_t>(*count)) : Failed(count.status());
}
std::string Show(const base::Result<bool>& yes) { return yes.ok() ? Int(*yes ? 1 : 0) : Failed(yes.status()); }

class Session {
 public:
  enum class Mood { kCalm, kWild };  // calm: nothing is trimmed or deleted

  Session(RedisServer& redis, StreamEngine& engine, storage::Store& store, const NodeLimits& nodes, Mood mood,
          uint64_t seed)
      : redis_(redis), engine_(engine), store_(store), random_(seed), mood_(mood) {
    Both({"FLUSHALL"}, Show(engine_.DeleteAll()));
    Commit();
    Set("stream-node-max-entries", nodes.max_entries);
    Set("stream-node-max-bytes", nodes.max_bytes);
  }

  bool Step() {
    using Command = void (Session::*)();
    struct Choice {
      unsigned calm, wild;
      Command command;
    };
    static constexpr Choice kChoices[] = {
        {30, 26, &Session::Add},         {6, 6, &Session::Range},       {8, 8, &Session::Read},
        {0, 5, &Session::TrimIt},        {0, 5, &Session::Delete},      {4, 4, &Session::CreateGroup},
        {12, 10, &Session::ReadNew},     {4, 4, &Session::ReadHistory}, {8, 8, &Session::Ack},
        {5, 5, &Session::PendingAll},    {5, 5, &Session::PendingSome}, {4, 4, &Session::Claim},
        {4, 4, &Session::AutoClaim},     {4, 4, &Session::Consumers},   {1, 1, &Session::DropGroup},
        {3, 3, &Session::MoveGroup},     {0, 2, &Session::SetIds},      {1, 1, &Session::DropKey},
        {1, 1, &Session::Rename},        {5, 6, &Session::InfoStream},  {5, 5, &Session::InfoGroups},
        {4, 4, &Session::InfoConsumers}, {4, 4, &Session::Length},      {8, 8, &Session::Commit}};
    unsigned total = 0;
    for (const Choice& choice : kChoices) total += Weight(choice.calm, choice.wild);
    auto at = static_cast<unsigned>(random_.Below(total));
    for (const Choice& choice : kChoices) {
      const unsigned weight = Weight(choice.calm, choice.wild);
      if (at < weight) {
        (this->*choice.command)();
        break;
      }
      at -= weight;
    }
    if (++steps_ % 100 == 0) {
      for (const char* key : kKeys) InfoFull(key);
    }
    return same_;
  }

  uint64_t commands() const { return commands_; }
  const std::map<std::string, uint64_t>& good_replies() const { return good_; }

 private:
  static constexpr const char* kKeys[] = {"alpha", "beta", "gamma"};

  unsigned Weight(unsigned calm, unsigned wild) const { return mood_ == Mood::kCalm ? calm : wild; }

  void Set(const char* setting, uint64_t value) { Both({"CONFIG", "SET", setting, std::to_string(value)}, "+OK"); }

  void Both(const std::vector<std::string>& command, const std::string& ours) {
    Compare(command, redis_.Ask(command), ours);
  }

  void Compare(const std::vector<std::string>& command, const std::string& theirs, const std::string& ours) {
    ++commands_;
    std::string name = command[0];
    if (name == "XGROUP" || name == "XINFO") name += " " + command[1];
    if (theirs[0] != '-' && theirs != kNil && theirs != "[]" && theirs != ":0") ++good_[name];
    if (theirs == ours) return;
    same_ = false;
    std::string text;
    for (const auto& word : command) text += word.substr(0, 60) + " ";
    printf("%s\n  redis: %s\n  ours:  %s\n", text.c_str(), theirs.c_str(), ours.c_str());
  }

  std::string Key() { return kKeys[random_.Below(3)]; }
  std::string GroupName() { return random_.Below(2) == 0 ? "workers" : "audit"; }
  std::string ConsumerName() { return std::string(1, static_cast<char>('a' + random_.Below(3))); }
  // Mostly an id that is there, mostly a new one.
  EntryId SomeId(const std::string& key) {
    const auto newest = engine_.RevRange(key, EntryId::Max(), {}, {.count = random_.Below(8) == 0 ? 200u : 40u});
    if (!newest->empty() && random_.Below(4) != 0) return newest->list[random_.Below(newest->size())].id();
    const EntryId last = *engine_.LastId(key);
    const uint64_t back = random_.Below(40);
    return {last.ms > back ? last.ms - back : 0, random_.Below(3)};
  }
  // Mostly one that waits for its ack.
  EntryId SomePending(const std::string& key, const std::string& group) {
    const auto pending = engine_.PendingRange(key, group, {.count = 100});
    if (!pending.ok() || pending->empty() || random_.Below(4) == 0) return SomeId(key);
    return pending->at(random_.Below(pending->size())).id;
  }
  std::vector<EntryId> SomeIds(const std::string& key, size_t most = 8) {
    std::vector<EntryId> ids(1 + random_.Below(most));
    for (EntryId& id : ids) id = SomeId(key);
    return ids;
  }
  size_t SomeCount(std::vector<std::string>& command) {
    if (random_.Below(2) == 0) return SIZE_MAX;
    const size_t count = 1 + random_.Below(12);
    command.insert(command.end(), {"COUNT", std::to_string(count)});
    return count;
  }

  std::string SomeValue() {
    switch (random_.Below(8)) {
      case 0:
        return std::to_string(static_cast<int64_t>(random_.Next() >> random_.Below(64)));
      case 1:
        return "-" + std::to_string(random_.Below(100000));
      case 2:
        return std::string(random_.Below(200), 'x');
      case 3:
        return std::string(random_.Below(20) == 0 ? 5000 : 70, 'y');
      case 4:
        return "0" + std::to_string(random_.Below(100));
      case 5:
        return "";
      default:
        return "You've got a new alert " + std::to_string(random_.Below(1000));
    }
  }

  Trim SomeTrim(const std::string& key, std::vector<std::string>& command) {
    Trim trim;
    const bool by_length = random_.Below(2) == 0;
    trim.by = by_length ? Trim::By::kMaxLength : Trim::By::kMinId;
    trim.max_length = random_.Below(*engine_.Length(key) + 20);
    trim.min_id = SomeId(key);
    command.push_back(by_length ? "MAXLEN" : "MINID");
    if (random_.Below(2) == 0) {
      trim.exactness = Trim::Exactness::kApproximate;
      command.push_back("~");
    } else if (random_.Below(2) == 0) {
      command.push_back("=");
    }
    command.push_back(by_length ? std::to_string(trim.max_length) : trim.min_id.ToString());
    if (trim.exactness == Trim::Exactness::kApproximate && random_.Below(3) == 0) {
      trim.limit = random_.Below(250);
      command.insert(command.end(), {"LIMIT", std::to_string(*trim.limit)});
    }
    return trim;
  }

  void Add() {
    const std::string key = Key();
    std::vector<std::string> command = {"XADD", key};
    AppendOptions options;
    if (random_.Below(8) == 0) {
      command.push_back("NOMKSTREAM");
      options.make_stream = MakeStream::kNo;
    }
    if (mood_ == Mood::kWild && random_.Below(12) == 0) options.trim = SomeTrim(key, command);
    const EntryId last = *engine_.LastId(key);
    std::string id;
    switch (random_.Below(10)) {
      case 0:
        id = std::to_string(last.ms) + "-*";
        break;
      case 1:
        id = std::to_string(last.ms + random_.Below(3));
        break;
      case 2:
        id = EntryId{last.ms, random_.Below(3)}.ToString();
        break;
      case 3:
        id = EntryId{last.ms + 1 + random_.Below(100000), random_.Next() >> random_.Below(64)}.ToString();
        break;
      default:
        id = EntryId{last.ms + 1 + random_.Below(3), random_.Below(2)}.ToString();
    }
    options.id = *ParseAddId(id);
    command.push_back(id);
    std::vector<std::string> words;
    const size_t shape = random_.Below(6);
    if (shape == 0) {
      for (size_t i = 0; i < 1 + random_.Below(4); ++i) {
        words.push_back("field" + std::to_string(random_.Below(3)));
        words.push_back(SomeValue());
      }
    } else {
      words = {"user_id", std::to_string(random_.Below(300)), "message", SomeValue()};
    }
    std::vector<FieldView> fields;
    for (size_t i = 0; i < words.size(); i += 2) fields.emplace_back(words[i], words[i + 1]);
    command.insert(command.end(), words.begin(), words.end());
    const auto added = engine_.Append(key, fields, options);
    Both(command, !added.ok() ? Failed(added.status()) : *added ? Show(**added) : std::string(kNil));
    engine_.EndCommand();
  }

  void Length() {
    const std::string key = Key();
    Both({"XLEN", key}, Show(engine_.Length(key)));
  }

  void Range() {
    const std::string key = Key();
    const bool backward = random_.Below(2) == 0;
    EntryId a = SomeId(key), b = SomeId(key);
    if (b < a && random_.Below(4) != 0) std::swap(a, b);
    std::string from = a.ToString(), to = b.ToString();
    if (random_.Below(3) == 0) from = "-", a = {};
    if (random_.Below(3) == 0) to = "+", b = EntryId::Max();
    if (random_.Below(6) == 0) from = std::to_string(a.ms), a.seq = 0;
    if (random_.Below(6) == 0) to = std::to_string(b.ms), b.seq = UINT64_MAX;
    if (random_.Below(6) == 0 && from[0] != '-') from = "(" + from, a = *a.Next();
    std::vector<std::string> command = {backward ? "XREVRANGE" : "XRANGE", key, backward ? to : from,
                                        backward ? from : to};
    const size_t count = SomeCount(command);
    const auto found =
        backward ? engine_.RevRange(key, b, a, {.count = count}) : engine_.Range(key, a, b, {.count = count});
    Both(command, Show(*found));
  }

  void Read() {
    std::vector<std::string> command = {"XREAD"};
    ReadRequest request;
    request.count = SomeCount(command);
    command.push_back("STREAMS");
    for (const char* key : kKeys) {
      request.streams.push_back({.key = key, .after = SomeId(key)});
      command.push_back(key);
    }
    for (const auto& from : request.streams) command.push_back(from.after->ToString());
    Both(command, ShowMany(request));
  }

  std::string ShowMany(const ReadRequest& request) {
    const auto found = engine_.ReadMany(request);
    if (!found.ok()) return Failed(found.status());
    if (found->empty()) return std::string(kNil);
    std::vector<std::string> streams;
    for (const auto& one : *found) streams.push_back(Array({Bulk(request.streams[one.stream].key), Show(one.entries)}));
    return Array(streams);
  }

  void TrimIt() {
    const std::string key = Key();
    std::vector<std::string> command = {"XTRIM", key};
    const Trim trim = SomeTrim(key, command);
    Both(command, Show(engine_.TrimStream(key, trim)));
  }

  void Delete() {
    const std::string key = Key();
    const auto ids = SomeIds(key);
    std::vector<std::string> command = {"XDEL", key};
    for (const EntryId id : ids) command.push_back(id.ToString());
    Both(command, Show(engine_.Delete(key, ids)));
  }

  void CreateGroup() {
    const std::string key = Key(), name = GroupName();
    GroupCreateOptions options;
    std::vector<std::string> command = {"XGROUP", "CREATE", key, name};
    Position(key, options, command);
    if (random_.Below(2) == 0) {
      options.make_stream = MakeStream::kYes;
      command.push_back("MKSTREAM");
    }
    Both(command, Show(engine_.GroupCreate(key, name, options)));
  }

  void Position(const std::string& key, GroupCreateOptions& options, std::vector<std::string>& command) {
    switch (random_.Below(3)) {
      case 0:
        options.from_end = true;
        command.push_back("$");
        break;
      case 1:
        command.push_back("0");
        break;
      default:
        options.start = SomeId(key);
        command.push_back(options.start.ToString());
    }
  }

  void MoveGroup() {
    const std::string key = Key(), name = GroupName();
    GroupCreateOptions options;
    std::vector<std::string> command = {"XGROUP", "SETID", key, name};
    Position(key, options, command);
    Both(command, Show(engine_.GroupSetId(key, name, options)));
  }

  void DropGroup() {
    const std::string key = Key(), name = GroupName();
    Both({"XGROUP", "DESTROY", key, name}, Show(engine_.GroupDestroy(key, name)));
  }

  void Consumers() {
    const std::string key = Key(), name = GroupName(), consumer = ConsumerName();
    if (random_.Below(2) == 0) {
      Both({"XGROUP", "CREATECONSUMER", key, name, consumer}, Show(engine_.CreateConsumer(key, name, consumer)));
    } else {
      Both({"XGROUP", "DELCONSUMER", key, name, consumer}, Show(engine_.DeleteConsumer(key, name, consumer)));
    }
  }

  void MakeConsumer(const ReadRequest& request) {
    for (const auto& from : request.streams) {
      if (redis_.Ask({"XINFO", "CONSUMERS", from.key, *request.group})[0] == '-') return;  // a stream will be refused
    }
    for (const auto& from : request.streams) {
      redis_.Ask({"XGROUP", "CREATECONSUMER", from.key, *request.group, request.consumer});
    }
  }

  void ReadNew() {
    ReadRequest request{.group = GroupName(), .consumer = ConsumerName()};
    std::vector<std::string> command = {"XREADGROUP", "GROUP", *request.group, request.consumer};
    request.count = SomeCount(command);
    if (random_.Below(5) == 0) {
      request.acks = Acks::kNone;
      command.push_back("NOACK");
    }
    command.push_back("STREAMS");
    const size_t several = 1 + random_.Below(2);
    for (size_t i = 0; i < several; ++i) request.streams.push_back({.key = kKeys[(random_.Below(2) + i) % 3]});
    for (const auto& from : request.streams) command.push_back(from.key);
    MakeConsumer(request);
    for (size_t i = 0; i < several; ++i) command.push_back(">");
    Both(command, ShowMany(request));
  }

  void ReadHistory() {
    ReadRequest request{.streams = {{.key = Key()}}, .group = GroupName(), .consumer = ConsumerName()};
    request.streams[0].after = random_.Below(2) == 0 ? EntryId() : SomeId(request.streams[0].key);
    std::vector<std::string> command = {"XREADGROUP", "GROUP", *request.group, request.consumer};
    request.count = SomeCount(command);
    MakeConsumer(request);
    command.insert(command.end(), {"STREAMS", request.streams[0].key, request.streams[0].after->ToString()});
    Both(command, ShowMany(request));
  }

  void Ack() {
    const std::string key = Key(), name = GroupName();
    std::vector<EntryId> ids(1 + random_.Below(20));
    for (EntryId& id : ids) id = SomePending(key, name);
    std::vector<std::string> command = {"XACK", key, name};
    for (const EntryId id : ids) command.push_back(id.ToString());
    Both(command, Show(engine_.Ack(key, name, ids)));
  }

  void PendingAll() {
    const std::string key = Key(), name = GroupName();
    const auto found = engine_.PendingOf(key, name);
    std::string ours;
    if (!found.ok()) {
      ours = Failed(found.status());
    } else if (found->count == 0) {
      ours = Array({Int(0), std::string(kNil), std::string(kNil), std::string(kNil)});
    } else {
      std::vector<std::string> consumers;
      for (const auto& [consumer, count] : found->consumers) {
        consumers.push_back(Array({Bulk(consumer), Bulk(std::to_string(count))}));
      }
      ours = Array(
          {Int(static_cast<int64_t>(found->count)), Show(found->smallest), Show(found->largest), Array(consumers)});
    }
    Both({"XPENDING", key, name}, ours);
  }

  void PendingSome() {
    const std::string key = Key(), name = GroupName(), consumer = ConsumerName();
    PendingRangeOptions options{.count = 1 + random_.Below(20)};
    std::vector<std::string> command = {"XPENDING", key, name};
    if (random_.Below(4) == 0) {
      options.min_idle_ms = random_.Below(2) == 0 ? 1'000'000 : 0;
      command.insert(command.end(), {"IDLE", std::to_string(options.min_idle_ms)});
    }
    if (random_.Below(2) == 0) options.start = SomeId(key);
    command.insert(command.end(), {options.start.ToString(), "+", std::to_string(options.count)});
    if (random_.Below(3) == 0) {
      options.consumer = consumer;
      command.push_back(consumer);
    }
    const auto found = engine_.PendingRange(key, name, options);
    std::string theirs = redis_.Ask(command);
    std::string ours;
    if (!found.ok()) {
      ours = Failed(found.status());
    } else {
      std::vector<std::string> list;
      for (const auto& entry : *found) {
        list.push_back(
            Array({Show(entry.id), Bulk(entry.consumer), ":?", Int(static_cast<int64_t>(entry.deliveries))}));
      }
      ours = Array(list);
      theirs = WithoutIdle(theirs);
    }
    Compare(command, theirs, ours);
  }

  // The third element of each pending entry is a time.
  static std::string WithoutIdle(const std::string& reply) {
    std::string text;
    for (size_t i = 0; i < reply.size(); ++i) {
      text += reply[i];
      if (reply[i] != ':' || i < 2 || reply[i - 2] != '"') continue;  // behind a name
      text += '?';
      while (i + 1 < reply.size() && reply[i + 1] != ' ') ++i;
    }
    return text;
  }

  void Claim() {
    const std::string key = Key(), name = GroupName(), consumer = ConsumerName();
    std::vector<EntryId> ids(1 + random_.Below(12));
    for (EntryId& id : ids) id = SomePending(key, name);
    ClaimOptions options{.min_idle_ms = random_.Below(5) == 0 ? 1'000'000 : 0};
    std::vector<std::string> command = {"XCLAIM", key, name, consumer, std::to_string(options.min_idle_ms)};
    for (const EntryId id : ids) command.push_back(id.ToString());
    if (random_.Below(3) == 0) {
      options.force = true;
      command.push_back("FORCE");
    }
    if (random_.Below(3) == 0) {
      options.retry_count = random_.Below(10);
      command.insert(command.end(), {"RETRYCOUNT", std::to_string(*options.retry_count)});
    }
    if (random_.Below(3) == 0) {
      options.answer = Answer::kIdsOnly;
      command.push_back("JUSTID");
    }
    if (random_.Below(8) == 0) {
      options.last_id = SomeId(key);
      command.insert(command.end(), {"LASTID", options.last_id->ToString()});
    }
    MakeConsumer({.streams = {{.key = key}}, .group = name, .consumer = consumer});
    const auto found = engine_.Claim(key, name, consumer, ids, options);
    Both(command, found.ok() ? ShowClaimed(*found, options.answer) : Failed(found.status()));
  }

  static std::string ShowClaimed(const Entries& entries, Answer answer) {
    if (answer == Answer::kEntries) return Show(entries);
    std::vector<EntryId> ids;
    for (const auto& entry : entries.list) ids.push_back(entry.id());
    return ShowIds(ids);
  }

  void AutoClaim() {
    const std::string key = Key(), name = GroupName(), consumer = ConsumerName();
    AutoClaimOptions options{.min_idle_ms = random_.Below(5) == 0 ? 1'000'000 : 0};
    if (random_.Below(2) == 0) options.start = SomeId(key);
    std::vector<std::string> command = {
        "XAUTOCLAIM", key, name, consumer, std::to_string(options.min_idle_ms), options.start.ToString()};
    if (random_.Below(2) == 0) {
      options.count = 1 + random_.Below(5);
      command.insert(command.end(), {"COUNT", std::to_string(options.count)});
    }
    if (random_.Below(3) == 0) {
      options.answer = Answer::kIdsOnly;
      command.push_back("JUSTID");
    }
    MakeConsumer({.streams = {{.key = key}}, .group = name, .consumer = consumer});
    const auto found = engine_.AutoClaim(key, name, consumer, options);
    Both(command, found.ok()
                      ? Array({Show(found->next), ShowClaimed(found->entries, options.answer), ShowIds(found->deleted)})
                      : Failed(found.status()));
  }

  void SetIds() {
    const std::string key = Key();
    SetIdOptions options{.last_id = SomeId(key)};
    if (random_.Below(2) == 0) options.last_id = {engine_.LastId(key)->ms + random_.Below(5), random_.Below(3)};
    std::vector<std::string> command = {"XSETID", key, options.last_id.ToString()};
    if (random_.Below(2) == 0) {
      options.entries_added = *engine_.Length(key) + random_.Below(5) - random_.Below(2);
      if (*options.entries_added > INT64_MAX) options.entries_added = 0;
      options.max_deleted = SomeId(key);
      command.insert(command.end(), {"ENTRIESADDED", std::to_string(*options.entries_added), "MAXDELETEDID",
                                     options.max_deleted->ToString()});
    }
    const std::string ours = Show(engine_.SetId(key, options));
    if (ours.find("current max_deleted_entry_id") != std::string::npos) return;
    Both(command, ours);
  }

  void DropKey() {
    const std::string key = Key();
    Both({"DEL", key}, Show(engine_.DeleteKey(key)));
  }

  void Rename() {
    const std::string from = Key(), to = Key();
    Both({"RENAME", from, to}, Show(engine_.Rename(from, to)));
  }

  static std::string FirstOf(const Entries& entries) {
    return entries.empty() ? std::string(kNil) : Show(entries.list.front());
  }

  static void Figures(const StreamReport& report, std::vector<std::string>& words) {
    const auto number = [](uint64_t value) { return Int(static_cast<int64_t>(value)); };
    words = {Bulk("length"),
             number(report.length),
             Bulk("radix-tree-keys"),
             number(report.radix_keys),
             Bulk("radix-tree-nodes"),
             number(report.radix_nodes),
             Bulk("last-generated-id"),
             Show(report.last_id),
             Bulk("max-deleted-entry-id"),
             Show(report.max_deleted),
             Bulk("entries-added"),
             number(report.entries_added),
             Bulk("recorded-first-entry-id"),
             Show(report.first_id)};
  }

  void InfoStream() {
    const std::string key = Key();
    const auto report = engine_.ReportStream(key);
    std::string ours;
    if (report.ok()) {
      std::vector<std::string> words;
      Figures(*report, words);
      words.insert(words.end(), {Bulk("groups"), Int(static_cast<int64_t>(report->groups)), Bulk("first-entry"),
                                 FirstOf(report->first), Bulk("last-entry"), FirstOf(report->last)});
      ours = Array(words);
    } else {
      ours = Failed(report.status());
    }
    Both({"XINFO", "STREAM", key}, ours);
  }

  std::string Maybe(const std::optional<int64_t>& value) const {
    return mood_ == Mood::kWild ? "?" : value ? Int(*value) : std::string(kNil);
  }

  // Replaces what follows `name` in a reply.
  static std::string Without(std::string reply, const std::string& name) {
    const std::string label = Bulk(name) + " ";
    for (size_t at = reply.find(label); at != std::string::npos; at = reply.find(label, at + 1)) {
      const size_t from = at + label.size();
      reply.replace(from, reply.find_first_of(" ]", from) - from, "?");
    }
    return reply;
  }

  void InfoGroups() {
    const std::string key = Key();
    const auto reports = engine_.ReportGroups(key);
    std::string theirs = redis_.Ask({"XINFO", "GROUPS", key}), ours;
    if (!reports.ok()) {
      ours = Failed(reports.status());
    } else {
      std::vector<std::string> list;
      for (const auto& report : *reports) {
        list.push_back(Array(
            {Bulk("name"), Bulk(report.name), Bulk("consumers"), Int(static_cast<int64_t>(report.consumers)),
             Bulk("pending"), Int(static_cast<int64_t>(report.pending)), Bulk("last-delivered-id"),
             Show(report.last_id), Bulk("entries-read"), Maybe(report.entries_read), Bulk("lag"), Maybe(report.lag)}));
      }
      ours = Array(list);
      if (mood_ == Mood::kWild) theirs = Without(Without(theirs, "lag"), "entries-read");
    }
    Compare({"XINFO", "GROUPS", key}, theirs, ours);
  }

  void InfoConsumers() {
    const std::string key = Key(), name = GroupName();
    const auto reports = engine_.ReportConsumers(key, name);
    std::string theirs = redis_.Ask({"XINFO", "CONSUMERS", key, name}), ours;
    if (!reports.ok()) {
      ours = Failed(reports.status());
    } else {
      std::vector<std::string> list;
      for (const auto& report : *reports) {
        list.push_back(Array({Bulk("name"), Bulk(report.name), Bulk("pending"),
                              Int(static_cast<int64_t>(report.pending)), Bulk("idle"), "?"}));
      }
      ours = Array(list);
      theirs = Without(theirs, "idle");
    }
    Compare({"XINFO", "CONSUMERS", key, name}, theirs, ours);
  }

  void InfoFull(const std::string& key) {
    const auto full = engine_.ReportFull(key, 20);
    std::string theirs = redis_.Ask({"XINFO", "STREAM", key, "FULL", "COUNT", "20"}), ours;
    if (!full.ok()) return Compare({"XINFO", "STREAM", key, "FULL"}, theirs, Failed(full.status()));
    std::vector<std::string> words, groups;
    Figures(full->report, words);
    for (const auto& group : full->groups) {
      std::vector<std::string> pending, consumers;
      for (const auto& p : group.pending) {
        pending.push_back(Array({Show(p.id), Bulk(p.consumer), ":?", Int(static_cast<int64_t>(p.deliveries))}));
      }
      for (const auto& consumer : group.consumers) {
        std::vector<std::string> own;
        for (const auto& p : consumer.pending) {
          own.push_back(Array({Show(p.id), ":?", Int(static_cast<int64_t>(p.deliveries))}));
        }
        consumers.push_back(Array({Bulk("name"), Bulk(consumer.report.name), Bulk("seen-time"), ":?", Bulk("pel-count"),
                                   Int(static_cast<int64_t>(consumer.report.pending)), Bulk("pending"), Array(own)}));
      }
      groups.push_back(
          Array({Bulk("name"), Bulk(group.report.name), Bulk("last-delivered-id"), Show(group.report.last_id),
                 Bulk("entries-read"), Maybe(group.report.entries_read), Bulk("lag"), Maybe(group.report.lag),
                 Bulk("pel-count"), Int(static_cast<int64_t>(group.report.pending)), Bulk("pending"), Array(pending),
                 Bulk("consumers"), Array(consumers)}));
    }
    words.insert(words.end(), {Bulk("entries"), Show(full->entries), Bulk("groups"), Array(groups)});
    ours = Array(words);
    if (mood_ == Mood::kWild) theirs = Without(Without(theirs, "lag"), "entries-read");
    Compare({"XINFO", "STREAM", key, "FULL"}, WithoutTimes(theirs), ours);
  }

  // Times of the wall clock have 13 digits here; nothing else has.
  static std::string WithoutTimes(const std::string& reply) {
    std::string text;
    for (size_t i = 0; i < reply.size();) {
      size_t end = i + 1;
      if (reply[i] == ':') {
        while (end < reply.size() && reply[end] >= '0' && reply[end] <= '9') ++end;
      }
      text += end - i == 14 ? ":?" : reply.substr(i, end - i);
      i = end;
    }
    return text;
  }

  void Commit() {
    storage::Batch batch;
    auto status = engine_.BeforeCommit(batch);
    if (status.ok()) status = store_.Write(batch, storage::Sync::kLater);
    engine_.AfterCommit(status);
    if (!status.ok()) Compare({"commit"}, "ok", status.ToString());
  }

  RedisServer& redis_;
  StreamEngine& engine_;
  storage::Store& store_;
  base::SeededRandom random_;
  const Mood mood_;
  std::map<std::string, uint64_t> good_;
  uint64_t commands_ = 0, steps_ = 0;
  bool same_ = true;
};

bool Run(uint64_t seed, uint64_t steps, RedisServer& redis, storage::Store& store,
         std::map<std::string, uint64_t>& good, uint64_t& commands) {
  const NodeLimits limits[] = {{}, {.max_entries = 10, .max_bytes = 4096}, {.max_entries = 0, .max_bytes = 512}, {}};
  const NodeLimits& nodes = limits[seed % 4];
  base::ManualClock clock(1'000'000);
  StreamEngine engine(store, clock, {.nodes = nodes, .memory_bytes = seed % 2 == 0 ? 1u : 64u << 20});
  Session session(redis, engine, store, nodes, seed % 3 == 0 ? Session::Mood::kCalm : Session::Mood::kWild, seed);
  bool same = true;
  for (uint64_t step = 1; same && step <= steps; ++step) {
    same = session.Step();
    if (!same)
      printf("seed %llu, step %llu\n", static_cast<unsigned long long>(seed), static_cast<unsigned long long>(step));
  }
  for (const auto& [name, count] : session.good_replies()) good[name] += count;
  commands += session.commands();
  return same;
}

constexpr uint64_t kSeeds = 24;

int Main(int argc, char** argv) {
  RedisServer redis;
  if (!redis.running()) {
    printf("no redis-server here: skipped\n");
    return 77;
  }
  storage::TempDir dir;
  auto store = storage::OpenStore({.dir = dir.path() + "/store", .min_free_bytes = 0});
  if (!store.ok()) {
    printf("%s\n", store.status().ToString().c_str());
    return 1;
  }
  std::map<std::string, uint64_t> good;
  uint64_t commands = 0, failed = 0;
  const uint64_t only = argc > 1 ? strtoull(argv[1], nullptr, 10) : 0;
  const uint64_t steps = argc > 2 ? strtoull(argv[2], nullptr, 10) : 10000;
  for (uint64_t seed = only != 0 ? only : 1; seed <= (only != 0 ? only : kSeeds); ++seed) {
    failed += Run(seed, steps, redis, **store, good, commands) ? 0 : 1;
  }
  printf("%llu commands; replies that were neither empty nor errors:\n", static_cast<unsigned long long>(commands));
  for (const auto& [name, count] : good) {
    printf("  %-24s %llu\n", name.c_str(), static_cast<unsigned long long>(count));
    if (only == 0 && count < 200 && name != "CONFIG" && name != "FLUSHALL") {
      printf("  too few to mean anything\n");
      ++failed;
    }
  }
  return failed == 0 ? 0 : 1;
}

}  // namespace
}  // namespace tocsin::differential

int main(int argc, char** argv) { return tocsin::differential::Main(argc, argv); }
