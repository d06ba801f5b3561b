-- Takes what is due, for an owner who then does it. What an owner took before and has not finished comes first, and
-- alone. ARGV: fence, now (ms), the most: timers, weight, bytes of rows; for how long fired ones are kept (us).
-- Answers when the next one is due ('' if none is), how many wait, and for each taken: member, number, when (8) weight
-- (4) payload.
local refused = refusal(ARGV[1])
if refused then return refused end
local most, most_weight, most_bytes = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local time = time_us()

local old = call('ZRANGEBYSCORE', FIRED, '-inf', exact(time - tonumber(ARGV[6])), 'LIMIT', 0, 1000)
if #old > 0 then
  call('ZREM', FIRED, unpack(old))
  call('HDEL', DONE, unpack(old))
end

local taken, weight, bytes = {}, 0, 0
local function is_full() return #taken >= 3 * most or weight >= most_weight or bytes >= most_bytes end
local function take(member, number, row)
  weight = weight + unpack_bytes('>I4', row, 9)
  bytes = bytes + #row
  taken[#taken + 1], taken[#taken + 2], taken[#taken + 3] = member, number, row
end

local earlier = call('ZRANGE', FIRING, 0, most - 1, 'WITHSCORES')
if #earlier > 0 then
  for at = 1, #earlier, 2 do
    if is_full() then break end
    local row = call('HGET', DONE, earlier[at])
    if row then take(earlier[at], exact(tonumber(earlier[at + 1])), row) else call('ZREM', FIRING, earlier[at]) end
  end
else
  local number = tonumber(call('HGET', STATE, 'number') or '0')
  local due = call('ZRANGEBYSCORE', DUE, '-inf', ARGV[2], 'WITHSCORES', 'LIMIT', 0, most)
  for at = 1, #due, 2 do
    if is_full() then break end
    local member = due[at]
    local row = call('HGET', ROWS, member)
    if row then
      number = math.max(number + 1, time)
      row = pack_bytes('>I8', tonumber(due[at + 1])) .. row
      take(member, exact(number), row)
      call('ZADD', FIRING, exact(number), member)
      call('HSET', DONE, member, row)
      call('ZREM', FIRED, member)
      call('HDEL', ROWS, member)
      if is_held(member) then call('ZREM', HELD, member) end
    end
    call('ZREM', DUE, member)
  end
  if #taken > 0 then call('HSET', STATE, 'number', exact(number)) end
end
local next_due = call('ZRANGE', DUE, 0, 0, 'WITHSCORES')[2]
return {next_due and exact(tonumber(next_due)) or '', call('ZCARD', DUE), taken}
