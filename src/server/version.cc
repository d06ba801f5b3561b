#include "server/version.h"

#include <cstdio>

#include "server/commands.h"
#include "storage/store.h"
#include "wire/websocket.h"

namespace tocsin::server {

int Version() {
  std::printf("tocsin %.*s (protocol %.*s, store format %u)\n", static_cast<int>(kVersion.size()), kVersion.data(),
              static_cast<int>(wire::kSubprotocol.size()), wire::kSubprotocol.data(), storage::kFormatVersion);
  return 0;
}

}  // namespace tocsin::server
