-- Takes the first message of a channel away, to be put elsewhere. Until that is done it stands in a key of its own.
-- KEYS: channel, what is being moved away from it. ARGV: how many first bytes name a message, the name that it must have,
-- what is to stand before it, life in s. Returns what is being moved; '' if the first message is another one by now.
local first = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')
if not first[1] or string.sub(first[1], 1, tonumber(ARGV[1])) ~= ARGV[2] then return '' end
local moving = ARGV[3] .. ' ' .. first[2] .. ' ' .. first[1]
redis.call('SET', KEYS[2], moving, 'EX', ARGV[4])
redis.call('ZREM', KEYS[1], first[1])
return moving
