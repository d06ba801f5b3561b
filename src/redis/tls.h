// TlsContext: what the TLS connections to one deployment have in common: the authorities trusted, and our certificate.
//
// 1. TLS 1.2 and above. The server's certificate is always checked: its chain, and the name or address we meant.
// 2. Failures say which file or which setting of the address is to be mended.
#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "redis/address.h"
#include "redis/stream.h"

namespace tocsin::redis {

class TlsContext {
 public:
  // Reads the files that the deployment names; kInvalidArgument where one cannot be used.
  static base::Result<std::unique_ptr<TlsContext>> Make(const Deployment& deployment);
  ~TlsContext();
  TlsContext(const TlsContext&) = delete;
  TlsContext& operator=(const TlsContext&) = delete;

  // A stream over a connected socket, which is not owned, to `host` as the address names it.
  base::Result<std::unique_ptr<Stream>> Connect(int socket, const std::string& host) const;
  bool has_certificate() const { return has_certificate_; }

 private:
  struct Context;  // OpenSSL's
  TlsContext(std::unique_ptr<Context> context, const Deployment& deployment);
  std::unique_ptr<Context> context_;
  const std::string server_name_;
  const bool has_certificate_;
};

}  // namespace tocsin::redis
