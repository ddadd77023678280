#pragma once

// The CNI plugins `calico` and `calico-ipam` (https://www.cni.dev/docs/spec/, versions 0.3.0 to
// 1.0.0), drop-in for Calico v3.19's: the same configuration, names and annotations.
//
// Every operation may be repeated, and may be cut short anywhere:
// * ADD assigns addresses to the container's handle first, then wires the pod, then says so in the
//   pod's annotations. Repeated, it finds what it has and makes what is missing. When it fails it
//   gives back what it took. Until the agent has laid the closed start after a boot, ADD is
//   answered with error 11 (try again later): a pod would be open.
// * DEL goes the other way round, so that an address is free only when nobody has it: the wire, the
//   annotations, the addresses. It works on what is the container's own (its end of the pair, its
//   handle), so the DEL of an old container never harms a newer one of the same pod.

#include <functional>
#include <memory>
#include <string>

#include "base/node_state.h"
#include "base/result.h"
#include "cni/arguments.h"
#include "cni/config.h"

namespace margay::store {
class Store;
}

namespace margay::cni {

// As a program: the environment, standard input, standard output; returns the exit status.
int run_plugin();
int run_ipam_plugin();

// The same as a function, for tests. Works in the calling thread's network namespace.
struct Call {
  Environment environment;
  std::string input;
  std::function<base::Result<std::unique_ptr<store::Store>>(const NetworkConfig&)> open_store;
  base::NodeState node_state = {};  // what the node's agent has left
};
struct Answer {
  std::string output;
  int status = 0;
};
Answer answer_plugin(const Call& call);
Answer answer_ipam_plugin(const Call& call);

}  // namespace margay::cni
