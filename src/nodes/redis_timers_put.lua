-- Puts timers, each unless there is one of that member. ARGV: fence; how: 'entries' (they stand for entries, in the order
-- of the stream, and none comes twice however long ago), 'kept' (none that fired a short while ago) or 'free'; then for
-- each: member, when (ms), weight(4) payload. Answers how many were put.
local refused = refusal(ARGV[1])
if refused then return refused end
local of_entries = ARGV[2] == 'entries'
local last = of_entries and call('HGET', STATE, 'last') or ''
local put = 0
for at = 3, #ARGV, 3 do
  local member, when, row = ARGV[at], ARGV[at + 1], ARGV[at + 2]
  local id = sub(member, 1, 16)
  local is_new
  if of_entries then
    is_new = last == '' or is_before(last, id)
    if is_new then last = id end
  else
    is_new = ARGV[2] == 'free' or call('HEXISTS', DONE, member) == 0
  end
  if is_new and call('HSETNX', ROWS, member, row) == 1 then
    call('ZADD', DUE, when, member)
    if is_held(member) then call('ZADD', HELD, 0, member) end
    put = put + 1
  end
end
if last ~= '' then call('HSET', STATE, 'last', last) end
return put
