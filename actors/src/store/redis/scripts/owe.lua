-- KEYS: the answer, its text, the leases. ARGV: answer, lease in s, life in s, group, message, node, text. An answer of which
-- nothing is known is owed from now on. Returns 0 when it has ended.
local state = redis.call('HGET', KEYS[1], 'state')
if state then return state == 'ended' and 0 or 1 end
redis.call('HSET', KEYS[1], 'state', 'owed', 'group', ARGV[4], 'message', ARGV[5], 'node', ARGV[6])
redis.call('EXPIRE', KEYS[1], ARGV[3])
redis.call('SET', KEYS[2], ARGV[7], 'EX', ARGV[3])
redis.call('ZADD', KEYS[3], tonumber(redis.call('TIME')[1]) + tonumber(ARGV[2]), ARGV[1])
redis.call('EXPIRE', KEYS[3], ARGV[3])
return 1
