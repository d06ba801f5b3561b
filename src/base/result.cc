#include "base/result.h"

namespace tocsin::base {

std::string_view CodeName(Code code) {
  switch (code) {
    case Code::kOk:
      return "ok";
    case Code::kInvalidArgument:
      return "invalid argument";
    case Code::kUnauthenticated:
      return "unauthenticated";
    case Code::kExpired:
      return "expired";
    case Code::kPermissionDenied:
      return "permission denied";
    case Code::kNotFound:
      return "not found";
    case Code::kConflict:
      return "conflict";
    case Code::kTooLarge:
      return "too large";
    case Code::kResourceExhausted:
      return "resource exhausted";
    case Code::kNoSpace:
      return "no space";
    case Code::kUnavailable:
      return "unavailable";
    case Code::kWouldBlock:
      return "would block";
    case Code::kCorruption:
      return "corruption";
    case Code::kCancelled:
      return "cancelled";
    case Code::kInternal:
      return "internal";
  }
  return "unknown";
}

Status::Status(Code code, std::string message) {
  CHECK(code != Code::kOk);
  failure_ = std::make_unique<Failure>(Failure{code, std::move(message)});
}

Status::Status(const Status& other) : failure_(other.failure_ ? std::make_unique<Failure>(*other.failure_) : nullptr) {}

Status& Status::operator=(const Status& other) {
  if (this != &other) failure_ = other.failure_ ? std::make_unique<Failure>(*other.failure_) : nullptr;
  return *this;
}

std::string Status::ToString() const {
  if (ok()) return "ok";
  return std::string(CodeName(code())) + ": " + std::string(message());
}

}  // namespace tocsin::base
