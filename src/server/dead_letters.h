// Dead letters: entries of `STREAM:dead`, which is what could not be delivered, each with why. Here is how they are
// chosen and read; dead_letters_command.cc lists and drops them, redrive.cc publishes them again.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "server/operator_session.h"

namespace tocsin::server {

inline constexpr std::string_view kDeadLetterSuffix = ":dead";
// What the server put in front of the entry's own fields: all begin with tocsin_.
inline constexpr std::string_view kReasonField = "tocsin_reason";
inline constexpr std::string_view kAttemptsField = "tocsin_attempts";
inline constexpr std::string_view kFormerIdField = "tocsin_id";
inline constexpr std::string_view kGroupField = "tocsin_group";

// The group that gave the entry up; "": Tocsin's router did, and no user has it.
std::string_view FailedGroup(const StreamEntry& dead_letter);

// Whether the server wrote this field, not the producer.
bool IsAddedField(std::string_view name);

// `FIELD=TEXT`: equals, `FIELD~TEXT`: contains. Of several fields of one name, one has to.
struct FieldFilter {
  enum class Match : uint8_t { kEquals, kContains };
  std::string field;
  Match match = Match::kEquals;
  std::string text{};

  // What stands before the first `=` or `~` is the field. kInvalidArgument: neither is there, or no field.
  static base::Result<FieldFilter> Parse(std::string_view text);
  bool Holds(const StreamEntry& entry) const;
};

// How a redrive mends entries: fields set to a value (replaced where they stand, else put at the end), or left out.
struct Mending {
  std::vector<std::pair<std::string, std::string>> set{};
  std::vector<std::string> unset{};

  // `set`: FIELD=VALUE each.
  static base::Result<Mending> Parse(const std::vector<std::string>& set, const std::vector<std::string>& unset);
  // The entry's own fields, mended. May be empty.
  std::vector<std::pair<std::string, std::string>> Apply(const StreamEntry& dead_letter) const;
};

// Which dead letters, checked before a server is asked.
struct DeadLetterChoice {
  std::vector<FieldFilter> filters{};
  int64_t older_than_ms = 0;  // 0: no matter
  int64_t newer_than_ms = 0;
  std::vector<std::string> ids{};  // in order, each once; none: all

  static base::Result<DeadLetterChoice> Parse(const DeadLettersOptions& options);
};

// Goes through the chosen dead letters that were there when it was opened, page by page, oldest first. What becomes a
// dead letter meanwhile (a redriven one, again) is not met.
class DeadLetterCursor {
 public:
  struct Page {
    std::vector<StreamEntry> entries{};  // chosen ones
    std::vector<std::string> missing{};  // ids that were asked for and are not there
    bool end = false;                    // nothing was read: the end
    size_t taken = 0;                    // for Advance
    std::string next{};
  };

  static base::Result<DeadLetterCursor> Open(RedisClient& redis, std::string key, DeadLetterChoice choice);

  // The next page: looks at up to `count` entries, less where they are large (about 8 MiB). Until Advance the same ones
  // are read again.
  base::Result<Page> Read(size_t count);
  void Advance(const Page& page);

  const std::string& bound() const { return bound_; }  // the last id when it was opened; "0-0": there were none
  uint64_t total() const { return total_; }            // in the stream then, chosen or not

 private:
  DeadLetterCursor(RedisClient& redis, std::string key, DeadLetterChoice choice)
      : redis_(redis), key_(std::move(key)), choice_(std::move(choice)) {}
  base::Result<Page> ReadIds(size_t count);
  base::Result<Page> ReadRange(size_t count);
  bool IsChosen(const StreamEntry& entry) const;

  RedisClient& redis_;
  std::string key_;
  DeadLetterChoice choice_;
  std::string from_ = "-", to_ = "+", bound_ = "0-0";
  uint64_t total_ = 0;
  size_t at_once_ = 32;  // entries to ask for: fewer where they are large
  size_t at_ = 0;        // in choice_.ids
};

// The stream that `options` or the settings name; kInvalidArgument for one that ends in `:dead` itself.
base::Result<std::string> DeadLetterSource(const DeadLettersOptions& options, const Config& config);

// One dead letter as JSON, whole.
std::string DeadLetterJson(const StreamEntry& dead_letter);

// Publishes the chosen ones again and takes them from the dead letters, or says what it would do.
base::Status Redrive(RedisClient& redis, const std::string& stream, const DeadLettersOptions& options,
                     DeadLetterChoice choice, const Mending& mending);

}  // namespace tocsin::server
