-- Appends items of one user that come from one ingest stream, in its order.
-- KEYS: bucket, log, watchers, collapse keys; where some are limited, at the end: the bucket's windows, and their ends.
-- ARGV: stream, fencing number, clock ms, entries that a log may have, the stream's tag, the tag of the preferences that
-- were asked; then for each item the id of its ingest entry (16 bytes) and one of
--   entry                                it is appended
--   PASSED_OVER priority                 it is not, now or ever
--   LIMITED most(4) window ms(6) entry   it is appended, or summed up (redis_windows.lua)
-- Answers the last id before, head, an id for each item (zeros: the log had it; 0-1: passed over; 0-2: summed up),
-- watching nodes, and for each item that took the place of an older one: its number, the older one's nid, and the change
-- that was appended before it. Or, when the user prefers something else than was asked: the tag of that, and nothing is done.
local PASSED_OVER, LIMITED, MOST_NIDS = 0, 4, 100
local DELETE = 4  -- model::MarkOp
local now, tag = tonumber(ARGV[3]), ARGV[5]
local epoch, floor_ms, lost_ms, lost_seq, fence = open_bucket(ARGV[1])
if not epoch then return NO_EPOCH end
if tonumber(ARGV[2]) < fence then return {err = 'FENCED a later owner of the stream is at work: ' .. fence} end
local head, exists = read_head()
local said = preferences_of(head)
if said ~= tonumber(ARGV[6]) then return {string.format('%.0f', said)} end

-- Where the head has the last id taken of the stream at a priority; made where it is missing.
local function mark_of(priority)
  local at, ours = SOURCES, false
  while head[at] do
    if type(head[at]) == 'string' then
      if ours then break end
      ours = head[at] == tag
      at = at + 1
    elseif ours and head[at] == priority then
      return at + 1
    else
      at = at + 5
    end
  end
  if not ours then
    head[at] = tag
    at = at + 1
  end
  for offset, value in ipairs({priority, 0, 0, 0, 0}) do table.insert(head, at + offset - 1, value) end
  return at + 1
end

local before_ms, before_seq = head[LAST], head[LAST + 1]
if lost_ms > before_ms or (lost_ms == before_ms and lost_seq > before_seq) then
  before_ms, before_seq = lost_ms, lost_seq
end
local ids, elements, replaced, changed = {}, {}, {}, false

local function push()
  if not exists then table.insert(elements, 1, '') end  -- the head's place
  exists = true
  if #elements > 0 then call('RPUSH', KEYS[2], unpack(elements)) end
  elements = {}
end

-- Takes the newest item with that key out of the log, unless it was read, and says so in it; answers its nid, and the
-- change. The newer item's word alone would not do: who comes when that has been deleted would keep the older one.
local function collapse(key)
  local newest = call('HGET', KEYS[4], key)
  if not newest then return nil end
  push()
  local ms, seq = unpack_bytes('>I6I2', newest)
  local size = call('LLEN', KEYS[2])
  local index = index_after(size, ms, seq - 1)
  local element = index < size and call('LINDEX', KEYS[2], index)
  if not element or sub(element, 2, 9) ~= newest or byte(element) >= 2 then return nil end
  call('LSET', KEYS[2], index, TOMBSTONE)
  call('LREM', KEYS[2], -1, TOMBSTONE)
  count_out(head, element, KEYS[4])
  local nid = nid_of(element)
  local change = '\0' .. short_id(next_id(head, now, floor_ms, lost_ms, lost_seq)) .. '\2' .. string.char(DELETE) ..
    text('') .. '\0' .. varint(1) .. text(nid) .. counts_text(head)
  elements[#elements + 1] = change  -- in the place of the one that went: as many entries as before
  return nid, change
end

-- The entry of an item, which says what it replaces.
local function with_replaced(entry, nid)
  local _, at = text_at(entry, 3)
  local traits, rest = text_at(entry, at)
  return sub(entry, 1, at - 1) .. text(traits .. REPLACES .. text(nid)) .. sub(entry, rest)
end

-- Whether the limit of an item says that it is summed up.
local function is_summed_up(element, category, most, span)
  local windows, ends = KEYS[#KEYS - 1], KEYS[#KEYS]
  local name = sub(KEYS[2], string.find(KEYS[2], ':log:', 1, true) + 5) .. category
  local packed = call('HGET', windows, name)
  local window = packed and cmsgpack.unpack(packed) or {0, 0, 0, 0}  -- end, delivered, summed up, highest, nids
  if window[3] == 0 and (now >= window[1] or window[1] - now > span) then
    window = {now + span, 0, 0, 0}
    call('ZADD', ends, window[1], name)
  end
  local delivers = window[3] == 0 and window[2] < most
  if delivers then
    window[2] = window[2] + 1
  else
    window[3] = window[3] + 1
    window[4] = math.max(window[4], byte(element, 11))
    if #window < 4 + MOST_NIDS then window[#window + 1] = nid_of(element) end
  end
  call('HSET', windows, name, cmsgpack.pack(window))
  return not delivers
end

local function append(entry, category, key)
  if key ~= '' then
    local nid, change = collapse(key)
    if nid then
      entry = with_replaced(entry, nid)
      replaced[#replaced + 1] = {#ids, nid, change}
    end
  end
  local id = short_id(next_id(head, now, floor_ms, lost_ms, lost_seq))
  elements[#elements + 1] = '\0' .. id .. entry
  head[ENTRIES] = head[ENTRIES] + 1
  count(head, byte(entry, 2), 0, category, 1)
  if key ~= '' then call('HSET', KEYS[4], key, id) end
  return id
end

for at = 7, #ARGV do
  local item = ARGV[at]
  local a, b, c, d = unpack_bytes('>I4I4I4I4', item)
  local entry, kind = sub(item, 17), byte(item, 17)
  local most, span
  if kind == LIMITED then
    most, span = unpack_bytes('>I4I6', entry, 2)
    entry = sub(entry, 12)
  end
  local priority = byte(entry, 2)
  local mark = mark_of(priority)
  local ma, mb, mc, md = head[mark], head[mark + 1], head[mark + 2], head[mark + 3]
  if a > ma or (a == ma and (b > mb or (b == mb and (c > mc or (c == mc and d > md))))) then
    head[mark], head[mark + 1], head[mark + 2], head[mark + 3] = a, b, c, d
    changed = true
    local element = '123456789' .. entry  -- where an element has its entry
    local category, key = '', ''
    if kind ~= PASSED_OVER then category, key = traits_of(element) end
    if kind == PASSED_OVER then
      ids[#ids + 1] = short_id(0, 1)
    elseif kind == LIMITED and is_summed_up(element, category, most, span) then
      ids[#ids + 1] = short_id(0, 2)
    else
      ids[#ids + 1] = append(entry, category, key)
    end
  else
    ids[#ids + 1] = '\0\0\0\0\0\0\0\0'
  end
end

if changed then
  push()
  trim(head, tonumber(ARGV[4]), KEYS[4])
  write_head(head)
end
return {short_id(before_ms, before_seq), head_reply(head), table.concat(ids), call('HKEYS', KEYS[3]), replaced}
