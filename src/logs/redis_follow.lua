-- Makes or ends a follow. KEYS: bucket, log, follows. ARGV: topic; by (0: a back-end, 1: the user) or '' to end it, from
-- (8 bytes), how many a user may have.
-- Answers 1: it is made or ended; 0: there was none to end; -1: there are too many.
if not open_bucket('') then return NO_EPOCH end
local known = call('HGET', KEYS[3], ARGV[1])
if ARGV[2] == '' then return call('HDEL', KEYS[3], ARGV[1]) end
local by, from = tonumber(ARGV[2]), ARGV[3]
if known then
  if byte(known) <= by then return 1 end
  from = sub(known, 2)  -- it stays where it began
elseif call('HLEN', KEYS[3]) >= tonumber(ARGV[4]) then
  return -1
end
call('HSET', KEYS[3], ARGV[1], string.char(by) .. from)
return 1
