#pragma once

// The values of dataplane/dataplane.h as messages of dataplane.proto, and back. To a message and
// back gives an equal value. From a message that this program did not write: `invalid` names what
// is wrong; nothing is guessed.

#include "base/result.h"
#include "dataplane/dataplane.h"
#include "dataplane/upcalls.h"
#include "dataplane/wire/dataplane.pb.h"
#include "policy/program.h"

namespace margay::dataplane::wire {

proto::Delta to_message(const policy::Delta& delta);
base::Result<policy::Delta> from_message(const proto::Delta& message);

proto::Interface to_message(const Interface& interface);
base::Result<Interface> from_message(const proto::Interface& message);

proto::Capabilities to_message(const Capabilities& capabilities);
Capabilities from_message(const proto::Capabilities& message);

proto::Report to_message(const ApplyReport& report);
base::Result<ApplyReport> from_message(const proto::Report& message);

proto::EndpointReport to_message(const EndpointReport& report);
base::Result<EndpointReport> from_message(const proto::EndpointReport& message);

proto::FlowRecord to_message(const FlowRecord& record);
base::Result<FlowRecord> from_message(const proto::FlowRecord& message);

}  // namespace margay::dataplane::wire
