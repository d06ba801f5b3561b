// The embedded store at one end of a migration: its streams through the same commands that its Redis port has, its logs
// as docs/format.md draws them.
#include <algorithm>
#include <filesystem>

#include "auth/api_keys.h"
#include "auth/guess_limiter.h"
#include "commands/client.h"
#include "logs/user_logs.h"
#include "server/migrate_end.h"
#include "server/migrate_schedule.h"
#include "state/rate_limit.h"
#include "storage/committer.h"
#include "storage/families.h"
#include "storage/store.h"
#include "streams/engine.h"

namespace tocsin::server {
namespace {

using base::Code;
using base::Result;
using base::Status;
using model::EntryId;
using storage::Family;

constexpr size_t kReadEntries = 512, kReadBytes = 4 << 20;
constexpr size_t kBatchBytes = 4 << 20;

// Runs a client's commands in one turn.
class RunCommands final : public storage::Change {
 public:
  RunCommands(commands::Batch& batch, commands::Database& db, commands::StoreSession& session, std::string& replies,
              Status& status)
      : batch_(batch), db_(db), session_(session), replies_(replies), status_(status) {}
  void Stage(storage::Batch& turn) override { stop_ = batch_.Run(db_, session_, turn, replies_); }
  void Done(const Status& status) override { status_ = status; }

 private:
  commands::Batch& batch_;
  commands::Database& db_;
  commands::StoreSession& session_;
  std::string& replies_;
  Status& status_;
  commands::Batch::Stop stop_ = commands::Batch::Stop::kEnd;
};

class EmbeddedEnd final : public MigrationEnd {
 public:
  explicit EmbeddedEnd(std::string directory) : directory_(std::move(directory)) {}
  ~EmbeddedEnd() override { Close(); }

  Status Open() {
    auto store = storage::OpenStore({.dir = directory_});
    if (!store.ok()) return store.status();
    store_ = std::move(*store);
    engine_ = std::make_unique<streams::StreamEngine>(*store_, base::SystemClock());
    committer_ = std::make_unique<storage::Committer>(*store_, base::SystemClock(),
                                                      std::vector<storage::Participant*>{engine_.get()});
    // No ingest streams: no stream has rules of its own here, and every command is allowed.
    db_ = std::make_unique<commands::Database>(*engine_, base::SystemClock(), commands::DatabaseOptions{});
    context_.reset(
        new commands::ClientContext{*db_, keys_, guesses_, commands::Authentication::kOff, base::SystemClock()});
    client_ = std::make_unique<commands::Client>(*context_, "", "", "");
    return base::Ok();
  }

  // It was made when it was opened: see below.
  Status CheckEmpty(const std::vector<std::string>&) override { return base::Ok(); }

  // All of them: nobody else has streams in this store.
  Result<std::vector<std::string>> Streams(const std::vector<std::string>&) override {
    auto replies = Run("", {{"KEYS", "*"}});
    if (!replies.ok()) return replies.status();
    std::vector<std::string> names;
    for (wire::RespReply& name : replies->front().elements) names.push_back(std::move(name.text));
    std::sort(names.begin(), names.end());
    return names;
  }

  Result<std::vector<wire::RespReply>> Run(const std::string&, const std::vector<RespCommand>& commands) override {
    std::vector<wire::RespReply> replies;
    for (const RespCommand& command : commands) {
      commands::Batch batch;
      const std::vector<std::string_view> words(command.begin(), command.end());
      const commands::Next next = client_->Take(words, batch);
      std::string bytes;
      if (batch.is_ready()) {
        bytes = batch.ready_replies();
      } else if (next != commands::Next::kHost) {
        Status status;
        RETURN_IF_ERROR(
            committer_->Submit(std::make_unique<RunCommands>(batch, *db_, *client_->session(), bytes, status)));
        committer_->RunTurn();
        RETURN_IF_ERROR(status);
      }
      wire::RespReplyParser parser;
      wire::RespReply reply;
      size_t consumed = 0;
      if (parser.Next(bytes, consumed, reply) != wire::RespReplyParser::Step::kReply) {
        return Status(Code::kInternal, "`" + command[0] + "` was not answered");
      }
      replies.push_back(std::move(reply));
    }
    return replies;
  }

