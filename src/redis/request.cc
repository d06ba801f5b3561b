#include "redis/request.h"

#include "wire/resp.h"

namespace tocsin::redis {

void AppendRequest(std::string& out, const Request& request, ScriptForm form) {
  std::vector<std::string_view> views(request.command.begin(), request.command.end());
  if (request.script && form == ScriptForm::kWhole) {
    views[0] = "EVAL";
    views[1] = request.script->source();
  }
  wire::AppendRespCommand(out, views);
}

}  // namespace tocsin::redis
