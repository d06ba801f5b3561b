#include "commands/arguments.h"

#include <charconv>

namespace tocsin::commands {
namespace {

char LowerOf(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }

}  // namespace

bool Is(std::string_view text, std::string_view lower) {
  if (text.size() != lower.size()) return false;
  for (size_t i = 0; i < text.size(); ++i) {
    if (LowerOf(text[i]) != lower[i]) return false;
  }
  return true;
}

std::string Lower(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) c = LowerOf(c);
  return lower;
}

std::optional<int64_t> ParseInteger(std::string_view text) {
  if (text.empty()) return std::nullopt;
  int64_t value = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || rest != end) return std::nullopt;
  const std::string_view digits = text.substr(text.front() == '-' ? 1 : 0);
  if (digits.front() == '0' && text.size() > 1) return std::nullopt;
  return value;
}

std::optional<int64_t> ReadInteger(wire::RespWriter& reply, std::string_view text, std::string_view error) {
  const auto value = ParseInteger(text);
  if (!value) reply.Error(error);
  return value;
}

std::optional<EntryId> ReadId(wire::RespWriter& reply, std::string_view text, uint64_t missing_seq) {
  const auto id = streams::ParseId(text, missing_seq);
  if (!id) reply.Error(streams::kInvalidId);
  return id;
}

std::optional<EntryId> ReadRangeStart(wire::RespWriter& reply, std::string_view text) {
  const auto start = streams::ParseRangeEnd(text, 0);
  if (!start) {
    reply.Error(streams::kInvalidId);
    return std::nullopt;
  }
  if (!start->open) return start->id;
  const auto next = start->id.Next();
  if (!next) reply.Error("ERR invalid start ID for the interval");
  return next;
}

std::optional<EntryId> ReadRangeEnd(wire::RespWriter& reply, std::string_view text) {
  const auto end = streams::ParseRangeEnd(text, UINT64_MAX);
  if (!end) {
    reply.Error(streams::kInvalidId);
    return std::nullopt;
  }
  if (!end->open) return end->id;
  const auto before = end->id.Previous();
  if (!before) reply.Error("ERR invalid end ID for the interval");
  return before;
}

std::string Upper(std::string_view text) {
  std::string upper(text);
  for (char& c : upper) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - ('a' - 'A')) : c;
  return upper;
}

void WrongSubcommand(wire::RespWriter& reply, Arguments args) {
  reply.Error("ERR unknown subcommand or wrong number of arguments for '" + std::string(args[1].substr(0, 128)) +
              "'. Try " + Upper(args[0]) + " HELP.");
}

void WrongArity(wire::RespWriter& reply, std::string_view full_name) {
  reply.Error("ERR wrong number of arguments for '" + std::string(full_name) + "' command");
}

std::string FailureText(const base::Status& status) {
  switch (status.code()) {
    // These carry Redis' text already when the engine made them.
    case base::Code::kInvalidArgument:
    case base::Code::kNotFound:
    case base::Code::kConflict:
      return std::string(status.message());
    case base::Code::kNoSpace:
      return "ERR no space left for the store: nothing was stored (" + std::string(status.message()) + ")";
    case base::Code::kUnavailable:
      return "ERR the store cannot confirm now: nothing was stored (" + std::string(status.message()) + ")";
    default:
      return "ERR " + status.ToString();
  }
}

std::string TurnFailureText(const base::Status& status) {
  switch (status.code()) {
    case base::Code::kNoSpace:
    case base::Code::kUnavailable:
      return FailureText(status);
    case base::Code::kCancelled:
      return "ERR " + std::string(status.message());
    default:
      return "ERR nothing was stored, try again: " + status.ToString();
  }
}

void WriteFailure(wire::RespWriter& reply, const base::Status& status) { reply.Error(FailureText(status)); }

void WriteId(wire::RespWriter& reply, EntryId id) {
  std::string text;
  id.AppendTo(text);
  reply.Bulk(text);
}

void WriteHelp(wire::RespWriter& reply, std::string_view command, std::span<const std::string_view> lines) {
  reply.ArrayHead(lines.size() + 3);
  reply.Simple(std::string(command) + " <subcommand> [<arg> [value] [opt] ...]. Subcommands are:");
  for (const std::string_view line : lines) reply.Simple(line);
  reply.Simple("HELP");
  reply.Simple("    Prints this help.");
}

}  // namespace tocsin::commands
