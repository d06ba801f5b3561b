-- Raises a bucket's fencing number of an ingest stream, never lowers it. KEYS: bucket. ARGV: stream, number.
local epoch, _, _, _, fence = open_bucket(ARGV[1])
if not epoch then return NO_EPOCH end
if tonumber(ARGV[2]) < fence then return {err = 'FENCED a later owner of the stream is at work: ' .. fence} end
call('HSET', KEYS[1], 'f:' .. ARGV[1], ARGV[2])
return 1
