// tocsin dead-letters list|redrive|drop.
#include <cstdio>

#include "model/entry_id.h"
#include "server/dead_letters.h"
#include "server/terminal.h"

namespace tocsin::server {
namespace {

using base::Code;
using base::Result;
using base::Status;
using Action = DeadLettersOptions::Action;
using Align = Table::Align;

constexpr size_t kPage = 100;
constexpr size_t kShownReason = 80, kShownValue = 40, kShownFields = 120;

std::string_view NameOf(Action action) {
  switch (action) {
    case Action::kList:
      return "dead-letters list";
    case Action::kRedrive:
      return "dead-letters redrive";
    case Action::kDrop:
      return "dead-letters drop";
  }
  return "dead-letters";
}

std::string ShownFields(const StreamEntry& entry) {
  std::string shown;
  for (const auto& [name, value] : entry.fields) {
    if (IsAddedField(name)) continue;
    if (shown.size() > kShownFields) return shown + " ...";
    shown += (shown.empty() ? "" : " ") + Shortened(name, kShownValue) + "=" + Shortened(value, kShownValue);
  }
  return shown;
}

std::string AgeOf(const std::string& id, int64_t now_ms) {
  const auto parsed = model::EntryId::Parse(id);
  if (!parsed || parsed->ms > static_cast<uint64_t>(now_ms)) return "0s";
  return ShortAge(now_ms - static_cast<int64_t>(parsed->ms));
}

Status List(RedisClient& redis, DeadLetterCursor& cursor, const DeadLettersOptions& options) {
  Result<int64_t> now_ms = ServerTimeMs(redis);
  if (!now_ms.ok()) return now_ms.status();
  Table table({{"id"}, {"age", Align::kRight}, {"group"}, {"attempts", Align::kRight}, {"reason"}, {"fields"}});
  const auto count = static_cast<size_t>(options.count);
  size_t shown = 0, missing = 0;
  bool more = false;
  while (!more) {
    Result<DeadLetterCursor::Page> page = cursor.Read(kPage);
    if (!page.ok()) return page.status();
    if (page->end) break;
    missing += page->missing.size();
    for (const StreamEntry& entry : page->entries) {
      more = shown == count;
      if (more) break;
      ++shown;
      if (options.output == Output::kJson) {
        std::printf("%s\n", DeadLetterJson(entry).c_str());
        continue;
      }
      const std::string_view group = FailedGroup(entry);
      table.Add({Escaped(entry.id), AgeOf(entry.id, *now_ms), group.empty() ? "-" : Shortened(group, kShownValue),
                 Shortened(entry.Field(kAttemptsField), kShownValue),
                 Shortened(entry.Field(kReasonField), kShownReason), ShownFields(entry)});
    }
    cursor.Advance(*page);
  }
  if (options.output == Output::kReadable && shown > 0) std::fputs(table.ToString().c_str(), stdout);
  if (options.output == Output::kReadable && shown == 0) {
    std::fputs(cursor.total() == 0 ? "(no dead letters)\n" : "(none of the dead letters is chosen by that)\n", stdout);
  }
  std::fflush(stdout);
  if (more) std::fprintf(stderr, "there are more: --count N shows N of them\n");
  if (missing == 0) return base::Ok();
  return Status(Code::kNotFound, std::to_string(missing) + " of the ids are no dead letters");
}

class Dropper {
 public:
  Dropper(RedisClient& redis, const std::string& key, const DeadLettersOptions& options)
      : redis_(redis), key_(key), options_(options) {}

  Status Run(DeadLetterCursor& cursor) {
    Status status = DropAll(cursor);
    Summarize();
    RETURN_IF_ERROR(status);
    if (missing_ == 0) return base::Ok();
    return Status(Code::kNotFound, std::to_string(missing_) + " of the ids are no dead letters");
  }

 private:
  bool IsRehearsal() const { return options_.rehearsal == Rehearsal::kDryRun; }

