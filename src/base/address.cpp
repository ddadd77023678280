#include "base/address.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>

namespace margay::base {
namespace {

constexpr uint8_t leading_ones(unsigned bits) { return static_cast<uint8_t>(0xff00U >> bits); }

std::unexpected<Error> not_a_prefix(std::string_view text) {
  return fail(ErrorCode::invalid, "\"" + std::string(text) + "\" is not an IP prefix");
}

}  // namespace

Result<IPAddress> IPAddress::from_bytes(std::span<const uint8_t> bytes) {
  IPAddress address;
  if (bytes.size() == 16) {
    address.family_ = IPFamily::v6;
  } else if (bytes.size() != 4) {
    return fail(ErrorCode::invalid,
                "an IP address has 4 or 16 bytes, not " + std::to_string(bytes.size()));
  }
  std::ranges::copy(bytes, address.bytes_.begin());
  return address;
}

Result<IPAddress> IPAddress::parse(std::string_view text) {
  const std::string terminated(text);
  IPAddress address;
  const bool v6 = text.find(':') != text.npos;
  address.family_ = v6 ? IPFamily::v6 : IPFamily::v4;
  // inet_pton would stop at an embedded NUL and call the rest fine.
  if (text.find('\0') != text.npos ||
      inet_pton(v6 ? AF_INET6 : AF_INET, terminated.c_str(), address.bytes_.data()) != 1) {
    return fail(ErrorCode::invalid, "\"" + terminated + "\" is not an IP address");
  }
  return address;
}

IPAddress IPAddress::plus(uint64_t offset) const {
  IPAddress sum = *this;
  for (unsigned i = bits() / 8; i-- > 0 && offset != 0;) {
    const uint64_t byte = sum.bytes_[i] + (offset & 0xff);
    sum.bytes_[i] = static_cast<uint8_t>(byte);
    offset = (offset >> 8) + (byte >> 8);
  }
  return sum;
}

std::string IPAddress::to_string() const {
  std::array<char, INET6_ADDRSTRLEN> text{};
  inet_ntop(is_v6() ? AF_INET6 : AF_INET, bytes_.data(), text.data(), text.size());
  return text.data();
}

Prefix::Prefix(IPAddress address, unsigned length) : length_(std::min(length, address.bits())) {
  std::array<uint8_t, 16> bytes{};
  const auto source = address.bytes();
  for (unsigned i = 0; i < source.size(); ++i) {
    const unsigned kept = std::clamp(static_cast<int>(length_) - static_cast<int>(8 * i), 0, 8);
    bytes[i] = source[i] & leading_ones(kept);
  }
  address_ = address.is_v4() ? *IPAddress::from_bytes({bytes.data(), 4}) : IPAddress::v6(bytes);
}

Result<Prefix> Prefix::parse(std::string_view text) {
  const size_t slash = text.find('/');
  const auto address = IPAddress::parse(text.substr(0, slash));
  if (!address) return not_a_prefix(text);
  if (slash == text.npos) return Prefix(*address);

  const std::string_view digits = text.substr(slash + 1);
  unsigned length = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), length);
  const bool leading_zero = digits.size() > 1 && digits[0] == '0';
  if (error != std::errc{} || end != digits.data() + digits.size() || leading_zero ||
      length > address->bits()) {
    return not_a_prefix(text);
  }
  return Prefix(*address, length);
}

Result<Prefix> Prefix::parse_strict(std::string_view text) {
  MARGAY_TRY(const Prefix prefix, parse(text));
  if (IPAddress::parse(text.substr(0, text.find('/'))) != prefix.address()) {
    return fail(ErrorCode::invalid, "\"" + std::string(text) + "\" has bits set after its length");
  }
  return prefix;
}

Prefix Prefix::all(IPFamily family) {
  return {family == IPFamily::v4 ? IPAddress() : IPAddress::v6({}), 0};
}

bool Prefix::contains(const IPAddress& address) const {
  return address.family() == family() && Prefix(address, length_).address_ == address_;
}

bool Prefix::contains(const Prefix& other) const {
  return other.length_ >= length_ && contains(other.address_);
}

IPAddress Prefix::last() const {
  std::array<uint8_t, 16> bytes{};
  const auto source = address_.bytes();
  for (unsigned i = 0; i < source.size(); ++i) {
    const unsigned kept = std::clamp(static_cast<int>(length_) - static_cast<int>(8 * i), 0, 8);
    bytes[i] = static_cast<uint8_t>(source[i] | static_cast<uint8_t>(~leading_ones(kept)));
  }
  return *IPAddress::from_bytes({bytes.data(), source.size()});
}

std::string Prefix::to_string() const {
  return address_.to_string() + "/" + std::to_string(length_);
}

}  // namespace margay::base