  Result<std::string> Epoch() override { return store_->epoch(); }

  // The store reads its epoch when it is opened.
  Status Begin(const std::string& epoch) override {
    if (epoch.empty()) return base::Ok();
    storage::Batch batch;
    batch.Put(Family::kMeta, storage::kEpochKey, epoch);
    RETURN_IF_ERROR(store_->Write(batch, storage::Sync::kNow));
    Close();
    return Open();
  }

  Status ReadLogs(const std::vector<std::string>&, int64_t now_ms, const Take& take) override {
    auto windows = store_->Iterate(Family::kMeta, "limit/", "limit0");
    for (windows->SeekToFirst(); windows->Valid(); windows->Next()) {
      auto window = state::DecodeWindow(windows->value());
      if (!window.ok()) return window.status();
      if (window->summed > 0) return Status(Code::kConflict, kUntoldDigests);
    }
    RETURN_IF_ERROR(windows->status());
    auto heads = store_->Iterate(Family::kHeads, "", "");
    UserRecord record;
    bool has_head = false;
    // A user's keys lie together; devices stand before the head, mark ids and states behind it.
    for (heads->SeekToFirst(); heads->Valid(); heads->Next()) {
      const std::string_view key = heads->key();
      const size_t size = key.size() < 2 ? 0 : model::GetBig16(key.data());
      if (key.size() < size + 3) return Damaged("a key");
      const std::string_view user = key.substr(2, size);
      if (user != record.user) {
        if (has_head) RETURN_IF_ERROR(Finish(record, take));
        record = UserRecord{};
        record.user = user;
        has_head = false;
      }
      RETURN_IF_ERROR(TakeKey(key[2 + size], key.substr(3 + size), heads->value(), now_ms, record, has_head));
    }
    RETURN_IF_ERROR(heads->status());
    return has_head ? Finish(record, take) : base::Ok();
  }

  Status WriteLog(const UserRecord& record) override {
    logs::LogHead head = record.head;
    head.entries = record.lines.size();
    head.stated = {};
    head.preferred = record.preferences.empty() ? logs::Preferred::kNo : logs::Preferred::kYes;
    if (!record.preferences.empty()) {
      batch_.Put(Family::kHeads, logs::PreferencesKey(record.user), record.preferences);
    }
    for (const logs::LogLine& line : record.lines) {
      const EntryId id = line.entry->id;
      batch_.Put(Family::kLogs, logs::EntryKey(record.user, id), logs::EncodeLogEntry(*line.entry));
      if (line.entry->is_item() && line.state != logs::ItemState::kUnread) {
        batch_.Put(Family::kHeads, logs::StateKey(record.user, id), logs::EncodeState(line.state));
        head.stated = id;
      }
      const std::string& collapse_key = line.entry->traits.collapse_key;
      if (!collapse_key.empty()) {  // the newest stays
        std::string value;
        id.EncodeTo(value);
        batch_.Put(Family::kHeads, logs::CollapseKey(record.user, collapse_key), value);
      }
      if (batch_.bytes() > kBatchBytes) RETURN_IF_ERROR(Write(storage::Sync::kLater));
    }
    for (const auto& [device, stored] : record.devices) {
      batch_.Put(Family::kHeads, logs::DeviceKey(record.user, device), logs::EncodeDevice(stored));
    }
    for (const auto& [mid, at_ms] : record.mark_ids) {
      batch_.Put(Family::kHeads, logs::MarkKey(record.user, mid), logs::EncodeMarkTime(at_ms));
    }
    batch_.Put(Family::kHeads, logs::HeadKey(record.user), logs::EncodeHead(head));
    return batch_.bytes() > kBatchBytes ? Write(storage::Sync::kLater) : base::Ok();
  }

