// CLIENT LIST, KILL and UNBLOCK: a request walks over the Cores, one after the other, and comes back as a reply.
#include "gateway/resp_change.h"

namespace tocsin::gateway {
namespace {

using commands::HostRequest;

struct Walk {
  HostRequest request;
  RespAddress from;
  std::string list;
  int64_t count = 0;
  bool caller_killed = false;
};

void Visit(Walk& walk, RespPeer& peer) {
  const HostRequest& request = walk.request;
  if (!peer.client().Matches(request, peer.sockets())) return;
  switch (request.kind) {
    case HostRequest::Kind::kList:
      walk.list += peer.client().Describe(peer.sockets()) + "\n";
      ++walk.count;
      break;
    case HostRequest::Kind::kKill:
      ++walk.count;
      if (peer.client().id() == request.caller) {
        walk.caller_killed = true;  // after its reply
      } else {
        peer.Kill();
      }
      break;
    case HostRequest::Kind::kUnblock:
      if (peer.Unblock(request.unblock_with_error ? RespPeer::Reason::kError : RespPeer::Reason::kTimeout))
        ++walk.count;
      break;
  }
}

std::string ReplyTo(const Walk& walk) {
  std::string reply;
  wire::RespWriter writer(reply, walk.request.version);
  if (walk.request.kind == HostRequest::Kind::kList) {
    writer.Verbatim(walk.list);
  } else if (!walk.request.old_form) {
    writer.Integer(walk.count);
  } else if (walk.count > 0) {
    writer.Simple("OK");
  } else {
    writer.Error("ERR No such client");
  }
  return reply;
}

void Step(const std::shared_ptr<Walk>& walk, size_t at) {
  Hub& home = *walk->from.hub;
  const std::vector<Hub*>& hubs = home.backend().hubs;
  if (at < hubs.size()) {
    Hub* hub = hubs[at];
    return hub->core().Post([walk, at, hub] {
      hub->ForEachConnection([&](Connection& connection) {
        auto* peer = dynamic_cast<RespPeer*>(connection.peer());
        if (peer != nullptr && !connection.closing()) Visit(*walk, *peer);
      });
      Step(walk, at + 1);
    });
  }
  home.core().Post([walk] {
    Connection* connection = walk->from.hub->Find(walk->from.connection);
    if (connection == nullptr) return;
    auto* peer = dynamic_cast<RespPeer*>(connection->peer());
    if (peer != nullptr) peer->OnHostAnswer(walk->from.number, ReplyTo(*walk), walk->caller_killed);
  });
}

}  // namespace

void AskAllClients(Hub& hub, uint64_t connection, uint64_t number, HostRequest request) {
  auto walk = std::make_shared<Walk>();
  walk->request = std::move(request);
  walk->from = {&hub, connection, number};
  Step(walk, 0);
}

}  // namespace tocsin::gateway
