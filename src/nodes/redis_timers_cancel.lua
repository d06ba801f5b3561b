-- Takes out an entry and what is held of it, unless that fires already. KEYS[8]: where it is noted that it was
-- cancelled. ARGV: its member, what is above all members that begin so, for how long it is noted (ms). Answers how many.
local member = ARGV[1]
local row = call('HGET', ROWS, member) or ''
local taken = call('ZREM', DUE, member)
call('HDEL', ROWS, member)
local time = exact(time_us())
for _, one in ipairs(call('ZRANGEBYLEX', HELD, '[' .. member, '(' .. ARGV[2])) do
  taken = taken + call('ZREM', DUE, one)
  call('ZREM', HELD, one)
  call('HDEL', ROWS, one)
  call('HSET', DONE, one, '')  -- so that it is not put again
  call('ZADD', FIRED, time, one)
end
if taken > 0 then call('SET', KEYS[8], row, 'PX', ARGV[3]) end
return taken
