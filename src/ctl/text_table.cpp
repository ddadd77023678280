#include "ctl/text_table.h"

#include <algorithm>

#include "base/printable.h"

namespace margay::ctl {
namespace {

void make_printable(std::vector<Row>& rows) {
  for (auto& row : rows)
    for (auto& cell : row) cell = base::printable(cell);
}

// As many places as the text takes: its characters, not its bytes.
size_t width_of(const std::string& text) {
  return static_cast<size_t>(
      std::ranges::count_if(text, [](char c) { return (c & '\xC0') != '\x80'; }));
}

std::vector<size_t> widths_of(const std::vector<Row>& rows) {
  std::vector<size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], width_of(row[i]));
  }
  return widths;
}

bool is_number(const std::string& text) {
  const auto digits = text.starts_with('-') ? text.substr(1) : text;
  if (digits.empty() || digits.front() == '.' || digits.back() == '.') return false;
  return std::ranges::count(digits, '.') <= 1 &&
         digits.find_first_not_of("0123456789.") == std::string::npos;
}

std::string line_of(const std::vector<size_t>& widths) {
  std::string line = "+";
  for (const auto width : widths) line += std::string(width + 2, '-') + "+";
  return line + "\n";
}

enum class Align { left, right, centre };

std::string framed_row(const Row& row, const std::vector<size_t>& widths, bool is_heading) {
  std::string line = "|";
  for (size_t i = 0; i < widths.size(); ++i) {
    const std::string text = i < row.size() ? row[i] : "";
    const auto align = is_heading ? Align::centre : (is_number(text) ? Align::right : Align::left);
    const size_t blanks = widths[i] - width_of(text);
    const size_t before = align == Align::left ? 0 : align == Align::right ? blanks : blanks / 2;
    line += " " + std::string(before, ' ') + text + std::string(blanks - before, ' ') + " |";
  }
  return line + "\n";
}

}  // namespace

std::string aligned_table(std::vector<Row> rows) {
  constexpr size_t k_gap = 3;
  constexpr size_t k_least = 5;
  make_printable(rows);
  const auto widths = widths_of(rows);
  std::string text;
  for (const auto& row : rows) {
    for (size_t i = 0; i < row.size(); ++i) {
      const size_t width = std::max(widths[i] + k_gap, k_least);
      text += row[i] + std::string(width - width_of(row[i]), ' ');
    }
    text += '\n';
  }
  return text;
}

std::string framed_table(const Row& heading, std::vector<Row> rows) {
  make_printable(rows);
  auto all = rows;
  all.push_back(heading);
  const auto widths = widths_of(all);
  const auto line = line_of(widths);
  std::string text = line + framed_row(heading, widths, true) + line;
  for (const auto& row : rows) text += framed_row(row, widths, false);
  return text + line;
}

}  // namespace margay::ctl
