// Status and Result<T>: a failure that the caller decides about.
//
// 1. Both are [[nodiscard]]: a dropped failure does not compile.
// 2. A Status is one pointer, null when ok: success costs nothing.
// 3. Nothing is thrown. Exceptions and statuses of libraries end in the .cc that met them, turned into one of these.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/check.h"

namespace tocsin::base {

// What a caller can decide by. The gateway maps each to one HTTP status and one close code (gateway/problem.h).
enum class Code : unsigned char {
  kOk,
  kInvalidArgument,   // the input is wrong and stays wrong: do not retry
  kUnauthenticated,   // no key or token, or not a valid one
  kExpired,           // the token was valid once: get a new one
  kPermissionDenied,  // known, but not allowed
  kNotFound,
  kConflict,           // the same key with another body, a group that exists, ...
  kTooLarge,           // over a stated limit
  kResourceExhausted,  // a quota or a queue is full: back off
  kNoSpace,            // the disk is full: nothing was stored
  kUnavailable,        // storage cannot confirm now: nothing was stored, try again later
  kWouldBlock,         // the answer is not in memory: ask again from a thread that may block
  kCorruption,         // stored bytes are not what was written
  kCancelled,          // the server or the peer is going away
  kInternal,           // a failure that has no better name
};

// "invalid argument", "not found", ...
std::string_view CodeName(Code code);

class [[nodiscard]] Status {
 public:
  Status() = default;  // ok
  Status(Code code, std::string message);
  Status(const Status& other);
  Status& operator=(const Status& other);
  Status(Status&&) noexcept = default;
  Status& operator=(Status&&) noexcept = default;
  ~Status() = default;

  bool ok() const { return failure_ == nullptr; }
  Code code() const { return failure_ ? failure_->code : Code::kOk; }
  // What was wrong and how to mend it, for a person; empty when ok.
  std::string_view message() const { return failure_ ? std::string_view(failure_->message) : std::string_view(); }
  // "not found: no stream `x`", or "ok".
  std::string ToString() const;

 private:
  struct Failure {
    Code code;
    std::string message;
  };
  std::unique_ptr<Failure> failure_;
};

inline Status Ok() { return Status(); }

// Drops a status on purpose; the reason stands in a comment at the call.
inline void Ignore(const Status&) {}

// A T, or the Status that says why there is none. Reading the one that is not there is a bug (CHECK).
template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : value_(std::move(value)) {}                                 // NOLINT: implicit on purpose
  Result(Status status) : status_(std::move(status)) { CHECK(!status_.ok()); }  // NOLINT: implicit on purpose

  bool ok() const { return value_.has_value(); }
  const Status& status() const { return status_; }

  T& value() & {
    CHECK_MSG(ok(), status_.message());
    return *value_;
  }
  const T& value() const& {
    CHECK_MSG(ok(), status_.message());
    return *value_;
  }
  T&& value() && {
    CHECK_MSG(ok(), status_.message());
    return std::move(*value_);
  }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

 private:
  std::optional<T> value_;
  Status status_;
};

}  // namespace tocsin::base

// Leaves the function with the failure, if there is one.
#define RETURN_IF_ERROR(expression)                                     \
  do {                                                                  \
    if (::tocsin::base::Status status_ = (expression); !status_.ok()) { \
      return status_;                                                   \
    }                                                                   \
  } while (false)
