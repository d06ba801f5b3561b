#include "notifier/idempotency.h"

#include "model/bytes.h"
#include "model/limits.h"

namespace tocsin::notifier {
namespace {

using base::Code;
using base::Result;
using base::Status;
using storage::Family;

// kMeta: kRowPrefix producer key -> expiry, fingerprint, nids; kTimePrefix expiry producer key -> nothing.
constexpr std::string_view kRowPrefix = "idem/row/";
constexpr std::string_view kTimePrefix = "idem/end/";

void PutName(std::string& out, const IdempotencyKey& key) {
  model::PutString(out, key.producer);
  out += key.key;
}

std::string RowKey(const IdempotencyKey& key) {
  std::string row(kRowPrefix);
  PutName(row, key);
  return row;
}

struct Row {
  int64_t expires_ms = 0;
  std::string fingerprint;
  std::vector<std::string> nids;
};

std::string Encode(const Row& row) {
  std::string out;
  model::PutVarint(out, static_cast<uint64_t>(row.expires_ms));
  model::PutString(out, row.fingerprint);
  model::PutVarint(out, row.nids.size());
  for (const std::string& nid : row.nids) model::PutString(out, nid);
  return out;
}

Result<Row> Decode(std::string_view value) {
  Row row;
  model::ByteReader in(value);
  uint64_t expires = 0, nids = 0;
  std::string_view text;
  bool good = in.Varint(expires) && in.String(text) && in.Varint(nids) && nids <= in.rest().size();
  row.expires_ms = static_cast<int64_t>(expires);
  row.fingerprint = text;
  for (uint64_t i = 0; good && i < nids; ++i) {
    good = in.String(text);
    row.nids.emplace_back(text);
  }
  if (!good || !in.done()) return Status(Code::kCorruption, "a remembered publish cannot be decoded");
  return row;
}

}  // namespace

Result<std::optional<std::vector<std::string>>> Idempotency::Find(const IdempotencyKey& key) const {
  const std::string name = RowKey(key);
  std::optional<std::string> stored;
  if (auto staged = staged_.find(name); staged != staged_.end()) {
    stored = staged->second;
  } else {
    auto read = store_.Get(Family::kMeta, name);
    if (!read.ok()) return read.status();
    stored = std::move(*read);
  }
  if (!stored) return std::optional<std::vector<std::string>>();
  auto row = Decode(*stored);
  if (!row.ok()) return row.status();
  if (row->expires_ms <= clock_.NowMs()) return std::optional<std::vector<std::string>>();
  if (row->fingerprint != key.fingerprint) return Status(Code::kConflict, std::string(kOtherBody));
  return std::optional(std::move(row->nids));
}

void Idempotency::Remember(const IdempotencyKey& key, const std::vector<std::string>& nids, storage::Batch& batch) {
  const int64_t expires_ms = clock_.NowMs() + model::kIdempotencyMs;
  const std::string name = RowKey(key), row = Encode({expires_ms, key.fingerprint, nids});
  std::string time(kTimePrefix);
  model::PutBig64(time, static_cast<uint64_t>(expires_ms));
  PutName(time, key);
  batch.Put(Family::kMeta, name, row);
  batch.Put(Family::kMeta, time, {});
  staged_.insert_or_assign(name, row);
}

Status Idempotency::BeforeCommit(storage::Batch& batch) {
  const int64_t now_us = clock_.MonotonicUs();
  if (now_us < next_sweep_us_) return base::Ok();
  next_sweep_us_ = now_us + kSweepEveryMs * 1000;
  const int64_t now_ms = clock_.NowMs();
  std::string end(kTimePrefix);
  model::PutBig64(end, static_cast<uint64_t>(now_ms));
  size_t swept = 0;
  auto times = store_.Iterate(Family::kMeta, kTimePrefix, end);
  for (times->SeekToFirst(); times->Valid() && swept < kSweep; times->Next(), ++swept) {
    const std::string row = std::string(kRowPrefix).append(times->key().substr(end.size()));
    // A key that came again after its time has a later row: that one stays, and so does one of this turn.
    auto stored = store_.Get(Family::kMeta, row);
    if (!stored.ok()) return stored.status();
    if (stored->has_value() && !staged_.contains(row)) {
      auto decoded = Decode(**stored);
      if (!decoded.ok()) return decoded.status();
      if (decoded->expires_ms <= now_ms) batch.Delete(Family::kMeta, row);
    }
    batch.Delete(Family::kMeta, times->key());
  }
  if (swept == kSweep) next_sweep_us_ = now_us;  // there is more
  return times->status();
}

}  // namespace tocsin::notifier
