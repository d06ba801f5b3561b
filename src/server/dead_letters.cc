#include "server/dead_letters.h"

#include <algorithm>

#include "model/entry_id.h"
#include "notifier/router.h"
#include "server/terminal.h"

namespace tocsin::server {
namespace {

using base::Code;
using base::Result;
using base::Status;
using model::EntryId;

constexpr size_t kPageBytes = 8 << 20;  // far below what MULTI may queue
constexpr size_t kMaxAtOnce = 1000;

Status Wrong(std::string why) { return Status(Code::kInvalidArgument, std::move(why)); }

size_t SizeOf(const StreamEntry& entry) {
  size_t size = 0;
  for (const auto& [name, value] : entry.fields) size += name.size() + value.size();
  return size;
}

}  // namespace

std::string_view FailedGroup(const StreamEntry& dead_letter) {
  const std::string_view group = dead_letter.Field(kGroupField);
  return group == notifier::kGroup ? std::string_view() : group;
}

bool IsAddedField(std::string_view name) { return name.starts_with("tocsin_"); }

Result<FieldFilter> FieldFilter::Parse(std::string_view text) {
  const size_t sign = text.find_first_of("=~");
  if (sign == std::string_view::npos || sign == 0) {
    return Wrong("--filter " + std::string(text) +
                 ": FIELD=TEXT (equals) or FIELD~TEXT (contains) is expected, for example tocsin_reason~user_id");
  }
  return FieldFilter{.field = std::string(text.substr(0, sign)),
                     .match = text[sign] == '=' ? Match::kEquals : Match::kContains,
                     .text = std::string(text.substr(sign + 1))};
}

bool FieldFilter::Holds(const StreamEntry& entry) const {
  return std::any_of(entry.fields.begin(), entry.fields.end(), [this](const auto& each) {
    if (each.first != field) return false;
    return match == Match::kEquals ? each.second == text : each.second.find(text) != std::string::npos;
  });
}

Result<Mending> Mending::Parse(const std::vector<std::string>& set, const std::vector<std::string>& unset) {
  Mending mending{.set = {}, .unset = unset};
  for (const std::string& each : set) {
    const size_t sign = each.find('=');
    if (sign == std::string::npos || sign == 0) {
      return Wrong("--set " + each + ": FIELD=VALUE is expected, for example --set user_id=ann");
    }
    mending.set.emplace_back(each.substr(0, sign), each.substr(sign + 1));
  }
  for (const auto& [name, value] : mending.set) {
    if (IsAddedField(name)) return Wrong("--set " + name + ": fields that begin with tocsin_ are the server's");
  }
  return mending;
}

std::vector<std::pair<std::string, std::string>> Mending::Apply(const StreamEntry& dead_letter) const {
  std::vector<std::pair<std::string, std::string>> fields;
  std::vector<bool> done(set.size(), false);
  for (const auto& [name, value] : dead_letter.fields) {
    if (IsAddedField(name) || std::find(unset.begin(), unset.end(), name) != unset.end()) continue;
    auto mended =
        std::find_if(set.begin(), set.end(), [&field = name](const auto& each) { return each.first == field; });
    if (mended == set.end()) {
      fields.emplace_back(name, value);
      continue;
    }
    const auto i = static_cast<size_t>(mended - set.begin());
    if (!done[i]) fields.push_back(*mended);
    done[i] = true;
  }
  for (size_t i = 0; i < set.size(); ++i) {
    if (!done[i]) fields.push_back(set[i]);
  }
  return fields;
}

Result<DeadLetterChoice> DeadLetterChoice::Parse(const DeadLettersOptions& options) {
  DeadLetterChoice choice;
  for (const std::string& text : options.filters) {
    Result<FieldFilter> filter = FieldFilter::Parse(text);
    if (!filter.ok()) return filter.status();
    choice.filters.push_back(std::move(filter).value());
  }
  if (!options.older_than.empty()) {
    Result<int64_t> ms = DurationOption("--older-than", options.older_than);
    if (!ms.ok()) return ms.status();
    choice.older_than_ms = *ms;
  }
  if (!options.newer_than.empty()) {
    Result<int64_t> ms = DurationOption("--newer-than", options.newer_than);
    if (!ms.ok()) return ms.status();
    choice.newer_than_ms = *ms;
  }
  Result<std::vector<std::string>> ids = IdsOption(options.ids);
  if (!ids.ok()) return ids.status();
  if (!options.ids.empty() && options.selection == DeadLettersOptions::Selection::kAll) {
    return Wrong("--all and --id together: which of them?");
  }
  if (!options.ids.empty() && choice.older_than_ms + choice.newer_than_ms > 0) {
    return Wrong("--id names entries: --older-than and --newer-than choose among all");
  }
  choice.ids = std::move(ids).value();
  return choice;
}

Result<DeadLetterCursor> DeadLetterCursor::Open(RedisClient& redis, std::string key, DeadLetterChoice choice) {
  DeadLetterCursor cursor(redis, std::move(key), std::move(choice));
  Result<RedisReply> length = redis.Run({"XLEN", cursor.key_});
  if (!length.ok()) return length.status();
  cursor.total_ = static_cast<uint64_t>(length->integer);
  Result<RedisReply> last = redis.Run({"XREVRANGE", cursor.key_, "+", "-", "COUNT", "1"});
  if (!last.ok()) return last.status();
  const auto bound = EntryId::Parse(last->At(0).At(0).text);
  cursor.to_ = cursor.bound_ = bound ? bound->ToString() : "0-0";
  if (cursor.choice_.older_than_ms == 0 && cursor.choice_.newer_than_ms == 0) return cursor;
  Result<int64_t> now_ms = ServerTimeMs(redis);
  if (!now_ms.ok()) return now_ms.status();
  const auto before = [&now_ms](int64_t age_ms) {
    return static_cast<uint64_t>(std::max<int64_t>(*now_ms - age_ms, 0));
  };
  if (cursor.choice_.newer_than_ms > 0) cursor.from_ = std::to_string(before(cursor.choice_.newer_than_ms));
  if (cursor.choice_.older_than_ms > 0 && bound && before(cursor.choice_.older_than_ms) < bound->ms) {
    cursor.to_ = std::to_string(before(cursor.choice_.older_than_ms));
  }
  return cursor;
}

Result<DeadLetterCursor::Page> DeadLetterCursor::Read(size_t count) {
  return choice_.ids.empty() ? ReadRange(count) : ReadIds(count);
}

Result<DeadLetterCursor::Page> DeadLetterCursor::ReadIds(size_t count) {
  Page page;
  size_t bytes = 0;
  while (page.taken < count && at_ + page.taken < choice_.ids.size() && bytes < kPageBytes) {
    const std::string& id = choice_.ids[at_ + page.taken];
    Result<std::vector<StreamEntry>> entries = ReadEntries(redis_, key_, id, id, 1);
    if (!entries.ok()) return entries.status();
    ++page.taken;
    if (entries->empty()) {
      page.missing.push_back(id);
    } else if (IsChosen(entries->front())) {
      bytes += SizeOf(entries->front());
      page.entries.push_back(std::move(entries->front()));
    }
  }
  page.end = page.taken == 0;
  return page;
}

Result<DeadLetterCursor::Page> DeadLetterCursor::ReadRange(size_t count) {
  Page page;
  Result<std::vector<StreamEntry>> entries = ReadEntries(redis_, key_, from_, to_, std::min(count, at_once_));
  if (!entries.ok()) return entries.status();
  size_t bytes = 0;
  for (StreamEntry& entry : *entries) {
    if (bytes >= kPageBytes) break;
    ++page.taken;
    page.next = "(" + entry.id;
    bytes += SizeOf(entry);
    if (IsChosen(entry)) page.entries.push_back(std::move(entry));
  }
  page.end = page.taken == 0;
  // Large entries are not read again and again to take a few of them.
  at_once_ = bytes >= kPageBytes ? std::max<size_t>(page.taken, 1) : std::min(at_once_ * 2, kMaxAtOnce);
  return page;
}

void DeadLetterCursor::Advance(const Page& page) {
  if (choice_.ids.empty()) {
    if (!page.next.empty()) from_ = page.next;
  } else {
    at_ += page.taken;
  }
}

bool DeadLetterCursor::IsChosen(const StreamEntry& entry) const {
  return std::all_of(choice_.filters.begin(), choice_.filters.end(),
                     [&entry](const FieldFilter& filter) { return filter.Holds(entry); });
}

Result<std::string> DeadLetterSource(const DeadLettersOptions& options, const Config& config) {
  std::string stream = options.stream;
  if (stream.empty()) stream = config.ingest_streams.empty() ? "notifications_stream" : config.ingest_streams[0].name;
  if (!stream.ends_with(kDeadLetterSuffix)) return stream;
  return Wrong("give the stream itself, `" + stream.substr(0, stream.size() - kDeadLetterSuffix.size()) +
               "`: its dead letters are found in `" + stream + "`");
}

std::string DeadLetterJson(const StreamEntry& dead_letter) {
  JsonLine json, fields;
  json.Text("id", dead_letter.id).Text("reason", dead_letter.Field(kReasonField));
  json.Text("former_id", dead_letter.Field(kFormerIdField)).Text("attempts", dead_letter.Field(kAttemptsField));
  const std::string_view group = FailedGroup(dead_letter);
  group.empty() ? json.Null("group") : json.Text("group", group);
  for (const auto& [name, value] : dead_letter.fields) {
    if (!IsAddedField(name)) fields.Text(name, value);
  }
  return json.Raw("fields", fields.ToString()).ToString();
}

}  // namespace tocsin::server
