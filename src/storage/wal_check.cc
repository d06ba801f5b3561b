#include "storage/wal_check.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <map>
#include <optional>

#include <fcntl.h>
#include <rocksdb/write_batch.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "storage/commit_chain.h"

// RocksDB's own, hardware-accelerated; linked statically, declared in a header that is not installed (util/crc32c.h).
namespace rocksdb::crc32c {
uint32_t Extend(uint32_t init_crc, const char* data, size_t n);
}

namespace tocsin::storage {

using base::Code;
using base::Ok;
using base::Status;

namespace {

constexpr size_t kBlock = 32 << 10;
constexpr size_t kHeader = 7;
constexpr size_t kSector = 512;
constexpr uint64_t kMaxAhead = 1 << 20;  // a later batch's number is at most so far ahead; see Later

enum Type : uint8_t { kZero = 0, kFull = 1, kFirst = 2, kMiddle = 3, kLast = 4 };

struct Record {
  size_t begin = 0, end = 0;
  Type type = kZero;
  std::string_view payload;
};

uint32_t Little32(const char* bytes) {
  uint32_t value = 0;
  for (int i = 3; i >= 0; --i) value = value << 8 | static_cast<unsigned char>(bytes[i]);
  return value;
}

class LogScan {
 public:
  LogScan(std::string_view log, LogKind kind) : log_(log), kind_(kind) {}

  // Where the header after `at` begins: the last bytes of a block, too few for a header, are skipped.
  static size_t HeaderAt(size_t at) {
    const size_t left = kBlock - at % kBlock;
    return left < kHeader ? at + left : at;
  }

  // The record whose header is at `at`, if its length fits its block; it may run past the end of the log.
  std::optional<Record> Plausible(size_t at) const {
    if (at + kHeader > log_.size()) return std::nullopt;
    const auto byte = [&](size_t i) { return static_cast<unsigned char>(log_[at + i]); };
    const size_t length = byte(4) | static_cast<size_t>(byte(5)) << 8;
    if (byte(6) < kFull || byte(6) > kLast || at % kBlock + kHeader + length > kBlock) return std::nullopt;
    Record record{at, at + kHeader + length, static_cast<Type>(byte(6)), {}};
    if (record.end <= log_.size()) record.payload = log_.substr(at + kHeader, length);
    return record;
  }

  // The record at `at`, if it is whole and its checksum is right.
  std::optional<Record> Valid(size_t at) const {
    std::optional<Record> record = Plausible(at);
    if (!record || record->end > log_.size()) return std::nullopt;
    const uint32_t crc = rocksdb::crc32c::Extend(0, log_.data() + at + 6, record->end - at - 6);
    const uint32_t masked = (crc >> 15 | crc << 17) + 0xa282ead8u;
    if (masked != Little32(log_.data() + at)) return std::nullopt;
    return record;
  }

  // The commit number of the batch that begins with the record at `at`; nullopt if it is not a whole batch of ours.
  std::optional<Commit> CommitAt(size_t at) const {
    std::optional<Record> record = Valid(at);
    if (!record || (record->type != kFull && record->type != kFirst)) return std::nullopt;
    std::string batch(record->payload);
    while (record->type != kFull && record->type != kLast) {
      record = Valid(HeaderAt(record->end));
      if (!record || (record->type != kMiddle && record->type != kLast)) return std::nullopt;
      batch.append(record->payload);
    }
    Commit commit = CommitOf(rocksdb::WriteBatch(std::move(batch)));
    return commit.number == 0 ? std::nullopt : std::optional<Commit>(commit);
  }

