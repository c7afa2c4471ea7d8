-- Keeps an order and tells the other nodes of it. KEYS: the orders, the nodes, and the hash whose fields are the nodes that
-- are concerned, if there is one. ARGV: this node's key, what it tells as JSON, the channel, life in s, how many are kept,
-- who is concerned: 'nobody', 'everybody' or 'holders'. Returns {the order's id, the keys of the living nodes whose word counts}.
local concerned = {}
if ARGV[6] ~= 'nobody' then
  for _, node in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], redis.call('TIME')[1], '+inf')) do
    local holds = ARGV[6] == 'everybody' or redis.call('HEXISTS', KEYS[3], node) == 1
    if holds and node ~= ARGV[1] then concerned[#concerned + 1] = node end
  end
end
local newest = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
local previous = newest and newest[1] or '0-0'
local awaited = #concerned > 0
local id = redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[5], '*', 'n', ARGV[1], 'o', ARGV[2], 'a', awaited and 1 or 0)
redis.call('EXPIRE', KEYS[1], ARGV[4])
local mark = ',"order":"' .. id .. '","after":"' .. previous .. '","awaited":' .. tostring(awaited) .. '}'
redis.call('PUBLISH', ARGV[3], '@' .. ARGV[1] .. ' ' .. string.sub(ARGV[2], 1, -2) .. mark)
return {id, concerned}
