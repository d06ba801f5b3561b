#include "notifier/dead_letters.h"

#include <vector>

#include "base/log.h"
#include "notifier/counters.h"

namespace tocsin::notifier {
std::string ReasonOf(uint64_t deliveries, std::string_view consumer, int64_t idle_ms) {
  // XNACK FATAL leaves the largest count there is.
  if (deliveries >= INT64_MAX) return "a consumer gave it back as not to be tried again";
  const std::string times = std::to_string(deliveries) + (deliveries == 1 ? " delivery" : " deliveries");
  if (consumer.empty()) return "given back by its consumer after " + times;
  return "not acknowledged after " + times + ", the last to the consumer `" + std::string(consumer) + "` " +
         std::to_string(idle_ms / 1000) + " s ago";
}

base::Status AddDeadLetter(streams::StreamEngine& streams, const DeadLetter& letter, const streams::EntryView& entry) {
  const std::string id = entry.id().ToString();
  const std::string attempts = std::to_string(letter.attempts);
  std::vector<streams::FieldView> fields = {{"tocsin_reason", letter.reason},
                                            {"tocsin_stream", letter.stream},
                                            {"tocsin_id", id},
                                            {"tocsin_group", letter.group},
                                            {"tocsin_attempts", attempts}};
  const std::vector<streams::FieldView> original = entry.Fields();
  fields.insert(fields.end(), original.begin(), original.end());
  auto appended = streams.Append(std::string(letter.stream).append(kDeadSuffix), fields);
  if (!appended.ok()) return appended.status();
  dead_lettered.Add();
  base::Log(base::Level::kWarn, "dead_lettered",
            {{"stream", letter.stream},
             {"id", id},
             {"group", letter.group},
             {"attempts", letter.attempts},
             {"reason", letter.reason}});
  return base::Ok();
}

}  // namespace tocsin::notifier