  // The next batch after `at`, wherever it begins. A publisher can put the bytes of a record into a message, but not
  // one with the numbers of our near future, which nobody is told.
  struct Later {
    Commit commit;
    size_t begin;
  };
  std::optional<Later> FindLater(size_t at, std::optional<uint64_t> last_number) const {
    for (size_t begin = at + 1; begin + kHeader <= log_.size(); ++begin) {
      const char type = log_[begin + 6];
      if (type != kFull && type != kFirst) continue;
      if (kind_ == LogKind::kManifest) {
        if (Valid(begin)) return Later{Commit{}, begin};
        continue;
      }
      std::optional<Commit> commit = CommitAt(begin);
      if (!commit) continue;
      if (last_number && (commit->number <= *last_number || commit->number - *last_number > kMaxAhead)) continue;
      return Later{*commit, begin};
    }
    return std::nullopt;
  }

  // A sector of the record at `at` reads as zeros, or the rest of the sector in which it begins does.
  bool HasUnwrittenSector(size_t at) const {
    const std::optional<Record> record = Plausible(at);
    const size_t border = (at + kHeader) / kSector * kSector + kSector;
    const size_t end = std::min(record ? record->end : border, log_.size());
    for (size_t begin = at; begin < end;) {
      const size_t next = std::min(begin / kSector * kSector + kSector, end);
      const std::string_view chunk = log_.substr(begin, next - begin);
      if (std::all_of(chunk.begin(), chunk.end(), [](char c) { return c == 0; })) return true;
      begin = next;
    }
    return false;
  }

  size_t size() const { return log_.size(); }

 private:
  const std::string_view log_;
  const LogKind kind_;
};

// The record at `bad` cannot be read; the batch that it belongs to begins at `begin`. Torn or damaged?
LogEnd::Kind Judge(const LogScan& scan, size_t bad, std::optional<uint64_t> last_number) {
  const std::optional<Record> record = scan.Plausible(bad);
  const bool runs_out = bad + kHeader > scan.size() || (record && record->end > scan.size());
  std::optional<LogScan::Later> later = scan.FindLater(bad, last_number);
  if (runs_out) return later ? LogEnd::Kind::kDamaged : LogEnd::Kind::kTorn;
  if (!scan.HasUnwrittenSector(bad)) return LogEnd::Kind::kDamaged;
  while (later) {
    std::optional<LogScan::Later> next = scan.FindLater(later->begin, later->commit.number);
    if (next && later->commit.synced) return LogEnd::Kind::kDamaged;
    later = next;
  }
  return LogEnd::Kind::kTorn;
}

std::map<uint64_t, std::string> LogsOf(const std::string& dir, uint64_t first) {
  std::map<uint64_t, std::string> logs;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(dir, ignored)) {
    const std::string name = entry.path().filename().string();
    uint64_t number = 0;
    const auto [rest, error] = std::from_chars(name.data(), name.data() + name.size(), number);
    if (error == std::errc() && std::string_view(rest) == ".log" && number >= first)
      logs[number] = entry.path().string();
  }
  return logs;
}

Status Failed(const std::string& doing, const std::string& path) {
  return Status(Code::kUnavailable, "cannot " + doing + " " + path + ": " + std::strerror(errno));
}

base::Result<std::string> ReadWhole(const std::string& path) {
  const int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return Failed("open", path);
  std::string bytes;
  struct stat entry;
  if (fstat(descriptor, &entry) == 0) bytes.resize(static_cast<size_t>(entry.st_size));
  size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t got = read(descriptor, bytes.data() + done, bytes.size() - done);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) {
      Status status = Failed("read", path);
      close(descriptor);
      return status;
    }
    if (got == 0) break;
    done += static_cast<size_t>(got);
  }
  close(descriptor);
  bytes.resize(done);
  return bytes;
}

