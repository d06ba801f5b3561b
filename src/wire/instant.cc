#include "wire/instant.h"

#include <charconv>
#include <chrono>

namespace tocsin::wire {
namespace {

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// Takes the text from the front, bit by bit; the first that does not fit spoils the rest.
class Reader {
 public:
  explicit Reader(std::string_view text) : rest_(text) {}
  bool good() const { return good_; }
  bool done() const { return good_ && rest_.empty(); }
  char Peek() const { return rest_.empty() ? '\0' : rest_.front(); }

  int Number(size_t digits, int least, int most) {
    int number = 0;
    for (size_t i = 0; i < digits; ++i) {
      const char c = Take();
      good_ = good_ && IsDigit(c);
      number = number * 10 + (c - '0');
      if (!good_) return least;
    }
    good_ = number >= least && number <= most;
    return number;
  }
  char OneOf(std::string_view characters) {
    const char c = Take();
    good_ = good_ && characters.find(c) != std::string_view::npos;
    return c;
  }
  // At least one digit; the first three count.
  int Milliseconds() {
    int ms = 0, digits = 0;
    for (; IsDigit(Peek()); ++digits) {
      const char c = Take();
      if (digits < 3) ms = ms * 10 + (c - '0');
    }
    good_ = good_ && digits > 0;
    for (; digits < 3; ++digits) ms *= 10;
    return ms;
  }

 private:
  char Take() {
    if (rest_.empty()) {
      good_ = false;
      return '\0';
    }
    const char c = rest_.front();
    rest_.remove_prefix(1);
    return c;
  }

  std::string_view rest_;
  bool good_ = true;
};

}  // namespace

std::optional<int64_t> ParseRfc3339(std::string_view text) {
  Reader in(text);
  const int year = in.Number(4, 1, 9999);
  in.OneOf("-");
  const int month = in.Number(2, 1, 12);
  in.OneOf("-");
  const int day = in.Number(2, 1, 31);
  in.OneOf("Tt");
  const int hour = in.Number(2, 0, 23);
  in.OneOf(":");
  const int minute = in.Number(2, 0, 59);
  in.OneOf(":");
  const int second = in.Number(2, 0, 60);
  int ms = 0;
  if (in.Peek() == '.') {
    in.OneOf(".");
    ms = in.Milliseconds();
  }
  const char zone = in.OneOf("Zz+-");
  int east_minutes = 0;
  if (zone == '+' || zone == '-') {
    east_minutes = in.Number(2, 0, 23) * 60;
    in.OneOf(":");
    east_minutes += in.Number(2, 0, 59);
    if (zone == '-') east_minutes = -east_minutes;
  }
  const std::chrono::year_month_day date(std::chrono::year(year), std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day)));
  if (!in.done() || !date.ok()) return std::nullopt;
  const int64_t days = std::chrono::sys_days(date).time_since_epoch().count();
  const int64_t minutes = (days * 24 + hour) * 60 + minute - east_minutes;
  return (minutes * 60 + second) * 1000 + ms;
}

std::optional<int64_t> ParseInstant(std::string_view text) {
  int64_t ms = 0;
  const char* const end = text.data() + text.size();
  auto [at, error] = std::from_chars(text.data(), end, ms);
  if (error == std::errc() && at == end) return ms;
  return ParseRfc3339(text);
}

}  // namespace tocsin::wire