  Result<uint64_t> ReadSchedule(const std::vector<std::string>& ingest, const TakeScheduled& take) override {
    return ReadEmbeddedSchedule(*store_, ingest, take);
  }
  Status WriteSchedule(const std::string&, const std::vector<notifier::Timer>& timers, uint64_t number) override {
    return WriteEmbeddedSchedule(*store_, timers, number);
  }

  Status Flush() override { return Write(storage::Sync::kNow); }

 private:
  static Status Damaged(std::string_view what) {
    return Status(Code::kCorruption, std::string(what) + " of the user logs cannot be read");
  }

  Status TakeKey(char tag, std::string_view rest, std::string_view value, int64_t now_ms, UserRecord& record,
                 bool& has_head) {
    if (tag == logs::kHeadTag) {
      auto head = logs::DecodeHead(record.user, value);
      if (!head.ok()) return head.status();
      record.head = std::move(*head);
      has_head = true;
    } else if (tag == logs::kDeviceTag) {
      auto device = logs::DecodeDevice(value);
      if (!device.ok()) return device.status();
      record.devices.emplace_back(rest, *device);
    } else if (tag == logs::kMarkTag) {
      auto at_ms = logs::DecodeMarkTime(value);
      if (!at_ms.ok()) return at_ms.status();
      if (now_ms - *at_ms < model::kMarkIdMs) record.mark_ids.emplace_back(rest, *at_ms);
    } else if (tag == logs::kPreferencesTag) {
      record.preferences = value;
    }
    return base::Ok();  // states and collapse keys come with the lines
  }

  Status Finish(UserRecord& record, const Take& take) {
    const logs::LogReader reader(*store_);
    EntryId after;
    for (;;) {
      auto piece = reader.Read(record.user, after, kReadEntries, kReadBytes, storage::Tier::kDisk);
      if (!piece.ok()) return piece.status();
      for (logs::LogLine& line : piece->lines) record.lines.push_back(std::move(line));
      if (piece->complete || piece->lines.empty()) break;
      after = record.lines.back().entry->id;
    }
    return take(record);
  }

  Status Write(storage::Sync sync) {
    if (batch_.empty()) return sync == storage::Sync::kNow ? store_->SyncNow() : base::Ok();
    RETURN_IF_ERROR(store_->Write(batch_, sync));
    batch_.Clear();
    return base::Ok();
  }

  void Close() {
    client_.reset();
    context_.reset();
    db_.reset();
    committer_.reset();
    engine_.reset();
    store_.reset();
  }

  const std::string directory_;
  std::unique_ptr<storage::Store> store_;
  std::unique_ptr<streams::StreamEngine> engine_;
  std::unique_ptr<storage::Committer> committer_;
  std::unique_ptr<commands::Database> db_;
  auth::ApiKeys keys_;
  auth::GuessLimiter guesses_{base::SystemClock(), base::SystemRandom()};
  std::unique_ptr<commands::ClientContext> context_;
  std::unique_ptr<commands::Client> client_;
  storage::Batch batch_;
};

}  // namespace

Result<std::unique_ptr<MigrationEnd>> OpenEmbeddedEnd(const std::string& directory, MigrationRole role) {
  std::error_code ignored;
  if (role == MigrationRole::kSource && !std::filesystem::exists(directory, ignored)) {
    return Status(Code::kNotFound, directory + " is not there");
  }
  // There may be generated keys in it; a store has this file.
  if (role == MigrationRole::kTarget && std::filesystem::exists(directory + "/CURRENT", ignored)) {
    return Status(Code::kConflict, directory + " has a store already: name a directory that has none");
  }
  auto end = std::make_unique<EmbeddedEnd>(directory);
  RETURN_IF_ERROR(end->Open());
  return std::unique_ptr<MigrationEnd>(std::move(end));
}

}  // namespace tocsin::server
