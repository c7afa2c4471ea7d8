-- KEYS: the once-only key, or none. ARGV from 6: group, body, channel, node, and with a key: fingerprint, message, life
-- in s. -- Returns {'new', epoch, seq}, or as recall() does.
local known, stale
if KEYS[1] then
  known, stale = recall(KEYS[1], ARGV[10])
  if known then return known end
end
local epoch, seq = append(ARGV[6], ARGV[7], ARGV[8], ARGV[9], KEYS[1] and function(epoch, seq)
  if stale then redis.call('DEL', KEYS[1]) end
  redis.call('HSET', KEYS[1], 'fingerprint', ARGV[10], 'group', ARGV[6], 'epoch', epoch, 'seq', int(seq), 'message', ARGV[11])
  redis.call('EXPIRE', KEYS[1], ARGV[12])
end)
return {'new', epoch, seq}
