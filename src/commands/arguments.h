// Reading arguments as Redis does, and answering as Redis does where one is wrong: a reader that returns nothing (or
// false) has written the error reply.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/result.h"
#include "commands/command.h"
#include "streams/ids.h"

namespace tocsin::commands {

using model::EntryId;

inline constexpr std::string_view kSyntaxError = "ERR syntax error";
inline constexpr std::string_view kNotAnInteger = "ERR value is not an integer or out of range";

// Compares without regard to case; `lower` is in lower case.
bool Is(std::string_view text, std::string_view lower);
std::string Lower(std::string_view text);
std::string Upper(std::string_view text);

// Decimal, no plus, no leading zeros, no spaces: what Redis takes for a number.
std::optional<int64_t> ParseInteger(std::string_view text);
std::optional<int64_t> ReadInteger(wire::RespWriter& reply, std::string_view text,
                                   std::string_view error = kNotAnInteger);
std::optional<EntryId> ReadId(wire::RespWriter& reply, std::string_view text, uint64_t missing_seq = 0);
// KEEPREF, DELREF, ACKED (in any case); nothing: none of them.
std::optional<streams::Refs> ParseRefs(std::string_view text);
// `-`, `+`, an id, or `(` and an id: as the first (or last) id of a range, which it belongs to.
std::optional<EntryId> ReadRangeStart(wire::RespWriter& reply, std::string_view text);
std::optional<EntryId> ReadRangeEnd(wire::RespWriter& reply, std::string_view text);

// "ERR unknown subcommand or wrong number of arguments for ..."
void WrongSubcommand(wire::RespWriter& reply, Arguments args);
void WrongArity(wire::RespWriter& reply, std::string_view full_name);
// What the engine or the store has to say.
void WriteFailure(wire::RespWriter& reply, const base::Status& status);
std::string FailureText(const base::Status& status);
// What a turn as a whole has failed of.
std::string TurnFailureText(const base::Status& status);
void WriteId(wire::RespWriter& reply, EntryId id);
void WriteHelp(wire::RespWriter& reply, std::string_view command, std::span<const std::string_view> lines);

}  // namespace tocsin::commands
