-- KEYS: the set of what this node joined. ARGV: its life in s, prefix, life of a group's log in s, life in s of a group in
-- which nothing was ever logged while somebody is in it, then the groups.
redis.call('SADD', KEYS[1], unpack(ARGV, 5))
redis.call('EXPIRE', KEYS[1], ARGV[1])
-- A group that somebody is in does not expire, however silent it is.
local index = ARGV[2] .. ':groups'
local record_life = string.format('%.0f', math.max(86400, tonumber(ARGV[3])))
for i = 5, #ARGV do
  local head = ARGV[2] .. ':head:' .. ARGV[i]
  local seq = redis.call('HGET', head, 'seq')
  if seq then
    local life = tonumber(ARGV[3])
    if seq == '0' then life = math.min(life, tonumber(ARGV[4])) end
    if seq ~= '0' or redis.call('TTL', head) < life then redis.call('EXPIRE', head, life) end
    redis.call('ZADD', index, 0, ARGV[i])
    -- As in log.lua: the owner lives as long as the log.
    local session = string.match(ARGV[i], '^chat_([%w_-]+)$')
    if session then redis.call('EXPIRE', ARGV[2] .. ':session:' .. session, record_life) end
  end
end
redis.call('EXPIRE', index, ARGV[3])
