-- Stores cursors of devices of one user: clamped to the log's last id, and they only grow.
-- KEYS: bucket, log, devices. ARGV: clock ms; then device, ms and seq of each.
local SILENCE_MS, MOST, NOTE_MS = 30 * 24 * 3600 * 1000, 64, 24 * 3600 * 1000
local epoch, _, lost_ms, lost_seq = open_bucket('')
if not epoch then return NO_EPOCH end
local now = tonumber(ARGV[1])
local head = read_head()
local last_ms, last_seq = head[LAST], head[LAST + 1]
if lost_ms > last_ms or (lost_ms == last_ms and lost_seq > last_seq) then last_ms, last_seq = lost_ms, lost_seq end

-- Makes room for one more: those that are silent go, and while there are too many the one that is silent longest.
local function make_room()
  local all = call('HGETALL', KEYS[3])
  local known, gone = {}, 0
  for at = 1, #all, 2 do
    local _, _, heard = unpack_bytes('>I6I2I6', all[at + 1])
    known[#known + 1] = {all[at], heard}
  end
  table.sort(known, function(a, b) return a[2] < b[2] end)
  for at, device in ipairs(known) do
    if now - device[2] > SILENCE_MS or #known - at + 1 >= MOST then
      call('HDEL', KEYS[3], device[1])
      gone = gone + 1
    end
  end
  return gone
end

local forgotten = 0
for at = 2, #ARGV, 3 do
  local device, ms, seq = ARGV[at], tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2])
  if ms > last_ms or (ms == last_ms and seq > last_seq) then ms, seq = last_ms, last_seq end
  local stored, is_new = call('HGET', KEYS[3], device), true
  if not stored then
    forgotten = forgotten + make_room()
  else
    local its_ms, its_seq, heard = unpack_bytes('>I6I2I6', stored)
    if ms < its_ms or (ms == its_ms and seq <= its_seq) then
      ms, seq = its_ms, its_seq
      is_new = now - heard >= NOTE_MS  -- only that it is alive
    end
  end
  if is_new then call('HSET', KEYS[3], device, pack_bytes('>I6I2I6', ms, seq, now)) end
end
return forgotten
