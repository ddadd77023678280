#pragma once

#include <boost/json/array.hpp>
#include <cstddef>
#include <string>

#include "base/result.h"

namespace margay::vector {

// Writes a capture's packets ({"ns": ..., "frame": hex}) as a pcap file of Ethernet frames with
// times in nanoseconds, as tcpdump and Wireshark read it (draft-ietf-opsawg-pcap).
base::Result<> write_pcap(const std::string& path, const boost::json::array& packets);

}  // namespace margay::vector
