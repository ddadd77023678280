#pragma once

// `calicoctl ipam`: which addresses are used and by whom, whether the records agree, and what to do
// about those that leaked. Output and messages are Calico v3.19's.

#include <string>

#include "ctl/resource_commands.h"

namespace margay::ctl {

struct IpamShowArguments {
  std::string ip;  // whether this address is in use; else one of:
  bool blocks = false;
  bool borrowed = false;
  bool configuration = false;
};
Outcome show_ipam(const IpamShowArguments& arguments, const Connect& connect);

struct IpamReleaseArguments {
  std::string ip;
  std::string report;  // a file that `check` wrote: what it says is leaked
  bool force = false;  // though the datastore is not locked, or another version wrote the report
};
Outcome release_ipam(const IpamReleaseArguments& arguments, const Connect& connect);

// `strict_affinity`: true or false, as Go reads them.
Outcome configure_ipam(const std::string& strict_affinity, const Connect& connect);

struct IpamCheckArguments {
  bool show_all_ips = false;
  bool show_problem_ips = false;
  std::string output;  // a file for the report; empty: none
};
// Beside v3.19's findings, records that contradict themselves or each other (ipam/check.h).
Outcome check_ipam(const IpamCheckArguments& arguments, const Connect& connect);

}  // namespace margay::ctl
