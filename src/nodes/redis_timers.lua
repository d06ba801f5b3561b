-- What every script of the timers of one kind and ingest stream starts with; docs/decisions/redis-layout.md draws the
-- keys and bytes. All keys are of the stream's slot:
--
-- KEYS  state   hash    fence: of the stream's owner that was here last; last: the entry (16 bytes) up to which all are
--                       scheduled; number: the last one given out
--       due     zset    member -> when, ms
--       rows    hash    member -> weight(4) payload
--       firing  zset    member -> its number: taken, and not yet known to be done
--       done    hash    member -> when(8) weight(4) payload, of those firing and fired; empty: cancelled
--       fired   zset    member -> its number: done a short while ago
--       held    zset    members of those that are about one user of an entry, all with score 0: in bytewise order
--
-- A member is the 16 bytes of an entry's id and a name: empty for the entry itself.
if redis.replicate_commands then redis.replicate_commands() end  -- before Redis 7: replicate what scripts did
local call, byte, sub, unpack_bytes, pack_bytes = redis.call, string.byte, string.sub, struct.unpack, struct.pack
local STATE, DUE, ROWS, FIRING, DONE, FIRED, HELD = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6], KEYS[7]

-- What is wrong with an owner of that fencing number; nothing: there is none newer.
local function refusal(fence)
  local seen = tonumber(call('HGET', STATE, 'fence') or '0')
  if tonumber(fence) < seen then
    return {err = 'FENCED a later owner of the stream is at work: ' .. string.format('%.0f', seen)}
  end
  if tonumber(fence) > seen then call('HSET', STATE, 'fence', fence) end
  return nil
end

local function time_us()
  local time = call('TIME')
  return tonumber(time[1]) * 1000000 + tonumber(time[2])
end

local function exact(number) return string.format('%.0f', number) end

local function is_held(member) return byte(member, 17) == 0 end

-- Bytewise, whatever the locale.
local function is_before(a, b)
  for at = 1, math.min(#a, #b) do
    local one, other = byte(a, at), byte(b, at)
    if one ~= other then return one < other end
  end
  return #a < #b
end
