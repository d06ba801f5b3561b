-- Marks items of a log and appends the change.
-- KEYS: bucket, log, watchers, mark ids. ARGV: op (model::MarkOp), device, clock ms, entries that a log may have,
-- mark id or '', ms and seq of `upto` or '' and '', nids.
-- Answers head, unread, unseen and unread by priority after the mark, the appended element or '', {ms, seq: last before
-- it}, watching nodes.
local READ, UNREAD_OP, SEEN, ARCHIVE, DELETE = 0, 1, 2, 3, 4
local KEPT_MS, KEPT = 24 * 3600 * 1000, 1024  -- of mark ids: how long, how many
local TOMBSTONE = '\255'
local op, device, now, mid = tonumber(ARGV[1]), ARGV[2], tonumber(ARGV[3]), ARGV[5]
local upto_ms, upto_seq = tonumber(ARGV[6]), tonumber(ARGV[7])
local epoch, floor_ms, lost_ms, lost_seq = open_bucket('')
if not epoch then return NO_EPOCH end
local head = read_head()

local function reply(element, before, counts)
  counts = counts or {unpack(head, UNREAD, SOURCES - 1)}
  return {head_reply(head), counts, element, before, call('HKEYS', KEYS[3])}
end

local function remember_mark()
  if call('HLEN', KEYS[4]) >= KEPT then
    local all = call('HGETALL', KEYS[4])
    local oldest, oldest_at, gone = nil, math.huge, 0
    for at = 1, #all, 2 do
      local marked_at = tonumber(all[at + 1])
      if now - marked_at >= KEPT_MS then
        call('HDEL', KEYS[4], all[at])
        gone = gone + 1
      elseif marked_at < oldest_at then
        oldest, oldest_at = all[at], marked_at
      end
    end
    if gone == 0 then call('HDEL', KEYS[4], oldest) end
  end
  call('HSET', KEYS[4], mid, now)
  call('PEXPIRE', KEYS[4], KEPT_MS)
end

if mid ~= '' then
  local marked_at = call('HGET', KEYS[4], mid)
  if marked_at and now - tonumber(marked_at) < KEPT_MS then return reply('', {0, 0}) end
  remember_mark()
end

local function apply(state)
  if op == READ then return math.max(state, 2) end
  if op == UNREAD_OP then return math.min(state, 1) end
  if op == SEEN then return math.max(state, 1) end
  return 3
end

-- A text behind its length (LEB128) at `at`.
local function text_at(bytes, at)
  local size, unit = 0, 1
  while true do
    local digit = byte(bytes, at)
    at = at + 1
    size = size + digit % 128 * unit
    if digit < 128 then return sub(bytes, at, at + size - 1) end
    unit = unit * 128
  end
end

-- From the newest down, until nothing more can be meant: all nids are found, or as many items as are below the state.
local position, missing = {}, math.huge  -- of each nid in the request; what is still to be met
if not upto_ms then
  missing = 0
  for at = #ARGV, 8, -1 do
    if not position[ARGV[at]] then missing = missing + 1 end
    position[ARGV[at]] = at
  end
elseif op == READ then
  missing = head[UNREAD]
elseif op == SEEN then
  missing = head[UNSEEN]
end

local function is_meant(element, state)
  if upto_ms then
    if (op == READ and state < 2) or (op == SEEN and state < 1) then missing = missing - 1 end
    local ms, seq = id_of(element)
    return ms < upto_ms or (ms == upto_ms and seq <= upto_seq)
  end
  local nid = text_at(element, 12)
  local at = position[nid]
  if not at then return false end
  position[nid] = nil  -- the newest of that name is meant
  missing = missing - 1
  return true, at, nid
end

local changed, deleted, named = 0, 0, {}
local top, step = call('LLEN', KEYS[2]) - 1, 64
while top >= 1 and missing > 0 do
  local bottom = math.max(1, top - step + 1)
  local chunk = call('LRANGE', KEYS[2], bottom, top)
  for at = #chunk, 1, -1 do
    local element = chunk[at]
    if byte(element, 10) == ITEM then
      local state, priority = byte(element), byte(element, 11)
      local meant, asked_at, nid = is_meant(element, state)
      if meant and (op == DELETE or apply(state) ~= state) then
        changed = changed + 1
        if nid then named[asked_at] = nid end
        count(head, priority, state, -1)
        if op == DELETE then
          call('LSET', KEYS[2], bottom + at - 1, TOMBSTONE)
          deleted = deleted + 1
        else
          count(head, priority, apply(state), 1)
          call('LSET', KEYS[2], bottom + at - 1, string.char(apply(state)) .. sub(element, 2))
        end
      end
      if missing <= 0 then break end
    end
  end
  top, step = bottom - 1, math.min(step * 2, 256)
end
if changed == 0 then return reply('', {0, 0}) end
if deleted > 0 then
  call('LREM', KEYS[2], -deleted, TOMBSTONE)
  head[ENTRIES] = head[ENTRIES] - deleted
end

local function varint(value)
  local digits = ''
  while value >= 128 do
    digits = digits .. string.char(value % 128 + 128)
    value = math.floor(value / 128)
  end
  return digits .. string.char(value)
end

local function text(value) return varint(#value) .. value end

local parts = {'\2', string.char(op), text(device)}
if upto_ms then
  local ms, seq = head[LAST], head[LAST + 1]
  if upto_ms < ms or (upto_ms == ms and upto_seq < seq) then ms, seq = upto_ms, upto_seq end
  parts[4] = '\1' .. pack_bytes('>I8I8', ms, seq) .. '\0'
else
  parts[4] = '\0' .. varint(changed)
  for at = 8, #ARGV do
    if named[at] then parts[#parts + 1] = text(named[at]) end
  end
end
local counts = {unpack(head, UNREAD, SOURCES - 1)}
for _, value in ipairs(counts) do parts[#parts + 1] = varint(value) end

local before_ms, before_seq = head[LAST], head[LAST + 1]
if lost_ms > before_ms or (lost_ms == before_ms and lost_seq > before_seq) then
  before_ms, before_seq = lost_ms, lost_seq
end
local id = pack_bytes('>I6I2', next_id(head, now, floor_ms, lost_ms, lost_seq))
local element = '\0' .. id .. table.concat(parts)
head[ENTRIES] = head[ENTRIES] + 1
call('RPUSH', KEYS[2], element)
trim(head, tonumber(ARGV[4]))
write_head(head)
return reply(element, {before_ms, before_seq}, counts)
