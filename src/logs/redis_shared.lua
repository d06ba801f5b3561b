-- What every script of the user logs starts with; docs/decisions/redis-layout.md draws the keys and bytes.
--
-- KEYS[1] is the bucket's record. Without its `epoch` the store is empty or was restored: nothing is done then.
-- Ids are pairs of numbers (ms, seq); in an element 6 + 2 bytes. An id of an ingest stream may use all of its 64 bits,
-- which a number cannot hold: four halves of 32.
-- Replies are packed bytes where they can be: an array of numbers costs a third of an append.
if redis.replicate_commands then redis.replicate_commands() end  -- before Redis 7: replicate what scripts did
local call, byte, sub, unpack_bytes, pack_bytes = redis.call, string.byte, string.sub, struct.unpack, struct.pack

-- epoch, the least ms of a new id, ms and seq of the loss mark, the stream's fencing number
local function open_bucket(stream)
  local record = call('HMGET', KEYS[1], 'epoch', 'floor', 'lost', 'f:' .. stream)
  if not record[1] then return nil end
  local lost_ms, lost_seq = 0, 0
  if record[3] then
    local ms, seq = string.match(record[3], '^(%d+)%-(%d+)$')
    lost_ms, lost_seq = tonumber(ms), tonumber(seq)
  end
  return record[1], tonumber(record[2] or -1) + 1, lost_ms, lost_seq, tonumber(record[4] or 0)
end

local function short_id(ms, seq) return pack_bytes('>I6I2', ms, seq) end

local NO_EPOCH = {err = 'NOEPOCH the record of this bucket is missing: the store is empty, or was restored'}
