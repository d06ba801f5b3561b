-- Windows of rate limits of a bucket's users that have ended. The hash of windows has for each user (behind its length)
-- and category a msgpack array: when it ends, how many were delivered and summed up in it, the highest priority of the
-- summed up, the first nids of them. The sorted set has the same names by their ends.
-- KEYS: bucket, windows, ends. ARGV: clock ms, most windows.
-- Answers for each with something summed up: its name, its bytes, then what it holds. The others are gone.
if not open_bucket('') then return NO_EPOCH end
local windows = {}
for _, name in ipairs(call('ZRANGEBYSCORE', KEYS[3], '-inf', ARGV[1], 'LIMIT', 0, ARGV[2])) do
  local packed = call('HGET', KEYS[2], name)
  local window = packed and cmsgpack.unpack(packed)
  if window and window[3] > 0 then
    local reply = {name, packed}
    for at, value in ipairs(window) do reply[at + 2] = at <= 4 and string.format('%.0f', value) or value end
    windows[#windows + 1] = reply
  else
    call('HDEL', KEYS[2], name)
    call('ZREM', KEYS[3], name)
  end
end
return windows
