#pragma once

// An ICMP flow is one kind of query and its answers. Policy judges type and code, so what it let
// through as an echo request must not go on as a timestamp request under the same identifier, nor
// as a request in the other direction (RFC 792, RFC 4443 section 4, RFC 8335).

#include "policy/protocol.h"
#include "vector/parse/ip_protocol.h"
#include "vector/parsed.h"
#include "vector/session/session.h"

namespace margay::vector {

using policy::is_icmp;

// What a session keeps of the message that opened it: a number for the query, whether it was the
// answer, and the code. Codes from 15 on count as one: none is defined for these messages. Messages
// without an identifier have their type and code in place of the source port, and no answers.
inline constexpr uint8_t k_icmp_code_bits = 0x0f, k_icmp_answer = 0x10;

inline uint8_t icmp_query_of(uint8_t type) {
  switch (type) {
    case 8:
      return 1 << 5;
    case 0:
      return 1 << 5 | k_icmp_answer;
    case 13:
      return 2 << 5;
    case 14:
      return 2 << 5 | k_icmp_answer;
    case 15:
      return 3 << 5;
    case 16:
      return 3 << 5 | k_icmp_answer;
    case 17:
      return 4 << 5;
    case 18:
      return 4 << 5 | k_icmp_answer;
    case 42:
      return 5 << 5;
    case 43:
      return 5 << 5 | k_icmp_answer;
    case 128:
      return 6 << 5;
    case 129:
      return 6 << 5 | k_icmp_answer;
    case 160:
      return 7 << 5;
    case 161:
      return 7 << 5 | k_icmp_answer;
    default:
      return 0;
  }
}

inline uint8_t icmp_opener(const Parsed& parsed) {
  const uint8_t code = parsed.icmp_code < k_icmp_code_bits ? parsed.icmp_code : k_icmp_code_bits;
  return static_cast<uint8_t>(icmp_query_of(parsed.icmp_type) | code);
}

// Whether the message belongs to the flow that such a one opened.
inline bool continues_query(uint8_t opener, FlowDirection direction, const Parsed& parsed) {
  if (direction == FlowDirection::forward) return icmp_opener(parsed) == opener;
  const uint8_t query = opener & static_cast<uint8_t>(~k_icmp_code_bits);
  return query != 0 && !(query & k_icmp_answer) &&
         icmp_query_of(parsed.icmp_type) == (query | k_icmp_answer);
}

}  // namespace margay::vector
