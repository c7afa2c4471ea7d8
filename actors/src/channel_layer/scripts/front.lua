-- KEYS: channel, what is being moved away from it. ARGV: how many first bytes name a message. Returns {how many messages wait,
-- the name of the first, what is being moved}.
local first = redis.call('ZRANGE', KEYS[1], 0, 0)[1]
return {redis.call('ZCARD', KEYS[1]), first and string.sub(first, 1, tonumber(ARGV[1])) or '', redis.call('GET', KEYS[2]) or ''}
