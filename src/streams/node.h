// Node: the unit in which Redis holds a stream (one listpack of its radix tree). `~` trims whole nodes and XINFO STREAM
// counts them, so nodes follow the rules of Redis to the byte, though nothing here is stored as a listpack.
#pragma once

#include <cstdint>
#include <deque>

#include "streams/chunk.h"

namespace tocsin::streams {

// When a node is full; the settings stream-node-max-entries and stream-node-max-bytes. 0: no such limit.
struct NodeLimits {
  uint64_t max_entries = 100;
  uint64_t max_bytes = 4096;
};

struct Node {
  EntryId first;  // its first entry, live or not: its name
  EntryId last;   // its last entry, live or not
  uint32_t live = 0;
  uint32_t deleted = 0;
  uint64_t bytes = 0;  // of a listpack with these entries, less the two counters at its head
};

// A node that begins with this entry (not yet counted in it).
Node MakeNode(EntryId id, FieldSpan fields);
bool IsFull(const Node& node, FieldSpan fields, const NodeLimits& limits);
void AddToNode(Node& node, EntryId id, FieldSpan fields, Names names);

// Nodes of the radix tree that Redis would build over these keys (`radix-tree-nodes`).
uint64_t CountRadixNodes(const std::deque<Node>& nodes);

}  // namespace tocsin::streams
