#pragma once

// What is fuzzed of text and messages from outside, one function a target: each takes any bytes,
// and ends the process (require) when something that must hold does not. tests/fuzz/inputs/build
// makes a libFuzzer program of each; the tests run their kept corpus (tests/fuzz/corpus/<target>).

#include <string_view>

namespace margay::fuzz {

void json(std::string_view bytes);      // api::parse_json
void yaml(std::string_view bytes);      // api::parse_yaml
void selector(std::string_view bytes);  // selector::Selector::parse
void cni(std::string_view bytes);       // cni::parse_config and parse_arguments
void protobuf(std::string_view bytes);  // bodies in Kubernetes' protobuf form
void http(std::string_view bytes);      // a request to the API server, from its bytes to the answer

// Ends the process with `what` unless it holds.
void require(bool holds, const char* what);

}  // namespace margay::fuzz
