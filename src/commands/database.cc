#include "commands/database.h"

#include <algorithm>

#include "commands/arguments.h"

namespace tocsin::commands {

Database::Database(streams::StreamEngine& engine, const base::Clock& clock, DatabaseOptions options)
    : engine_(engine), clock_(clock), options_(std::move(options)), started_us_(clock.MonotonicUs()) {}

bool Database::IsIngest(std::string_view key) const {
  return std::find(options_.ingest_streams.begin(), options_.ingest_streams.end(), key) !=
         options_.ingest_streams.end();
}

bool Database::MayUseGroup(Call& call, std::string_view key, std::string_view group) const {
  if (call.scopes.Has(auth::Scope::kAdmin) || group != options_.own_group || !IsIngest(key)) return true;
  call.reply.Error("NOPERM the group '" + options_.own_group +
                   "' of an ingest stream is the server's own: it takes the scope admin");
  return false;
}

bool Database::MayRemove(Call& call, std::string_view key) const {
  if (call.scopes.Has(auth::Scope::kAdmin) || !IsIngest(key)) return true;
  call.reply.Error("NOPERM '" + std::string(key) + "' is an ingest stream: it takes the scope admin");
  return false;
}

bool Database::RouteFirst(Call& call, std::string_view key) {
  if (!route_now_ || !IsIngest(key)) return true;
  const base::Status status = route_now_(call.turn);
  if (!status.ok()) WriteFailure(call.reply, status);
  return status.ok();
}

base::Result<std::optional<model::EntryId>> Database::LastIngestId(std::string_view key) {
  if (!IsIngest(key)) return std::optional<model::EntryId>();
  auto last = engine_.LastId(key);
  if (!last.ok()) return last.status();
  return std::optional<model::EntryId>(*last);
}

base::Status Database::KeepIngestIds(std::string_view key, std::optional<model::EntryId> last) {
  if (!last) return base::Ok();
  base::Status made =
      engine_.GroupCreate(key, options_.own_group, {.start = *last, .make_stream = streams::MakeStream::kYes});
  if (!made.ok() && made.code() != base::Code::kConflict) return made;
  auto now = engine_.LastId(key);
  if (!now.ok()) return now.status();
  return *now < *last ? engine_.SetId(key, {.last_id = *last}) : base::Ok();
}

uint64_t Database::RememberScan(std::string key) {
  constexpr size_t kRemembered = 1'024, kRememberedBytes = 4 << 20;
  scan_bytes_ += key.size();
  scans_.push_back(std::move(key));
  while (scans_.size() > kRemembered || (scans_.size() > 1 && scan_bytes_ > kRememberedBytes)) {
    scan_bytes_ -= scans_.front().size();
    scans_.pop_front();
    ++first_scan_;
  }
  return first_scan_ + scans_.size() - 1;
}

std::string Database::ScannedBy(uint64_t cursor) const {
  if (cursor < first_scan_ || cursor - first_scan_ >= scans_.size()) return {};
  return scans_[cursor - first_scan_];
}

}  // namespace tocsin::commands
