-- Stores cursors of devices of one user: clamped to the log's last id, and they only grow. Those in topics were clamped
-- before; their device is one of the user's from then on.
-- KEYS: bucket, log, devices, cursors in topics. ARGV: clock ms; then device, topic ('': the own log), ms and seq of each.
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
      for _, cursor in ipairs(call('HKEYS', KEYS[4])) do
        if sub(cursor, 1, #device[1] + 1) == device[1] .. '\0' then call('HDEL', KEYS[4], cursor) end
      end
      gone = gone + 1
    end
  end
  return gone
end

local forgotten = 0
local function keep(device, topic, ms, seq)
  local field, cursor = device .. '\0' .. topic, short_id(ms, seq)
  local stored = call('HGET', KEYS[4], field)
  if not stored or stored < cursor then call('HSET', KEYS[4], field, cursor) end
end

for at = 2, #ARGV, 4 do
  local device, topic, ms, seq = ARGV[at], ARGV[at + 1], tonumber(ARGV[at + 2]), tonumber(ARGV[at + 3])
  local in_topic = topic ~= ''
  local topic_ms, topic_seq = ms, seq
  if in_topic then ms, seq = 0, 0 end
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
  if in_topic then keep(device, topic, topic_ms, topic_seq) end
end
return forgotten
