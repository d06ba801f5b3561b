// The settings `redelivery`, `retention` and `rate_limits`: comma lists of rules, each a stream, a stream and a group,
// or a category, then words name=value.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "notifier/retention_rule.h"
#include "state/rate_limit.h"
#include "streams/redelivery.h"

namespace tocsin::server {

// "notifications_stream/email after=60s deliveries=5 backoff=2 longest=1h, orders/* after=30s". kInvalidArgument: what
// is wrong with which rule, and what is allowed.
base::Result<std::vector<streams::RedeliveryRule>> ParseRedelivery(std::string_view list);

// "notifications_stream age=24h entries=1000000 bytes=1GiB cap=4GiB needed=drop, ..."
base::Result<std::vector<notifier::RetentionRule>> ParseRetention(std::string_view list);

// "* most=60 per=1m, marketing most=3 per=1h"
base::Result<std::vector<state::RateLimit>> ParseRateLimits(std::string_view list);

// The rules given, and those for ingest streams and their dead letters that none was given for.
std::vector<notifier::RetentionRule> WithDefaults(std::vector<notifier::RetentionRule> rules,
                                                  const std::vector<std::string>& ingest_streams);

}  // namespace tocsin::server
