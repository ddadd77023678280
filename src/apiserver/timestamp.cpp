#include "apiserver/timestamp.h"

#include <fmt/format.h>

#include <charconv>

namespace margay::apiserver {
namespace {

using std::chrono::days;
using std::chrono::duration_cast;
using std::chrono::floor;
using std::chrono::hours;
using std::chrono::microseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using std::chrono::year_month_day;

// Reads fixed-width parts from the front of a text; once one fails, all do.
class Parts {
 public:
  explicit Parts(std::string_view text) : rest_(text) {}

  int number(size_t digits) {
    int value = 0;
    if (rest_.size() < digits) good_ = false;
    for (size_t i = 0; good_ && i < digits; ++i) {
      good_ = rest_[i] >= '0' && rest_[i] <= '9';
      value = 10 * value + (rest_[i] - '0');
    }
    if (good_) rest_.remove_prefix(digits);
    return value;
  }
  // One of the characters.
  char one_of(std::string_view choices) {
    good_ = good_ && !rest_.empty() && choices.find(rest_.front()) != std::string_view::npos;
    if (!good_) return '\0';
    const char found = rest_.front();
    rest_.remove_prefix(1);
    return found;
  }
  microseconds fraction() {
    if (!rest_.starts_with('.')) return microseconds(0);
    rest_.remove_prefix(1);
    const auto digits = std::min(rest_.find_first_not_of("0123456789"), rest_.size());
    good_ = good_ && digits > 0;
    microseconds value(0);
    for (size_t i = 0; i < 6; ++i)
      value = 10 * value + microseconds(i < digits ? rest_[i] - '0' : 0);
    rest_.remove_prefix(digits);
    return value;
  }
  bool at_end() const { return good_ && rest_.empty(); }

 private:
  std::string_view rest_;
  bool good_ = true;
};

seconds zone(Parts& parts) {
  const char sign = parts.one_of("Zz+-");
  if (sign != '+' && sign != '-') return seconds(0);
  const hours h(parts.number(2));
  parts.one_of(":");
  const minutes m(parts.number(2));
  const seconds east = h + m;
  return sign == '+' ? east : -east;
}

std::string date_and_time(Timestamp time) {
  const auto day = floor<days>(time);
  const year_month_day date(day);
  const std::chrono::hh_mm_ss clock(floor<seconds>(time - day));
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                     clock.hours().count(), clock.minutes().count(), clock.seconds().count());
}

}  // namespace

std::optional<Timestamp> parse_timestamp(std::string_view text) {
  Parts parts(text);
  const std::chrono::year year(parts.number(4));
  parts.one_of("-");
  const std::chrono::month month(static_cast<unsigned>(parts.number(2)));
  parts.one_of("-");
  const std::chrono::day day(static_cast<unsigned>(parts.number(2)));
  parts.one_of("Tt");
  const int hour = parts.number(2);
  parts.one_of(":");
  const int minute = parts.number(2);
  parts.one_of(":");
  const int second = parts.number(2);
  const auto fraction = parts.fraction();
  const auto east = zone(parts);
  const year_month_day date(year, month, day);
  // 60: a leap second.
  if (!parts.at_end() || !date.ok() || hour > 23 || minute > 59 || second > 60) return std::nullopt;
  return std::chrono::sys_days(date) + hours(hour) + minutes(minute) + seconds(second) + fraction -
         east;
}

std::string to_time(Timestamp time) { return date_and_time(time) + "Z"; }

std::string to_micro_time(Timestamp time) {
  return fmt::format("{}.{:06}Z", date_and_time(time), (time - floor<seconds>(time)).count());
}

bool is_writable(Timestamp time) {
  using namespace std::chrono_literals;
  constexpr Timestamp k_first = std::chrono::sys_days(1y / 1 / 1);
  constexpr Timestamp k_beyond = std::chrono::sys_days(10000y / 1 / 1);
  return time >= k_first && time < k_beyond;
}

}  // namespace margay::apiserver
