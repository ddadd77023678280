#pragma once

// A request after authentication and its answer, as plain values: what the router and the verbs
// work on, so that they are tested without sockets.

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "apiserver/user.h"

namespace margay::apiserver {

class EventStream;  // apiserver/event_stream.h
class ListStream;   // apiserver/list_stream.h
class Unfinished;   // apiserver/router.h

enum class Method { get, post, put, patch, remove, other };

// Decoded query parameters; of a repeated one the first counts, as in Kubernetes.
using Query = std::map<std::string, std::string, std::less<>>;

struct Request {
  Method method = Method::get;
  std::string target;  // origin form: path and query, percent-encoded
  std::string accept;
  std::string content_type;
  std::string body;
  // Who asks. Known before the body is read; anonymous() where the path is public.
  User user = {};
  std::string source = {};  // the client's address
  std::string user_agent = {};
};

struct Response {
  int code = 200;
  std::string content_type = "application/json";
  std::vector<std::pair<std::string, std::string>> headers = {};
  std::string body = {};
  // One set: the body is that, made while it is sent.
  std::shared_ptr<EventStream> stream = {};
  std::shared_ptr<ListStream> list = {};
  // Set: there is no answer yet; Router::go_on().
  std::shared_ptr<Unfinished> unfinished = {};
};

}  // namespace margay::apiserver
