// Names of what nodes keep in Redis beside the logs. Everything of one ingest stream shares its slot, so a Cluster does
// with one key what one server does.
#pragma once

#include <string>
#include <string_view>

namespace tocsin::nodes {

// What decides the slot of `stream`: what stands in its braces, or its whole name.
std::string_view TagOf(std::string_view stream);
// Whether its companions can share its slot: not with an empty tag, or a brace that is not part of one.
bool CanBeIngest(std::string_view stream);

// "tocsin:{notifications_stream}:notifications_stream:lease"
std::string StreamKey(std::string_view stream, std::string_view what);
// The wake-ups of one node.
std::string WakeKey(std::string_view node);

}  // namespace tocsin::nodes