Status CutOff(const std::string& dir, const std::string& path, std::string_view log, uint64_t offset) {
  base::Log(base::Level::kWarn, "wal_torn", {{"file", path}, {"offset", offset}, {"bytes", log.size() - offset}});
  const std::string copy = dir + "/torn_tail";
  if (const int descriptor = open(copy.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600); descriptor >= 0) {
    // For a person who wants to look; nothing was confirmed of it, so it may fail.
    static_cast<void>(write(descriptor, log.data() + offset, log.size() - offset) > 0);
    close(descriptor);
  }
  const int descriptor = open(path.c_str(), O_WRONLY | O_CLOEXEC);
  if (descriptor < 0) return Failed("open", path);
  Status status = Ok();
  if (ftruncate(descriptor, static_cast<off_t>(offset)) != 0 || fdatasync(descriptor) != 0)
    status = Failed("cut", path);
  close(descriptor);
  return status;
}

}  // namespace

LogEnd FindLogEnd(std::string_view log, LogKind kind) {
  const LogScan scan(log, kind);
  size_t at = 0;
  size_t batch = 0;            // where the batch that is being read begins
  std::optional<size_t> last;  // where the last whole one does
  bool inside = false;         // between a first and a last record
  for (;;) {
    at = LogScan::HeaderAt(at);
    if (at >= log.size()) break;
    const std::optional<Record> record = scan.Valid(at);
    const bool begins = record && (record->type == kFull || record->type == kFirst);
    if (!inside) batch = at;
    if (!record || begins == inside) {
      if (record) return LogEnd{LogEnd::Kind::kDamaged, at};
      std::optional<uint64_t> last_number;
      if (kind == LogKind::kBatches && last) {
        if (const std::optional<Commit> commit = scan.CommitAt(*last)) last_number = commit->number;
      }
      const LogEnd::Kind verdict = Judge(scan, at, last_number);
      return LogEnd{verdict, verdict == LogEnd::Kind::kTorn ? batch : at};
    }
    inside = record->type == kFirst || record->type == kMiddle;
    if (!inside) last = batch;
    at = record->end;
  }
  return inside ? LogEnd{LogEnd::Kind::kTorn, batch} : LogEnd{LogEnd::Kind::kWhole, log.size()};
}

namespace {

Status Damaged(const std::string& path, uint64_t offset) {
  return Status(Code::kCorruption, path + " cannot be read at byte " + std::to_string(offset) +
                                       ", and it is not an append that a power cut has torn");
}

}  // namespace

Status CheckManifest(const std::string& dir) {
  base::Result<std::string> current = ReadWhole(dir + "/CURRENT");
  if (!current.ok()) return current.status();
  const std::string name = current->substr(0, current->find('\n'));
  if (!name.starts_with("MANIFEST-") || name.find('/') != std::string::npos) {
    return Status(Code::kCorruption, dir + "/CURRENT does not name a manifest");
  }
  const std::string path = dir + "/" + name;
  base::Result<std::string> manifest = ReadWhole(path);
  if (!manifest.ok()) return Status(Code::kCorruption, std::string(manifest.status().message()));
  const LogEnd end = FindLogEnd(*manifest, LogKind::kManifest);
  switch (end.kind) {
    case LogEnd::Kind::kWhole:
      return Ok();
    case LogEnd::Kind::kDamaged:
      return Damaged(path, end.offset);
    case LogEnd::Kind::kTorn:
      return CutOff(dir, path, *manifest, end.offset);
  }
  return Ok();
}

Status CheckLogs(const std::string& dir, uint64_t first) {
  // All are judged before the first is cut.
  std::map<std::string, uint64_t> torn;
  for (const auto& [number, path] : LogsOf(dir, first)) {
    base::Result<std::string> log = ReadWhole(path);
    if (!log.ok()) return log.status();
    const LogEnd end = FindLogEnd(*log, LogKind::kBatches);
    if (end.kind == LogEnd::Kind::kDamaged) return Damaged(path, end.offset);
    if (end.kind == LogEnd::Kind::kTorn) torn[path] = end.offset;
  }
  for (const auto& [path, offset] : torn) {
    base::Result<std::string> log = ReadWhole(path);
    if (!log.ok()) return log.status();
    RETURN_IF_ERROR(CutOff(dir, path, *log, offset));
  }
  return Ok();
}

}  // namespace tocsin::storage
