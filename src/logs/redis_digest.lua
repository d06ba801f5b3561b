-- Ends a window of a rate limit and, in the same step, appends its digest to the user's log.
-- KEYS: bucket, log, watchers, collapse keys, the bucket's windows, their ends. ARGV: clock ms, entries that a log may have, the tag of the
-- preferences that were asked, the window's name and bytes, the digest's entry ('': it is not appended).
-- Answers as redis_append.lua; nothing where the window is not what it was.
local now = tonumber(ARGV[1])
local epoch, floor_ms, lost_ms, lost_seq = open_bucket('')
if not epoch then return NO_EPOCH end
local head, exists = read_head()
local said = preferences_of(head)
if said ~= tonumber(ARGV[3]) then return {string.format('%.0f', said)} end
if call('HGET', KEYS[5], ARGV[4]) ~= ARGV[5] then return {} end
call('HDEL', KEYS[5], ARGV[4])
call('ZREM', KEYS[6], ARGV[4])

local before_ms, before_seq = head[LAST], head[LAST + 1]
if lost_ms > before_ms or (lost_ms == before_ms and lost_seq > before_seq) then
  before_ms, before_seq = lost_ms, lost_seq
end
local id, entry = short_id(0, 1), ARGV[6]
if entry ~= '' then
  id = short_id(next_id(head, now, floor_ms, lost_ms, lost_seq))
  if not exists then call('RPUSH', KEYS[2], '') end  -- the head's place
  local element = '\0' .. id .. entry
  call('RPUSH', KEYS[2], element)
  head[ENTRIES] = head[ENTRIES] + 1
  count(head, byte(entry, 2), 0, (traits_of(element)), 1)
  trim(head, tonumber(ARGV[2]), KEYS[4])
  write_head(head)
end
return {short_id(before_ms, before_seq), head_reply(head), id, call('HKEYS', KEYS[3]), {}}
