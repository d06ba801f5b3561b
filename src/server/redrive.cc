// Publishing dead letters again. Each batch is one transaction: XADD to the stream and XDEL from the dead letters
// happen both or not at all, also when the server is killed; and it is guarded by WATCH, so that of two operators at
// once only one redrives an entry.
#include <algorithm>
#include <cstdio>
#include <set>

#include "base/clock.h"
#include "model/entry_id.h"
#include "server/dead_letters.h"
#include "server/terminal.h"

namespace tocsin::server {
namespace {

using base::Code;
using base::Result;
using base::Status;
using model::EntryId;

constexpr size_t kBatch = 100;
constexpr int64_t kGiveUpUs = 60'000'000;  // with one batch, against other operators
constexpr size_t kShownGroups = 5;

class Redriver {
 public:
  Redriver(RedisClient& redis, const std::string& stream, const DeadLettersOptions& options, const Mending& mending)
      : redis_(redis),
        stream_(stream),
        dead_(stream + std::string(kDeadLetterSuffix)),
        gate_(dead_ + ":tocsin-redrive"),
        options_(options),
        mending_(mending) {}

  Status Run(DeadLetterChoice choice) {
    RETURN_IF_ERROR(CheckTarget());
    Result<DeadLetterCursor> cursor = DeadLetterCursor::Open(redis_, dead_, std::move(choice));
    if (!cursor.ok()) return cursor.status();
    Status status = IsRehearsal() ? Rehearse(*cursor) : RedriveAll(*cursor);
    Result<size_t> back = status.ok() ? CountBack(cursor->bound()) : Result<size_t>(size_t{0});
    Summarize();
    RETURN_IF_ERROR(status);
    if (!back.ok()) return back.status();
    return Verdict(*back);
  }

 private:
  bool IsRehearsal() const { return options_.rehearsal == Rehearsal::kDryRun; }

  // A transaction takes nothing back: where XADD cannot work, nothing is begun.
  Status CheckTarget() {
    Result<RedisReply> type = redis_.Run({"TYPE", stream_});
    if (!type.ok()) return type.status();
    if (type->text != "stream" && type->text != "none") {
      return Status(Code::kConflict, "`" + Escaped(stream_) + "` is no stream but of type " + Escaped(type->text));
    }
    Result<RedisReply> gate = redis_.Run({"EXISTS", gate_});
    if (!gate.ok()) return gate.status();
    if (gate->integer == 0) return base::Ok();
    return Status(Code::kConflict, "the key `" + Escaped(gate_) + "` is in the way: a redrive makes and deletes it");
  }

  Status Rehearse(DeadLetterCursor& cursor) {
    for (;;) {
      Result<DeadLetterCursor::Page> page = cursor.Read(kBatch);
      if (!page.ok()) return page.status();
      if (page->end) return base::Ok();
      missing_ += page->missing.size();
      for (const StreamEntry& entry : page->entries) {
        if (mending_.Apply(entry).empty()) {
          ++empty_;
          continue;
        }
        Count(entry);
        Print(entry.id, "would_redrive", "");
      }
      cursor.Advance(*page);
      progress_.Tell("found:", redriven_, cursor.total());
    }
  }

  Status RedriveAll(DeadLetterCursor& cursor) {
    int64_t moved_us = base::SystemClock().MonotonicUs();
    for (;;) {
      Result<RedisReply> watched = redis_.Run({"WATCH", gate_});
      if (!watched.ok()) return watched.status();
      Result<DeadLetterCursor::Page> page = cursor.Read(kBatch);
      if (!page.ok()) return page.status();
      if (page->end) break;
      Result<bool> done = RedriveBatch(page->entries);
      if (!done.ok()) return done.status();
      const int64_t now_us = base::SystemClock().MonotonicUs();
      if (!*done) {  // another operator was first: look again
        if (now_us - moved_us > kGiveUpUs) return Busy();
        continue;
      }
      moved_us = now_us;
      missing_ += page->missing.size();
      cursor.Advance(*page);
      progress_.Tell("redriven:", redriven_, cursor.total());
    }
    Result<RedisReply> unwatched = redis_.Run({"UNWATCH"});
    return unwatched.ok() ? base::Ok() : unwatched.status();
  }

  Status Busy() const {
    return Status(Code::kUnavailable,
                  "somebody else is redriving the dead letters of `" + Escaped(stream_) + "`: run it again later");
  }

  // False: another operator has redriven something since they were read, and nothing was done.
  Result<bool> RedriveBatch(const std::vector<StreamEntry>& entries) {
    std::vector<const StreamEntry*> batch;
    std::vector<RedisCommand> commands;
    RedisCommand remove = {"XDEL", dead_};
    for (const StreamEntry& entry : entries) {
      const auto fields = mending_.Apply(entry);
      if (fields.empty()) continue;
      commands.push_back({"XADD", stream_, "*"});
      for (const auto& [name, value] : fields) commands.back().insert(commands.back().end(), {name, value});
      remove.push_back(entry.id);
      batch.push_back(&entry);
    }
    if (!batch.empty()) {
      commands.push_back(std::move(remove));
      commands.push_back({"XADD", gate_, "*", "redrive", "1"});
      commands.push_back({"DEL", gate_});
      Result<RedisReply> executed = redis_.Transaction(commands);
      if (executed.status().code() == Code::kUnavailable) {
        return Status(Code::kUnavailable, std::string(executed.status().message()) + "; of the last " +
                                              std::to_string(batch.size()) +
                                              " either all are redriven or none: run it again, nothing is redriven "
                                              "twice");
      }
      if (!executed.ok()) return executed.status();
      if (executed->is_nil()) return false;
      RETURN_IF_ERROR(TakeResults(batch, *executed));
    }
    empty_ += entries.size() - batch.size();
    return true;
  }

