#include "redis/tls.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstring>

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

namespace tocsin::redis {
namespace {

using base::Code;
using base::Result;
using base::Status;

struct FreeSsl {
  void operator()(SSL* ssl) const { SSL_free(ssl); }
};

// The oldest of OpenSSL's errors, and none is left behind for the next call.
std::string TakeError() {
  const unsigned long error = ERR_get_error();
  ERR_clear_error();
  if (error == 0) return "no reason given";
  const char* reason = ERR_reason_error_string(error);
  if (reason != nullptr) return reason;
  std::array<char, 160> text{};
  ERR_error_string_n(error, text.data(), text.size());
  return text.data();
}

bool IsAddress(const std::string& host) {
  std::array<unsigned char, sizeof(in6_addr)> ignored{};
  return inet_pton(AF_INET, host.c_str(), ignored.data()) == 1 ||
         inet_pton(AF_INET6, host.c_str(), ignored.data()) == 1;
}

class Tls final : public Stream {
 public:
  explicit Tls(std::unique_ptr<SSL, FreeSsl> ssl, std::string expected)
      : ssl_(std::move(ssl)), expected_(std::move(expected)) {}
  ~Tls() override {
    // One try to say goodbye; the socket goes in any case.
    if (SSL_is_init_finished(ssl_.get()) != 0 && failure_.ok()) SSL_shutdown(ssl_.get());
    ERR_clear_error();
  }
  Tls(const Tls&) = delete;
  Tls& operator=(const Tls&) = delete;

  Step Handshake() override {
    ERR_clear_error();
    const int done = SSL_connect(ssl_.get());
    return done == 1 ? Step::kDone : After(done);
  }
  Step Read(std::span<char> into, size_t& got) override {
    ERR_clear_error();
    const int done = SSL_read_ex(ssl_.get(), into.data(), into.size(), &got);
    return done == 1 ? Step::kDone : After(done);
  }
  Step Write(std::string_view bytes, size_t& put) override {
    ERR_clear_error();
    const int done = SSL_write_ex(ssl_.get(), bytes.data(), std::min<size_t>(bytes.size(), INT_MAX), &put);
    return done == 1 ? Step::kDone : After(done);
  }
  const Status& failure() const override { return failure_; }

 private:
  Step After(int done) {
    const int system = errno;
    switch (SSL_get_error(ssl_.get(), done)) {
      case SSL_ERROR_WANT_READ:
        return Step::kWantRead;
      case SSL_ERROR_WANT_WRITE:
        return Step::kWantWrite;
      case SSL_ERROR_ZERO_RETURN:
        return Step::kEnd;
      case SSL_ERROR_SYSCALL:
        if (system == 0) return Step::kEnd;
        failure_ = Status(Code::kUnavailable, std::strerror(system));
        return Step::kFailed;
      default:
        break;
    }
    failure_ = Status(Code::kUnavailable, Explain());
    return Step::kFailed;
  }

  std::string Explain() {
    const long verdict = SSL_get_verify_result(ssl_.get());
    const unsigned long error = ERR_peek_error();
    const std::string reason = TakeError();
    if (verdict == X509_V_ERR_HOSTNAME_MISMATCH || verdict == X509_V_ERR_IP_ADDRESS_MISMATCH) {
      return "its certificate is not for `" + expected_ + "`: connect by a name that it holds, or say `servername=`";
    }
    if (verdict != X509_V_OK) {
      return std::string("its certificate is not trusted: ") + X509_verify_cert_error_string(verdict) +
             ": name the authority with `ca=FILE`";
    }
    if (ERR_GET_REASON(error) == SSL_R_WRONG_VERSION_NUMBER) return "does not speak TLS on this port";
    if (ERR_GET_REASON(error) == SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED) {
      return "wants a client certificate: name it with `cert=FILE&key=FILE`";
    }
    return "TLS: " + reason;
  }

  std::unique_ptr<SSL, FreeSsl> ssl_;
  const std::string expected_;
  Status failure_;
};

}  // namespace

struct TlsContext::Context {
  struct Free {
    void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
  };
  std::unique_ptr<SSL_CTX, Free> ssl{SSL_CTX_new(TLS_client_method())};
};

TlsContext::TlsContext(std::unique_ptr<Context> context, const Deployment& deployment)
    : context_(std::move(context)),
      server_name_(deployment.server_name),
      has_certificate_(!deployment.cert_file.empty()) {}
TlsContext::~TlsContext() = default;

Result<std::unique_ptr<TlsContext>> TlsContext::Make(const Deployment& deployment) {
  const auto wrong = [](const std::string& what, const std::string& file) {
    return Status(Code::kInvalidArgument, what + " `" + file + "` cannot be used: " + TakeError());
  };
  ERR_clear_error();
  auto context = std::make_unique<Context>();
  SSL_CTX* const ssl = context->ssl.get();
  if (ssl == nullptr || SSL_CTX_set_min_proto_version(ssl, TLS1_2_VERSION) != 1) {
    return Status(Code::kInternal, "OpenSSL: " + TakeError());
  }
  SSL_CTX_set_mode(ssl, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_verify(ssl, SSL_VERIFY_PEER, nullptr);
  // Redis often closes without a word.
  SSL_CTX_set_options(ssl, SSL_OP_IGNORE_UNEXPECTED_EOF);
  if (deployment.ca_file.empty()) {
    SSL_CTX_set_default_verify_paths(ssl);
  } else if (SSL_CTX_load_verify_file(ssl, deployment.ca_file.c_str()) != 1) {
    return wrong("the authority", deployment.ca_file);
  }
  if (!deployment.cert_file.empty()) {
    if (SSL_CTX_use_certificate_chain_file(ssl, deployment.cert_file.c_str()) != 1) {
      return wrong("the certificate", deployment.cert_file);
    }
    if (SSL_CTX_use_PrivateKey_file(ssl, deployment.key_file.c_str(), SSL_FILETYPE_PEM) != 1) {
      return wrong("the key", deployment.key_file);
    }
  }
  return std::unique_ptr<TlsContext>(new TlsContext(std::move(context), deployment));
}

Result<std::unique_ptr<Stream>> TlsContext::Connect(int socket, const std::string& host) const {
  ERR_clear_error();
  const std::string& expected = server_name_.empty() ? host : server_name_;
  std::unique_ptr<SSL, FreeSsl> ssl(SSL_new(context_->ssl.get()));
  bool good = ssl != nullptr && SSL_set_fd(ssl.get(), socket) == 1;
  if (good && IsAddress(expected)) {
    good = X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl.get()), expected.c_str()) == 1;
  } else if (good) {
    char* const name = const_cast<char*>(expected.c_str());  // only read
    good = SSL_ctrl(ssl.get(), SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, name) == 1 &&
           SSL_set1_host(ssl.get(), expected.c_str()) == 1;
  }
  if (!good) return Status(Code::kInternal, "OpenSSL: " + TakeError());
  return std::unique_ptr<Stream>(std::make_unique<Tls>(std::move(ssl), expected));
}

}  // namespace tocsin::redis
