-- What a session needs to start. KEYS: bucket, log, devices. ARGV: device or ''.
-- Answers epoch, {ms, seq} of the loss mark, head, {ms, seq} of the device's cursor or {}.
local epoch, _, lost_ms, lost_seq = open_bucket('')
if not epoch then return NO_EPOCH end
local cursor = {}
if ARGV[1] ~= '' then
  local stored = call('HGET', KEYS[3], ARGV[1])
  if stored then cursor = {unpack_bytes('>I6I2', stored)} cursor[3] = nil end
end
return {epoch, {lost_ms, lost_seq}, head_reply((read_head())), cursor}