  Status TakeResults(const std::vector<const StreamEntry*>& batch, const RedisReply& executed) {
    Status refused;
    for (size_t i = 0; i < batch.size(); ++i) {
      const RedisReply& added = executed.At(i);
      if (added.kind != RedisReply::Kind::kText) {
        refused = PutBack(*batch[i], added);
        continue;
      }
      Count(*batch[i]);
      Print(batch[i]->id, "redriven", added.text);
      if (const auto id = EntryId::Parse(added.text)) new_ids_.push_back(*id);
    }
    RETURN_IF_ERROR(refused);
    const RedisReply& removed = executed.At(batch.size());
    if (removed.is_error()) return StatusOf(removed);
    taken_ += batch.size() - static_cast<size_t>(std::clamp<int64_t>(removed.integer, 0, std::ssize(batch)));
    return base::Ok();
  }

  // The server has refused one XADD of a transaction that took the entry from the dead letters: it must not be lost.
  Status PutBack(const StreamEntry& entry, const RedisReply& refusal) {
    RedisCommand command = {"XADD", dead_, "*"};
    for (const auto& [name, value] : entry.fields) command.insert(command.end(), {name, value});
    Result<RedisReply> added = redis_.Run(command);
    std::string why =
        refusal.is_error() ? std::string(StatusOf(refusal).message()) : "XADD was not answered with an id";
    if (added.ok()) {
      return Status(Code::kInternal, why + "; " + entry.id + " is a dead letter again, as " + Escaped(added->text));
    }
    std::fprintf(stderr, "%s\n", DeadLetterJson(entry).c_str());
    return Status(Code::kInternal, why + "; " + entry.id + " could not be put back either (" +
                                       std::string(added.status().message()) + "): keep the line above");
  }

  void Count(const StreamEntry& entry) {
    ++redriven_;
    const std::string_view group = FailedGroup(entry);
    if (group.empty()) return;
    ++of_groups_;
    if (groups_.size() <= kShownGroups) groups_.emplace(group);
  }

  void Print(const std::string& id, std::string_view result, std::string_view new_id) const {
    if (options_.output == Output::kReadable) return;
    JsonLine json;
    json.Text("id", id).Text("result", result);
    if (!new_id.empty()) json.Text("new_id", new_id);
    std::printf("%s\n", json.ToString().c_str());
  }

  // Those that are dead letters again: routed in the turn that stored them, and still wrong.
  Result<size_t> CountBack(const std::string& bound) {
    size_t back = 0;
    std::string from = "(" + bound;
    while (!new_ids_.empty()) {
      Result<std::vector<StreamEntry>> entries = ReadEntries(redis_, dead_, from, "+", kBatch);
      if (!entries.ok()) return entries.status();
      if (entries->empty()) break;
      for (const StreamEntry& entry : *entries) {
        const auto former = EntryId::Parse(entry.Field(kFormerIdField));
        if (former && std::binary_search(new_ids_.begin(), new_ids_.end(), *former)) ++back;
      }
      from = "(" + entries->back().id;
    }
    return back;
  }

  void Summarize() const {
    std::fflush(stdout);
    std::string text = IsRehearsal() ? "would redrive " + std::to_string(redriven_) + " to `" + Escaped(stream_) +
                                           "`; nothing was changed\n"
                                     : std::to_string(redriven_) + " redriven to `" + Escaped(stream_) + "`\n";
    if (redriven_ > 0) {
      text += IsRehearsal() ? "each would be a new entry with a new id\n" : "each is a new entry with a new id\n";
    }
    if (taken_ > 0) {
      text += "note: " + std::to_string(taken_) + " of them somebody has deleted from the dead letters meanwhile\n";
    }
    if (of_groups_ > 0) text += GroupNote();
    std::FILE* out = options_.output == Output::kReadable ? stdout : stderr;
    std::fputs(text.c_str(), out);
    std::fflush(out);
  }

  std::string GroupNote() const {
    std::string names;
    size_t shown = 0;
    for (const std::string& group : groups_) {
      if (++shown > kShownGroups) {
        names += ", ...";
        break;
      }
      names += (names.empty() ? "`" : ", `") + Shortened(group, 60) + "`";
    }
    return "note: " + std::to_string(of_groups_) + " of them were given up by a group (" + names +
           "). There is no redrive to one group: each new entry goes to every group of `" + Escaped(stream_) +
           "`, and if that is an ingest stream, to its users a second time\n";
  }

  Status Verdict(size_t back) const {
    std::string text;
    if (back > 0) {
      text += std::to_string(back) +
              " came back at once as dead letters, wrong as they were: `tocsin dead-letters list` says why, and "
              "`redrive --set FIELD=VALUE` mends a field on the way. ";
    }
    if (empty_ > 0) text += std::to_string(empty_) + " have no field to publish, and stay. ";
    if (missing_ > 0) text += std::to_string(missing_) + " of the ids are no dead letters. ";
    if (text.empty()) return base::Ok();
    text.pop_back();
    return Status(Code::kConflict, text);
  }

  RedisClient& redis_;
  const std::string& stream_;
  const std::string dead_, gate_;
  const DeadLettersOptions& options_;
  const Mending& mending_;
  Progress progress_;
  uint64_t redriven_ = 0, of_groups_ = 0, empty_ = 0, taken_ = 0;
  size_t missing_ = 0;
  std::set<std::string> groups_;
  std::vector<EntryId> new_ids_;  // ascending, as the server gave them
};

}  // namespace

Status Redrive(RedisClient& redis, const std::string& stream, const DeadLettersOptions& options,
               DeadLetterChoice choice, const Mending& mending) {
  return Redriver(redis, stream, options, mending).Run(std::move(choice));
}

}  // namespace tocsin::server