  Status DropAll(DeadLetterCursor& cursor) {
    for (;;) {
      Result<DeadLetterCursor::Page> page = cursor.Read(kPage);
      if (!page.ok()) return page.status();
      if (page->end) return base::Ok();
      missing_ += page->missing.size();
      RETURN_IF_ERROR(Drop(page->entries));
      cursor.Advance(*page);
      progress_.Tell(IsRehearsal() ? "found:" : "dropped:", dropped_, cursor.total());
    }
  }

  Status Drop(const std::vector<StreamEntry>& entries) {
    if (entries.empty()) return base::Ok();
    if (IsRehearsal()) {
      dropped_ += entries.size();
    } else {
      RedisCommand command = {"XDEL", key_};
      for (const StreamEntry& entry : entries) command.push_back(entry.id);
      Result<RedisReply> removed = redis_.Run(command);
      if (!removed.ok()) return removed.status();
      dropped_ += static_cast<uint64_t>(removed->integer);
    }
    if (options_.output == Output::kReadable) return base::Ok();
    for (const StreamEntry& entry : entries) {
      JsonLine json;
      json.Text("id", entry.id).Text("result", IsRehearsal() ? "would_drop" : "dropped");
      std::printf("%s\n", json.ToString().c_str());
    }
    return base::Ok();
  }

  void Summarize() const {
    std::FILE* out = options_.output == Output::kReadable ? stdout : stderr;
    std::fflush(stdout);
    std::fprintf(out, IsRehearsal() ? "would drop %llu of `%s`; nothing was changed\n" : "%llu dropped from `%s`\n",
                 static_cast<unsigned long long>(dropped_), Escaped(key_).c_str());
    std::fflush(out);
  }

  RedisClient& redis_;
  const std::string& key_;
  const DeadLettersOptions& options_;
  Progress progress_;
  uint64_t dropped_ = 0;
  size_t missing_ = 0;
};

// Everything at once has to be said.
Status CheckChosen(const DeadLettersOptions& options) {
  if (options.action == Action::kList || options.selection == DeadLettersOptions::Selection::kAll) return base::Ok();
  if (!options.ids.empty() || !options.filters.empty()) return base::Ok();
  if (!options.older_than.empty() || !options.newer_than.empty()) return base::Ok();
  return Status(Code::kInvalidArgument,
                "say which: --id ID, --filter FIELD=TEXT, --older-than 7d, --newer-than 1h, or --all; with --dry-run "
                "it is only shown what would be done");
}

// A mistyped name would look like a stream without dead letters.
Status CheckStream(RedisClient& redis, const std::string& stream, const std::string& key) {
  Result<RedisReply> exist = redis.Run({"EXISTS", stream, key});
  if (!exist.ok()) return exist.status();
  return exist->integer > 0 ? base::Ok() : NoStream(stream);
}

Status RunDeadLetters(const DeadLettersOptions& options, const Config& config) {
  RETURN_IF_ERROR(CheckChosen(options));
  if (options.count < 1) return Status(Code::kInvalidArgument, "--count is 1 or more");
  Result<DeadLetterChoice> choice = DeadLetterChoice::Parse(options);
  if (!choice.ok()) return choice.status();
  Result<Mending> mending = Mending::Parse(options.set, options.unset);
  if (!mending.ok()) return mending.status();
  Result<std::string> stream = DeadLetterSource(options, config);
  if (!stream.ok()) return stream.status();
  const std::string key = *stream + std::string(kDeadLetterSuffix);
  Result<RedisClient> redis = OpenRedis(options, config);
  if (!redis.ok()) return redis.status();
  RETURN_IF_ERROR(CheckStream(*redis, *stream, key));
  if (options.action == Action::kRedrive) {
    return Redrive(*redis, *stream, options, std::move(choice).value(), *mending);
  }
  Result<DeadLetterCursor> cursor = DeadLetterCursor::Open(*redis, key, std::move(choice).value());
  if (!cursor.ok()) return cursor.status();
  return options.action == Action::kList ? List(*redis, *cursor, options) : Dropper(*redis, key, options).Run(*cursor);
}

}  // namespace

int DeadLetters(const DeadLettersOptions& options, const Config& config) {
  return Report(NameOf(options.action), RunDeadLetters(options, config));
}

}  // namespace tocsin::server
