-- KEYS: the answer, its text, the leases, and the once-only key if there is one. ARGV from 6: answer, lease in s, its life in s,
-- group, message, node, text; and where the conversation before the question is wanted: where to begin with it, backwards, how many
-- events and bytes of it at most, and 1 if it is answered though the group's assistant is off.
-- Returns {'begun', the page}; {'before'} when the message's answer was begun before, or this one has ended; {'off'}.
local id, group, node = ARGV[6], ARGV[9], ARGV[11]
local wanted = ARGV[13] ~= nil
local known = redis.call('HMGET', KEYS[1], 'state', 'node')
if known[1] == 'ended' or (known[1] == 'running' and known[2] ~= node) then return {'before'} end
local once = KEYS[4] and redis.call('EXISTS', KEYS[4]) == 1
local by = once and redis.call('HGET', KEYS[4], 'answered')
if by and by ~= id then return {'before'} end
if wanted and ARGV[16] ~= '1' and redis.call('HGET', group_key(group), 'assistant') == '0' then return {'off'} end
local events = wanted and page(group, true, ARGV[13], tonumber(ARGV[14]), tonumber(ARGV[15])) or {}
if once then redis.call('HSET', KEYS[4], 'answered', id) end
redis.call('HSET', KEYS[1], 'state', 'running', 'group', group, 'message', ARGV[10], 'node', node)
redis.call('EXPIRE', KEYS[1], ARGV[8])
redis.call('SET', KEYS[2], ARGV[12], 'EX', ARGV[8])
redis.call('DEL', KEYS[1] .. ':reasoning')
redis.call('ZADD', KEYS[3], tonumber(time[1]) + tonumber(ARGV[7]), id)
redis.call('EXPIRE', KEYS[3], ARGV[8])
return {'begun', events}
