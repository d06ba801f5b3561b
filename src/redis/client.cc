#include "redis/client.h"

#include "redis/deployment_client.h"

namespace tocsin::redis {
namespace {

// Owns the client that callbacks run in, so that one of them may destroy this.
class OwnedClient final : public Client {
 public:
  OwnedClient(runtime::Core& core, ClientOptions options)
      : core_(core), client_(std::make_shared<DeploymentClient>(core, std::move(options))) {
    client_->Start();
  }
  ~OwnedClient() override {
    client_->Stop();
    core_.Post([client = std::move(client_)] {});
  }
  OwnedClient(const OwnedClient&) = delete;
  OwnedClient& operator=(const OwnedClient&) = delete;

  void Call(std::string_view key, Arguments command, Then then, CallOptions options) override {
    client_->Call(key, std::move(command), std::move(then), options);
  }
  void Eval(const Script& script, std::vector<std::string> keys, Arguments arguments, Then then,
            CallOptions options) override {
    client_->Eval(script, std::move(keys), std::move(arguments), std::move(then), options);
  }
  uint64_t CallBlocking(std::string_view key, Arguments command, Then then, CallOptions options) override {
    return client_->CallBlocking(key, std::move(command), std::move(then), options);
  }
  void CancelBlocking(uint64_t call) override { client_->CancelBlocking(call); }
  void CallEveryPrimary(Arguments command, std::function<void(base::Result<std::vector<PrimaryReply>>)> then,
                        CallOptions options) override {
    client_->CallEveryPrimary(std::move(command), std::move(then), options);
  }
  std::string AddressOf(std::string_view key) const override { return client_->AddressOf(key); }
  bool connected() const override { return client_->connected(); }
  void Stop() override { client_->Stop(); }

 private:
  runtime::Core& core_;
  std::shared_ptr<DeploymentClient> client_;
};

}  // namespace

std::unique_ptr<Client> Connect(runtime::Core& core, ClientOptions options) {
  return std::make_unique<OwnedClient>(core, std::move(options));
}

}  // namespace tocsin::redis
