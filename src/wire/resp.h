// The Redis protocol (RESP2 and RESP3): commands in, replies out, and replies read back (for tests and for the client
// of a real Redis). Texts of protocol errors are Redis' own.
//
// 1. Commands are read where they lie: arguments are views into the caller's buffer, except quoted inline ones.
// 2. Nothing is reserved for an announced size: memory grows with the bytes that came.
// 3. Before a connection has authenticated only small commands are read (kRespUnauthenticated), as Redis does.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tocsin::wire {

struct RespLimits {
  size_t max_arguments = 0;
  size_t max_bulk = 0;     // bytes of one argument
  size_t max_command = 0;  // bytes of a whole command on the wire
};
inline constexpr RespLimits kRespUnauthenticated = {10, 16'384, 64 << 10};
inline constexpr RespLimits kRespAuthenticated = {1 << 20, 16 << 20, 32 << 20};

class RespCommandParser {
 public:
  enum class Step : uint8_t {
    kNeedMore,  // call again with the unconsumed bytes and more behind them
    kCommand,   // arguments() is a command, the name first; at least one
    kError,     // answer "-" error() and close
  };

  explicit RespCommandParser(RespLimits limits = kRespUnauthenticated) : limits_(limits) {}
  // From the next command on.
  void SetLimits(RespLimits limits) { limits_ = limits; }

  // Reads one command from the front of `input`. `input` starts at the same byte in every call until `consumed` bytes
  // of it are to be dropped (also after kNeedMore: empty lines). Arguments hold until the input is dropped or the next
  // call.
  Step Next(std::string_view input, size_t& consumed);

  std::span<const std::string_view> arguments() const { return arguments_; }
  // "ERR Protocol error: ..."; valid as long as the parser.
  std::string_view error() const { return error_; }
  // How many bytes of input the command takes at least, as far as is known: what a buffer may be grown to.
  size_t wanted() const { return wanted_; }

 private:
  struct Slice {
    size_t at, size;
  };

  Step Fail(std::string_view what);
  // The line that starts at `at_`, moved behind; false with `step` where there is none.
  bool Line(std::string_view input, std::string_view too_long, std::string_view& line, Step& step);
  Step Inline(std::string_view input, size_t& consumed);
  Step Multibulk(std::string_view input, size_t& consumed);
  // The next argument; false with `step` where it is not complete.
  bool Argument(std::string_view input, Step& step);
  bool SplitInline(std::string_view line);
  void Forget();

  RespLimits limits_;
  size_t at_ = 0;         // how far into the input the command is understood
  size_t remaining_ = 0;  // arguments still to come
  size_t bulk_ = 0;       // size of the argument that starts at at_, where in_bulk_
  size_t wanted_ = 0;
  bool in_command_ = false;  // its `*<n>` was read
  bool in_bulk_ = false;     // the argument's `$<n>` was read
  std::vector<Slice> slices_;
  std::vector<std::string_view> arguments_;
  std::deque<std::string> unquoted_;
  std::string error_;
};

enum class RespVersion : uint8_t { k2 = 2, k3 = 3 };

// Appends replies in the connection's protocol version. What RESP2 has no type for is written as Redis does there: a
// map as a flat array, a double as a bulk string, a null as a null bulk.
class RespWriter {
 public:
  RespWriter(std::string& out, RespVersion version) : out_(out), version_(version) {}

  void Simple(std::string_view text);  // +OK
  void Error(std::string_view text);   // -ERR ...; line breaks become spaces
  void Integer(int64_t value);
  void Bulk(std::string_view bytes);
  void Null();       // `$-1` or `_`
  void NullArray();  // `*-1` or `_`
  void Bool(bool value);
  void Double(double value);
  void Verbatim(std::string_view text);  // as `txt`
  // Heads: as many replies follow (twice as many after MapHead).
  void ArrayHead(size_t size);
  void MapHead(size_t pairs);
  void SetHead(size_t size);
  void PushHead(size_t size);

  RespVersion version() const { return version_; }

 private:
  void Head(char type, uint64_t number);
  std::string& out_;
  RespVersion version_;
};

// Appends a command as clients send it.
void AppendRespCommand(std::string& out, std::span<const std::string_view> arguments);

struct RespReply {
  enum class Type : uint8_t {
    kSimple,
    kError,
    kInteger,
    kBulk,
    kArray,
    kNull,
    kBool,
    kDouble,
    kVerbatim,
    kBigNumber,
    kMap,
    kSet,
    kPush,
  };
  Type type = Type::kNull;
  std::string text;                 // kSimple, kError (also `!`), kBulk, kVerbatim (without `txt:`), kBigNumber
  int64_t integer = 0;              // kInteger; 0 or 1: kBool
  double number = 0;                // kDouble
  std::vector<RespReply> elements;  // kArray, kSet, kPush; kMap: key, value, key, value, ...

  bool is_error() const { return type == Type::kError; }
};

// Reads replies of either version. Attributes (`|`) are read and dropped; streamed types are refused.
class RespReplyParser {
 public:
  enum class Step : uint8_t { kNeedMore, kReply, kError };

  static constexpr size_t kMaxDepth = 32;
  static constexpr size_t kMaxBulk = 512 << 20;

  // Reads from the front of `input`; drop `consumed` bytes after each call, also after kNeedMore. What a large reply
  // has had so far is kept here, so it is read once.
  Step Next(std::string_view input, size_t& consumed, RespReply& reply);
  std::string_view error() const { return error_; }  // a literal

 private:
  struct Open {
    RespReply reply;
    uint64_t remaining;
    bool attribute;  // to be dropped
  };
  enum class Token : uint8_t { kNeedMore, kOpened, kValue, kError };

  Step Fail(const char* why);
  Token ReadToken(std::string_view input, size_t& consumed, RespReply& value);
  Token ReadLength(char type, std::string_view line, std::string_view rest, size_t& consumed, RespReply& value);
  Token Bad(const char* why);

  std::vector<Open> open_;
  const char* error_ = "";
};

}  // namespace tocsin::wire
