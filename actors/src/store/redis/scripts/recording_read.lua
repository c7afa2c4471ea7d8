-- ARGV: windows seen, how many at most, how long a reader counts in ms. Returns {'unknown', 'running', 'lost' or 'ended', the end, the windows that follow}.
local known = redis.call('HMGET', KEYS[1], 'keep', 'end', 'until')
if not known[1] then return {'unknown', '', {}} end
local windows = redis.call('LRANGE', KEYS[2], ARGV[1], tonumber(ARGV[1]) + tonumber(ARGV[2]) - 1)
if known[2] then return {'ended', known[2], windows} end
if tonumber(known[3]) <= now_ms() then return {'lost', '', windows} end
redis.call('HSET', KEYS[1], 'read', string.format('%.0f', now_ms() + tonumber(ARGV[3])))
return {'running', '', windows}
