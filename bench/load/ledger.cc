#include "load/ledger.h"

#include <charconv>
#include <cstdio>

#include "load/loop.h"

namespace tocsin::bench {

namespace {
constexpr std::string_view kText = "Your order has left our house and will be with you tomorrow";
constexpr std::string_view kSeqKey = "\"seq\":";
constexpr std::string_view kSentKey = ",\"sent\":";
}  // namespace

std::string UserName(uint32_t user) {
  char name[16];
  std::snprintf(name, sizeof name, "u%06u", user);
  return name;
}

void Ledger::Publish(uint32_t user, int64_t sent_ns, std::string* body) {
  const auto seq = static_cast<unsigned>(user_of_.size());
  user_of_.push_back(user);
  came_.push_back(0);
  char data[64];
  const int data_size =
      std::snprintf(data, sizeof data, "\",\"data\":{\"seq\":%u,\"sent\":%lld}}", seq, static_cast<long long>(sent_ns));
  char head[64];
  const int head_size = std::snprintf(head, sizeof head, "{\"user_id\":\"u%06u\",\"message\":\"", user);
  const size_t text_size = kBodyBytes - static_cast<size_t>(data_size + head_size);
  if (text_size > kText.size()) {
    Die("the text of a body is too short");
  }
  body->assign(head, static_cast<size_t>(head_size));
  body->append(kText.substr(0, text_size));
  body->append(data, static_cast<size_t>(data_size));
}

int64_t Ledger::Receive(uint32_t user, std::string_view json) {
  const char* const end = json.data() + json.size();
  uint64_t seq = 0;
  const auto seq_read = std::from_chars(json.data() + kSeqKey.size(), end, seq);
  const std::string_view rest(seq_read.ptr, static_cast<size_t>(end - seq_read.ptr));
  int64_t sent_ns = 0;
  if (seq_read.ec != std::errc() || seq >= user_of_.size() || !rest.starts_with(kSentKey) ||
      std::from_chars(rest.data() + kSentKey.size(), end, sent_ns).ec != std::errc()) {
    ++garbled_;
    return 0;
  }
  if (user_of_[seq] != user) {
    ++foreign_;
    return 0;
  }
  if (came_[seq] != 0) {
    ++twice_;
    return 0;
  }
  came_[seq] = 1;
  ++received_;
  return sent_ns;
}

void Ledger::Judge(Report* report) const {
  report->Number("published", static_cast<double>(published()));
  report->Number("received", static_cast<double>(received()));
  if (!complete() || twice_ + foreign_ + garbled_ > 0) {
    report->Invalid(std::to_string(published() - received()) + " missing, " + std::to_string(twice_) + " twice, " +
                    std::to_string(foreign_) + " to another user, " + std::to_string(garbled_) + " garbled");
  }
}

}  // namespace tocsin::bench
