-- KEYS: the once-only key, or none. ARGV from 6: group, body up to the message's id, channel, node, message (empty: it is
-- none, or nobody asks for it by its id), rest of the body (empty: the id is not in it), the name of the node that owes an
-- answer to it (empty: nobody does), for how long nobody else looks for the answer in s, its life in s, and with a key:
-- fingerprint, life in s.
-- Returns {'new', epoch, seq, 1 if an answer is owed}, or as recall() does.
local group, message, owing = ARGV[6], ARGV[10], ARGV[12]
local rest = ARGV[11] ~= '' and ARGV[11] or nil
local known, stale
if KEYS[1] then
  known, stale = recall(KEYS[1], ARGV[15])
  if known then return known end
end
local owes = owing ~= '' and redis.call('HGET', group_key(group), 'assistant') ~= '0'
local epoch, seq = append(group, ARGV[7], rest, ARGV[8], ARGV[9], function(log, seq)
  if KEYS[1] then
    if stale then redis.call('DEL', KEYS[1]) end
    local id = message == '' and '' or message .. '-' .. seq
    redis.call('HSET', KEYS[1], 'fingerprint', ARGV[15], 'group', group, 'epoch', log, 'seq', seq, 'message', id,
      'owes', owes and 1 or 0)
    redis.call('EXPIRE', KEYS[1], ARGV[16])
  end
  if owes then
    local answer, leases = owed_answer(message), prefix .. ':answers'
    redis.call('HSET', answer_key(answer), 'state', 'owed', 'group', group, 'message', message .. '-' .. seq, 'node', owing)
    redis.call('EXPIRE', answer_key(answer), ARGV[14])
    redis.call('ZADD', leases, tonumber(time[1]) + tonumber(ARGV[13]), answer)
    redis.call('EXPIRE', leases, ARGV[14])
  end
end)
return {'new', epoch, seq, owes and 1 or 0}
