-- What a session needs to start. KEYS: bucket, log, devices. ARGV: device or ''.
-- Answers epoch, loss mark, head, the device's cursor or ''.
local epoch, _, lost_ms, lost_seq = open_bucket('')
if not epoch then return NO_EPOCH end
local cursor = ''
if ARGV[1] ~= '' then
  local stored = call('HGET', KEYS[3], ARGV[1])
  if stored then cursor = sub(stored, 1, 8) end
end
return {epoch, short_id(lost_ms, lost_seq), head_reply((read_head())), cursor}
