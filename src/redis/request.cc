#include "redis/request.h"

#include "wire/resp.h"

namespace tocsin::redis {

void WaitingRequests::Push(const RequestPtr& request) {
  if (requests_.size() >= look_at_) {
    std::erase_if(requests_, [](const RequestPtr& one) { return one->answered(); });
    look_at_ = 2 * requests_.size() + 64;
  }
  requests_.push_back(request);
}

void AppendRequest(std::string& out, const Request& request, ScriptForm form) {
  std::vector<std::string_view> views(request.command.begin(), request.command.end());
  if (request.script && form == ScriptForm::kWhole) {
    views[0] = "EVAL";
    views[1] = request.script->source();
  }
  wire::AppendRespCommand(out, views);
}

}  // namespace tocsin::redis
