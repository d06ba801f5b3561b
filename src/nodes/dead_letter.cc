#include "nodes/dead_letter.h"

#include "base/log.h"
#include "notifier/counters.h"
#include "notifier/dead_letters.h"

namespace tocsin::nodes {

std::string DeadLettersOf(std::string_view stream) { return std::string(stream).append(notifier::kDeadSuffix); }

redis::Arguments DeadLetterCommand(const Verdict& verdict, const FieldViews& fields) {
  redis::Arguments command = {"XADD", DeadLettersOf(verdict.stream), "*"};
  const auto add = [&command](std::string_view name, std::string_view value) {
    command.emplace_back(name);
    command.emplace_back(value);
  };
  add("tocsin_reason", verdict.reason);
  add("tocsin_stream", verdict.stream);
  add("tocsin_id", verdict.id);
  add("tocsin_group", verdict.group);
  add("tocsin_attempts", std::to_string(verdict.attempts));
  for (const auto& [name, value] : fields) add(name, value);
  return command;
}

void NoteDeadLetter(const Verdict& verdict) {
  notifier::dead_lettered.Add();
  base::Log(base::Level::kWarn, "dead_lettered",
            {{"stream", verdict.stream},
             {"id", verdict.id},
             {"group", verdict.group},
             {"attempts", verdict.attempts},
             {"reason", verdict.reason}});
}

}  // namespace tocsin::nodes
