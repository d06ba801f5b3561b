-- What waits, in the order of its time, without payloads. ARGV: when (ms), and what the members of that time are not to
-- be below; the most. Answers 1 if there is more (else 0), and for each: member, when, weight (4 bytes).
local low = call('ZCOUNT', DUE, '-inf', '(' .. ARGV[1])
local high = call('ZCOUNT', DUE, '-inf', ARGV[1])
while low < high do
  local middle = math.floor((low + high) / 2)
  if is_before(call('ZRANGE', DUE, middle, middle)[1], ARGV[2]) then low = middle + 1 else high = middle end
end
local most = tonumber(ARGV[3])
local found = call('ZRANGE', DUE, low, low + most, 'WITHSCORES')
local listed = {}
for at = 1, math.min(#found, 2 * most), 2 do
  listed[#listed + 1], listed[#listed + 2] = found[at], exact(tonumber(found[at + 1]))
  listed[#listed + 1] = sub(call('HGET', ROWS, found[at]) or '\0\0\0\0', 1, 4)
end
return {#found > 2 * most and 1 or 0, listed}
