#include "api/table.h"

#include <fmt/format.h>

#include <charconv>
#include <optional>

#include "api/computed_columns.h"

namespace margay::api {

namespace {

constexpr const char* k_none = "<none>";

std::optional<base::Clock::Wall> parse_time(std::string_view text) {
  const auto part = [&](size_t offset, size_t length) {
    int number = -1;
    if (text.size() >= offset + length)
      std::from_chars(text.data() + offset, text.data() + offset + length, number);
    return number;
  };
  using namespace std::chrono;
  const year_month_day day(year(part(0, 4)), month(static_cast<unsigned>(part(5, 2))),
                           std::chrono::day(static_cast<unsigned>(part(8, 2))));
  if (!day.ok() || part(17, 2) < 0) return {};
  return sys_days(day) + hours(part(11, 2)) + minutes(part(14, 2)) + seconds(part(17, 2));
}

std::string age(const json::value& time, base::Clock::Wall now) {
  if (!time.is_string()) return "<unknown>";
  const auto since = parse_time(time.get_string());
  if (!since) return "<invalid>";
  return short_duration(std::chrono::duration_cast<std::chrono::seconds>(now - *since));
}

// Lists by commas, maps as key=value.
json::value in_a_cell(const json::value& value) {
  std::string text;
  const auto add = [&](std::string_view part) {
    if (!text.empty()) text += ',';
    text += part;
  };
  const auto plain = [](const json::value& one) {
    return one.is_string() ? std::string(one.get_string()) : json::serialize(one);
  };
  if (const auto* array = value.if_array())
    for (const auto& item : *array) add(plain(item));
  else if (const auto* object = value.if_object())
    for (const auto& [key, item] : *object) add(std::string(key) + "=" + plain(item));
  else
    return value;
  return text.empty() ? json::value(k_none) : json::value(text);
}

json::value cell(const Kind& kind, const Column& column, const json::object& object,
                 base::Clock::Wall now) {
  if (const auto* compute = find_computed_column(kind, column.name)) return (*compute)(object);
  const json::value value = value_at(object, column.json_path);
  if (column.type == "date") return json::value(age(value, now));
  return value.is_null() ? json::value(k_none) : in_a_cell(value);
}

}  // namespace

json::array table_columns(const Kind& kind) {
  json::array columns{json::object{
      {"name", "Name"},
      {"type", "string"},
      {"format", "name"},
      {"description", "Unique within the namespace (or the cluster) among objects of the kind."},
      {"priority", 0}}};
  for (const auto& column : kind.columns)
    columns.push_back(json::object{{"name", column.name},
                                   {"type", column.type == "date" ? "string" : column.type},
                                   {"format", ""},
                                   {"description", column.description},
                                   {"priority", column.priority}});
  return columns;
}

json::array table_cells(const Kind& kind, const json::object& object, base::Clock::Wall now) {
  json::array cells;
  cells.push_back(value_at(object, ".metadata.name"));
  for (const auto& column : kind.columns) cells.push_back(cell(kind, column, object, now));
  return cells;
}

std::string short_duration(std::chrono::seconds duration) {
  const int64_t seconds = duration.count();
  const int64_t minutes = seconds / 60;
  const int64_t hours = minutes / 60;
  const int64_t days = hours / 24;
  const auto two = [](int64_t big, char big_unit, int64_t small, char small_unit) {
    return small == 0 ? fmt::format("{}{}", big, big_unit)
                      : fmt::format("{}{}{}{}", big, big_unit, small, small_unit);
  };
  if (seconds < 0) return "0s";
  if (seconds < 120) return fmt::format("{}s", seconds);
  if (minutes < 10) return two(minutes, 'm', seconds % 60, 's');
  if (minutes < 180) return fmt::format("{}m", minutes);
  if (hours < 8) return two(hours, 'h', minutes % 60, 'm');
  if (hours < 48) return fmt::format("{}h", hours);
  if (days < 8) return two(days, 'd', hours % 24, 'h');
  if (days < 730) return fmt::format("{}d", days);
  if (days < 2920) return two(days / 365, 'y', days % 365, 'd');
  return fmt::format("{}y", days / 365);
}

}  // namespace margay::api
