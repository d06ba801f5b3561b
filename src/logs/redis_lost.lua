-- Notes that entries up to an id may be lost, and lets new ids begin above it. KEYS: bucket. ARGV: ms, seq.
local epoch, floor_ms, lost_ms, lost_seq = open_bucket('')
if not epoch then return NO_EPOCH end
local ms, seq = tonumber(ARGV[1]), tonumber(ARGV[2])
if ms >= floor_ms then call('HSET', KEYS[1], 'floor', ARGV[1]) end
if ms > lost_ms or (ms == lost_ms and seq > lost_seq) then call('HSET', KEYS[1], 'lost', ARGV[1] .. '-' .. ARGV[2]) end
return 1
