-- KEYS: the answer, its text, the leases, the answers being written for the group. ARGV from 6: group, body, channel,
-- node, answer, seconds for which the end is known.
-- Returns {'now', epoch, seq}, {'before', seq}, or {'unknown'}: then whoever asks looks into the log.
local known = redis.call('HMGET', KEYS[1], 'state', 'seq')
if not known[1] then return {'unknown'} end
if known[1] == 'ended' then return {'before', tonumber(known[2])} end
local epoch, seq = append(ARGV[6], ARGV[7], nil, ARGV[8], ARGV[9], function(_, seq)
  redis.call('HSET', KEYS[1], 'state', 'ended', 'seq', seq)
  redis.call('EXPIRE', KEYS[1], ARGV[11])
  redis.call('DEL', KEYS[2], KEYS[1] .. ':reasoning')
  redis.call('ZREM', KEYS[3], ARGV[10])
  redis.call('SREM', KEYS[4], ARGV[10])
end)
return {'now', epoch, seq}
