#pragma once

#include <boost/json/object.hpp>
#include <string>
#include <string_view>

namespace margay::vector {

// The engine's replies for people to read: tables. `what` as in `show`, or "trace".
std::string reply_text(std::string_view what, const boost::json::object& reply);

}  // namespace margay::vector
