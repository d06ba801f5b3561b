-- Appends items of one user that come from one ingest stream, in its order.
-- KEYS: bucket, log, watchers, collapse keys. ARGV: stream, fencing number, clock ms, entries that a log may have, the stream's tag;
-- then for each item the id of its ingest entry (16 bytes) and the entry.
-- Answers the last id before, head, an id for each item (zeros: the log had it), watching nodes, and for each item that
-- took the place of an older one: its number, the older one's nid.
local now, tag = tonumber(ARGV[3]), ARGV[5]
local epoch, floor_ms, lost_ms, lost_seq, fence = open_bucket(ARGV[1])
if not epoch then return NO_EPOCH end
if tonumber(ARGV[2]) < fence then return {err = 'FENCED a later owner of the stream is at work: ' .. fence} end
local head, exists = read_head()

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
local ids, elements, replaced, appended = {}, {}, {}, false

local function push()
  if #elements == 0 then return end
  if not exists then table.insert(elements, 1, '') end  -- the head's place
  exists = true
  call('RPUSH', KEYS[2], unpack(elements))
  elements = {}
end

-- Takes the newest item with that key out of the log, unless it was read; answers its nid.
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
  head[ENTRIES] = head[ENTRIES] - 1
  return nid_of(element)
end

-- The entry of an item, which says what it replaces.
local function with_replaced(entry, nid)
  local _, at = text_at(entry, 3)
  local traits, rest = text_at(entry, at)
  return sub(entry, 1, at - 1) .. text(traits .. REPLACES .. text(nid)) .. sub(entry, rest)
end

for at = 6, #ARGV do
  local item = ARGV[at]
  local a, b, c, d = unpack_bytes('>I4I4I4I4', item)
  local priority = byte(item, 18)
  local mark = mark_of(priority)
  local ma, mb, mc, md = head[mark], head[mark + 1], head[mark + 2], head[mark + 3]
  if a > ma or (a == ma and (b > mb or (b == mb and (c > mc or (c == mc and d > md))))) then
    head[mark], head[mark + 1], head[mark + 2], head[mark + 3] = a, b, c, d
    local entry = sub(item, 17)
    local category, key = traits_of(sub(item, 8))  -- where an element has its entry
    if key ~= '' then
      local nid = collapse(key)
      if nid then
        entry = with_replaced(entry, nid)
        replaced[#replaced + 1] = at - 6
        replaced[#replaced + 1] = nid
      end
    end
    local id = short_id(next_id(head, now, floor_ms, lost_ms, lost_seq))
    ids[#ids + 1] = id
    elements[#elements + 1] = '\0' .. id .. entry
    appended = true
    head[ENTRIES] = head[ENTRIES] + 1
    count(head, priority, 0, category, 1)
    if key ~= '' then call('HSET', KEYS[4], key, id) end
  else
    ids[#ids + 1] = '\0\0\0\0\0\0\0\0'
  end
end

if appended then
  push()
  trim(head, tonumber(ARGV[4]), KEYS[4])
  write_head(head)
end
return {short_id(before_ms, before_seq), head_reply(head), table.concat(ids), call('HKEYS', KEYS[3]), replaced}
