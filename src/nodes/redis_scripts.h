// The Lua scripts beside this file, as cmake/scripts.cmake embeds them. `redis_timers` goes before every other one.
#pragma once

#include <string_view>

namespace tocsin::nodes::scripts {

extern const std::string_view redis_timers;
extern const std::string_view redis_timers_put, redis_timers_take, redis_timers_finish,
    redis_timers_again;                                                                   // the owner's
extern const std::string_view redis_timers_list, redis_timers_find, redis_timers_cancel;  // anybody's

}  // namespace tocsin::nodes::scripts
