-- What every script about logs begins with before log.lua: whether the store is what this node takes it for.
-- A life of the store ends when a server takes over of which nobody can say that it has all that was appended before.
-- {prefix}:life holds the present life, the run id of the server under which it was last looked at, the number of all
-- appends there ever were, and how the last lives began: '{life} {appends before it} {how} {since, Unix s}' each,
-- the oldest first.
-- How: 'first'; 'kept', as far as the node knew that came first; 'lost'; 'doubted' by a node that knew more of the life
-- before the one that was kept.
-- The last three of ARGV, taken away here: run id of the server ('' if not known), the life that this node knows ('' if
-- none), and how many appends it knows of there.
local known_count = tonumber(table.remove(ARGV))
local known_life = table.remove(ARGV)
local run = table.remove(ARGV)
local life_key, life_seconds, new_life = ARGV[1] .. ':life', ARGV[4], ARGV[5]
local LIVES = 16

local found = redis.call('HMGET', life_key, 'life', 'run', 'count')
local life, last_run, count = found[1], found[2], tonumber(found[3] or 0)

-- The last lives, the oldest first.
local function lives()
  local list = {}
  for id, base, how, since in string.gmatch(redis.call('HGET', life_key, 'lives') or '', '(%S+) (%d+) (%a+) (%d+)') do
    list[#list + 1] = {id = id, base = tonumber(base), how = how, since = tonumber(since)}
  end
  return list
end

-- Begins another life. What it is to the logs, log.lua finds out where they are touched.
local function begin_life(how)
  local list, id = lives(), new_life
  -- One script may find out twice.
  while id == life do id = id .. "'" end
  list[#list + 1] = {id = id, base = count, how = how, since = tonumber(redis.call('TIME')[1])}
  local words = {}
  for i = math.max(1, #list - LIVES + 1), #list do
    local it = list[i]
    words[#words + 1] = it.id .. ' ' .. string.format('%.0f', it.base) .. ' ' .. it.how .. ' ' .. string.format('%.0f', it.since)
  end
  redis.call('HSET', life_key, 'life', id, 'run', run, 'count', string.format('%.0f', count), 'lives', table.concat(words, ' '))
  redis.call('EXPIRE', life_key, life_seconds)
  life = id
end

-- What is wrong, if somebody knows of so many appends in a life: nil for nothing. `strict`: also for a life that is not known.
local function wrong_with(id, known, strict)
  if id == life then return known > count and 'lost' or nil end
  local list, at = lives(), nil
  for i, it in ipairs(list) do
    if it.id == id then at = i end
    if at and i > at and (it.how == 'lost' or it.how == 'doubted') then return nil end
  end
  if not at or not list[at + 1] then return strict and 'lost' or nil end
  return known > list[at + 1].base and 'doubted' or nil
end

if not life then
  begin_life(known_life == '' and 'first' or 'lost')
elseif life ~= known_life or known_count > count or (run ~= '' and run ~= last_run) then
  if run ~= '' and last_run ~= '' and run ~= last_run then
    -- Another server, or another start of it: nothing is lost if somebody knows this life and not more of it.
    begin_life(known_life == life and known_count <= count and 'kept' or 'lost')
  else
    if run ~= last_run and run ~= '' then redis.call('HSET', life_key, 'run', run) end
    local wrong = known_life ~= '' and wrong_with(known_life, known_count, true)
    if wrong then begin_life(wrong) end
  end
end
