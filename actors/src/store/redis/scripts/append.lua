-- KEYS: the once-only key, or none. ARGV from 6: group, body, channel, node, message (empty: it is none, or nobody asks
-- for it by its id), the name of the node that owes an answer to it (empty: nobody does), for how long nobody else looks for
-- the answer in s, its life in s, and with a key: fingerprint, life in s.
-- Returns {'new', epoch, seq, 1 if an answer is owed}, or as recall() does.
local group, message, owing = ARGV[6], ARGV[10], ARGV[11]
local known, stale
if KEYS[1] then
  known, stale = recall(KEYS[1], ARGV[14])
  if known then return known end
end
local owes = owing ~= '' and redis.call('HGET', group_key(group), 'assistant') ~= '0'
local epoch, seq = append(group, ARGV[7], ARGV[8], ARGV[9], message, function(log, seq)
  if KEYS[1] then
    if stale then redis.call('DEL', KEYS[1]) end
    local id = message == '' and '' or message .. '-' .. int(seq)
    redis.call('HSET', KEYS[1], 'fingerprint', ARGV[14], 'group', group, 'epoch', log, 'seq', int(seq), 'message', id,
      'owes', owes and 1 or 0)
    redis.call('EXPIRE', KEYS[1], ARGV[15])
  end
  if owes then
    local answer, leases = owed_answer(message), prefix .. ':answers'
    redis.call('HSET', answer_key(answer), 'state', 'owed', 'group', group, 'message', message .. '-' .. int(seq), 'node', owing)
    redis.call('EXPIRE', answer_key(answer), ARGV[13])
    redis.call('ZADD', leases, tonumber(time[1]) + tonumber(ARGV[12]), answer)
    redis.call('EXPIRE', leases, ARGV[13])
  end
end)
return {'new', epoch, seq, owes and 1 or 0}
