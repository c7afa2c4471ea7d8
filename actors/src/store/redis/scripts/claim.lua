-- ARGV from 6: life and number of appends of each thing that this node has heard of on the feed.
for i = 6, #ARGV, 2 do
  local wrong = wrong_with(ARGV[i], tonumber(ARGV[i + 1]), false)
  if wrong then begin_life(wrong) break end
end
redis.call('EXPIRE', life_key, life_seconds)
