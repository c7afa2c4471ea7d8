-- ARGV from 6: group, 'taken' (a person takes over), 'handed_back' or 'dismissed', channel, 1 if the worker is told.
-- Returns {1 if something changed, epoch, changes, 1 if the assistant answers, person, how many wait, now, who had asked ('': nobody)};
-- {0} if the group that is to be dismissed does not wait.
local group, what = ARGV[6], ARGV[7]
local known = redis.call('HMGET', group_key(group), 'assistant', 'person', 'asker', 'changes')
local queued = redis.call('ZCARD', waiting_key)
local was_on, before, asker = known[1] ~= '0', known[2] or '', known[3] or nil
local asked = before == 'asked'
if what == 'dismissed' and not asked then return {0} end
local on, person = what == 'handed_back', before
if what == 'dismissed' then on = was_on end
if what == 'handed_back' then
  -- Who waits goes on waiting; what came of an earlier wish is over.
  if not asked then person = '' end
elseif asked then
  person = what
end
local changed = on ~= was_on or person ~= before
local changes = tonumber(known[4] or 0) + (changed and 1 or 0)
local epoch = open(group)
redis.call('HSET', group_key(group), 'assistant', on and 1 or 0, 'person', person, 'changes', changes)
-- What an operator decided outlasts the silence of the group.
redis.call('EXPIRE', group_key(group), group_life)
if asked and person ~= 'asked' then
  redis.call('HDEL', group_key(group), 'asker', 'asked_at')
  redis.call('ZREM', waiting_key, group)
  queued = queued - 1
end
local who = (asked and person ~= 'asked') and asker or nil
if changed and ARGV[9] == '1' then tell_worker(group, what, on, who) end
if changed then tell_nodes(ARGV[8], group, epoch, changes, on, person) end
return {changed and 1 or 0, epoch, changes, on and 1 or 0, person, queued, int(now), who or ''}
