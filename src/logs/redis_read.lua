-- Entries behind an id, oldest first. KEYS: bucket, log. ARGV: ms, seq, most entries, bytes after which to end.
-- Answers 1 if nothing lies above what is answered (else 0), the log's floor, elements, the bucket's loss mark.
local epoch, _, lost_ms, lost_seq = open_bucket('')
if not epoch then return NO_EPOCH end
local lost = short_id(lost_ms, lost_seq)
local most, most_bytes = tonumber(ARGV[3]), tonumber(ARGV[4])
local size = call('LLEN', KEYS[2])
if size == 0 then return {1, short_id(0, 0), {}, lost} end
local head = read_head()
local from = index_after(size, tonumber(ARGV[1]), tonumber(ARGV[2]))
local elements, bytes, step = {}, 0, 16
while from < size and #elements < most and bytes < most_bytes do
  local chunk = call('LRANGE', KEYS[2], from, from + math.min(step, most - #elements) - 1)
  for _, element in ipairs(chunk) do
    if bytes >= most_bytes then break end
    elements[#elements + 1] = element
    bytes = bytes + #element - 9
    from = from + 1
  end
  step = math.min(step * 2, 128)
end
return {from >= size and 1 or 0, short_id(head[FLOOR], head[FLOOR + 1]), elements, lost}
