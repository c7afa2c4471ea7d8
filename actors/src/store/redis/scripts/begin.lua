-- KEYS: the answer, its text, the leases, and the once-only key if there is one. ARGV: answer, lease in s, life in s,
-- group, message, node, text. Returns 0 when the message's answer was begun before, or this one has ended.
local id, life = ARGV[1], ARGV[3]
local known = redis.call('HMGET', KEYS[1], 'state', 'node')
if known[1] == 'ended' or (known[1] == 'running' and known[2] ~= ARGV[6]) then return 0 end
local once = KEYS[4] and redis.call('EXISTS', KEYS[4]) == 1
local by = once and redis.call('HGET', KEYS[4], 'answered')
if by and by ~= id then return 0 end
local until_s = tonumber(redis.call('TIME')[1]) + tonumber(ARGV[2])
if once then redis.call('HSET', KEYS[4], 'answered', id) end
redis.call('HSET', KEYS[1], 'state', 'running', 'group', ARGV[4], 'message', ARGV[5], 'node', ARGV[6])
redis.call('EXPIRE', KEYS[1], life)
redis.call('SET', KEYS[2], ARGV[7], 'EX', life)
redis.call('ZADD', KEYS[3], until_s, id)
redis.call('EXPIRE', KEYS[3], life)
return 1
