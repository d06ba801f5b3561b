// GatewayOptions: what the gateway has to know, made by server/ from the settings.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "auth/api_keys.h"
#include "auth/jwt.h"
#include "model/limits.h"

namespace tocsin::gateway {

struct GatewayOptions {
  std::string listen_host = "127.0.0.1";
  uint16_t listen_port = 8080;               // 0: any free one
  std::vector<std::string> allowed_origins;  // exact, `https://app.example`; the own origin is always allowed
  std::string public_url;                    // empty: none; its host may serve the pages
  size_t max_connections = model::kMaxConnections;
  size_t max_body = model::kMaxIngestBody;
  std::string ingest_stream = "notifications_stream";  // where publishes over HTTP are appended
  auth::ApiKeys api_keys;
  std::shared_ptr<const auth::KeySet> token_keys;
  auth::TokenOptions token_options;
  bool demo = false;  // serve the inbox demo at /

  // The Redis port.
  std::optional<std::string> redis_listen_host;                        // nothing: off
  uint16_t redis_listen_port = 6380;                                   // 0: any free one
  bool redis_without_password = false;                                 // whoever reaches it may do everything
  std::vector<std::string> ingest_streams = {"notifications_stream"};  // those of the built-in group
  std::string version;                                                 // of Tocsin
};

}  // namespace tocsin::gateway
