-- KEYS: the once-only key, or none. ARGV from 6: group, who asks (JSON), channel, how many groups may wait, how long the id is known
-- in s, 1 if the worker is told, what tells the wish from others under the id.
-- Returns {'noted', 1 if it did not wait before, epoch, changes, 1 if the assistant answers, how many wait, now}, {'again'}, {'conflict'} or
-- {'full'}.
local group, asker, for_worker = ARGV[6], ARGV[7], ARGV[11] == '1'
local once = KEYS[1] and redis.call('GET', KEYS[1])
if once then return {once == ARGV[12] and 'again' or 'conflict'} end
local known = redis.call('HMGET', group_key(group), 'person', 'asked_at', 'assistant', 'changes')
local first, on = known[1] ~= 'asked', known[3] ~= '0'
local queued, most = redis.call('ZCARD', waiting_key), tonumber(ARGV[9])
if first and queued >= most then return {'full'} end
local changes, since = tonumber(known[4] or 0), known[2]
if first then
  changes, since = changes + 1, int(now)
end
local epoch = open(group)
redis.call('HSET', group_key(group), 'person', 'asked', 'asker', asker, 'asked_at', since, 'changes', changes)
if KEYS[1] then redis.call('SET', KEYS[1], ARGV[12], 'EX', ARGV[10]) end
redis.call('EXPIRE', group_key(group), group_life)
redis.call('ZADD', waiting_key, since, group)
redis.call('EXPIRE', waiting_key, group_life)
if for_worker then tell_worker(group, 'asked', on, asker) end
if first then tell_nodes(ARGV[8], group, epoch, changes, on, 'asked') end
return {'noted', first and 1 or 0, epoch, changes, on and 1 or 0, queued + (first and 1 or 0), int(now)}
