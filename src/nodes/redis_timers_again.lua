-- What has fired a short while ago, in the order of its numbers. ARGV: fence, the number behind which, the most, most
-- bytes of rows. Answers the number up to which it looked ('' at the end), and as redis_timers_take what it found.
local refused = refusal(ARGV[1])
if refused then return refused end
local most_bytes = tonumber(ARGV[4])
local fired = call('ZRANGEBYSCORE', FIRED, '(' .. ARGV[2], '+inf', 'WITHSCORES', 'LIMIT', 0, ARGV[3])
local found, bytes, looked = {}, 0, ''
for at = 1, #fired, 2 do
  if bytes >= most_bytes then break end
  local row = call('HGET', DONE, fired[at])
  looked = exact(tonumber(fired[at + 1]))
  if row and #row > 0 then
    found[#found + 1], found[#found + 2], found[#found + 3] = fired[at], looked, row
    bytes = bytes + #row
  end
end
return {looked, found}
