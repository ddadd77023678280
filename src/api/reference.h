#pragma once

// The reference documentation of the API's kinds, as Markdown (docs/reference).

#include <map>
#include <string>

namespace margay::api {

// File name -> text: one page for each group version.
std::map<std::string, std::string> reference_pages();

}  // namespace margay::api
