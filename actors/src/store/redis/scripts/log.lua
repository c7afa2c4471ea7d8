-- What every script about logs begins with, behind life.lua. Names of keys are computed: all of it lives on one server, not on a cluster.
-- `for_worker`, set before this, says whether the worker is told of what is appended.
-- ARGV[1..5] of each: prefix, events kept, age in ms at which an event is gone, life of a group in s, candidate epoch.
local prefix, log_events, log_ms, group_life, fresh_epoch = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4], ARGV[5]
local index = prefix .. ':groups'

-- tostring() would round what has more than 14 digits.
local function int(number) return string.format('%.0f', number) end

local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
-- Lives are renewed, and what is old is dropped, once in so many ms: not with every event.
local upkeep_ms = math.min(60000, math.floor(log_ms / 10), math.floor(tonumber(group_life) * 100))

local function log_key(name) return prefix .. ':log:' .. name end
local function group_key(name) return prefix .. ':head:' .. name end

-- Each new group looks at three random entries of the index and drops those whose group has expired, so that the index
-- stays in proportion to the groups that live, even if nobody ever lists it. Not math.random: it repeats itself.
local function sweep_index()
  local size = redis.call('ZCARD', index)
  for i = 1, 3 do
    if size == 0 then return end
    local rank = (tonumber(time[2]) * 7919 + i * 104729) % size
    local name = redis.call('ZRANGE', index, rank, rank)[1]
    if name and redis.call('EXISTS', group_key(name)) == 0 then
      redis.call('ZREM', index, name)
      size = size - 1
    end
  end
end

-- The session's record has the owner: it lives at least as long as the home group's log, for as long as this renews either.
local record_life = math.max(86400, tonumber(group_life))
-- Seconds that a group lives in which nothing was ever logged, if no node says that it is in it.
local EMPTY_LIFE = 300

local function keep(name, seq)
  local session = string.match(name, '^chat_([%w_-]+)$')
  if session then
    redis.call('EXPIRE', prefix .. ':session:' .. session, int(record_life))
    redis.call('EXPIRE', prefix .. ':ratings:' .. session, int(record_life))
  end
  redis.call('EXPIRE', life_key, life_seconds)
  local key = group_key(name)
  if seq > 0 then
    redis.call('EXPIRE', key, group_life)
  else
    -- Never shortened here: a node that is in it may have said so.
    local life = math.min(EMPTY_LIFE, tonumber(group_life))
    if redis.call('TTL', key) < life then redis.call('EXPIRE', key, life) end
  end
  redis.call('ZADD', index, 0, name)
  redis.call('EXPIRE', index, group_life)
end

-- Brings a log that was last touched in the life `of` (nil: by a version that knew of none) into the present one. Its
-- epoch stays if nothing was lost since, and else begins anew, after the last event that is here; where events came before
-- a doubt, after those that came before them. Returns epoch and where it began.
local function adopt(key, epoch, seq, of, began)
  local list, at, first = lives(), nil, nil
  for i, it in ipairs(list) do
    if it.id == of or (not of and it.how == 'first') then at = i end
    if at and i > at and not first and (it.how == 'lost' or it.how == 'doubted') then first = i end
  end
  if at and not first then
    redis.call('HSET', key, 'life', life, 'mark', int(seq))
    return epoch, began
  end
  local mark = redis.call('HGET', key, 'mark')
  local doubted = at and mark and list[at].how == 'kept' and first == at + 1 and list[first].how == 'doubted'
  began = doubted and tonumber(mark) or seq
  redis.call('HSETNX', key, 'log', epoch)
  redis.call('HSET', key, 'life', life, 'mark', int(seq), 'epoch', fresh_epoch, 'began', int(began))
  return fresh_epoch, began
end

-- The group as it is in the store's present life, or nil: epoch, last seq, when its last event was written, when it was
-- kept last, after which seq its epoch began, and the epoch that it began with.
local function seen_group(name)
  local key = group_key(name)
  local known = redis.call('HMGET', key, 'epoch', 'seq', 'at', 'kept', 'life', 'began', 'log')
  local epoch, seq, began = known[1], tonumber(known[2]), tonumber(known[6] or 0)
  if not epoch then return nil end
  local log = known[7] or epoch
  if known[5] ~= life then epoch, began = adopt(key, epoch, seq, known[5] or nil, began) end
  return epoch, seq, tonumber(known[3]), tonumber(known[4] or 0), began, log
end

-- As seen_group(), and makes the group if there is none.
local function known_group(name)
  local epoch, seq, at, kept, began, log = seen_group(name)
  if epoch then return epoch, seq, at, kept, began, log end
  -- A log without its group is of another life: its numbers would collide.
  redis.call('DEL', log_key(name))
  redis.call('HSET', group_key(name), 'epoch', fresh_epoch, 'seq', 0, 'at', 0, 'created', int(now), 'assistant', 1, 'life', life)
  sweep_index()
  return fresh_epoch, 0, 0, 0, 0, fresh_epoch
end

-- As known_group(), and renews its life. Returns epoch, last seq, and after which seq the epoch began.
local function open(name)
  local epoch, seq, _, _, began = known_group(name)
  keep(name, seq)
  return epoch, seq, began
end

local function split(id)
  local seq, at = string.match(id, '^(%d+)-(%d+)$')
  return tonumber(seq), tonumber(at)
end

-- Drops what is too old; returns the seq of the oldest event that stays.
local function trim(name)
  local key, count = log_key(name), 1
  while true do
    local page = redis.call('XRANGE', key, '-', '+', 'COUNT', count)
    local old = {}
    for _, entry in ipairs(page) do
      local seq, at = split(entry[1])
      if at > now - log_ms then
        if #old > 0 then redis.call('XDEL', key, unpack(old)) end
        return seq
      end
      old[#old + 1] = entry[1]
    end
    if #old == 0 then return nil end
    redis.call('XDEL', key, unpack(old))
    count = 100
  end
end

-- Adds an event, and tells the other nodes. A message's body is cut behind its id, which tells its place from here on, so
-- that it is found without a search (ids.rs says the same): `rest` is what follows; nil if it is no message.
-- `note(log, seq)`, if there is one, writes what makes it once-only: right behind the event, before anything else that can
-- fail, so that a call that is repeated finds it; `log` is the epoch that the log began with. Returns epoch and seq.
local function append(name, body, rest, channel, node, note)
  local epoch, last_seq, last, kept, _, log = known_group(name)
  local seq = int(last_seq + 1)
  if rest then body = body .. '-' .. seq .. rest end
  -- Times in one log never go back, whatever the clock does: trimming relies on it.
  local moment = math.max(now, last)
  local at = int(moment)
  local key = log_key(name)
  redis.call('XADD', key, 'MAXLEN', log_events, seq .. '-' .. at, 'b', body)
  redis.call('HSET', group_key(name), 'seq', seq, 'at', at)
  if note then note(log, seq) end
  count = redis.call('HINCRBY', life_key, 'count', 1)
  if math.abs(now - kept) >= upkeep_ms then
    redis.call('HSET', group_key(name), 'kept', int(now))
    keep(name, last_seq + 1)
    trim(name)
    -- Its last event may come just before the next upkeep.
    redis.call('PEXPIRE', key, int(log_ms + upkeep_ms + moment - now))
  end
  if for_worker then
    redis.call('XADD', prefix .. ':outbox', 'MAXLEN', '~', 1000000, '*', 's', seq, 'b', body)
    redis.call('EXPIRE', prefix .. ':outbox', group_life)
  end
  redis.call('PUBLISH', channel, node .. ':' .. life .. ':' .. int(count) .. ' ' .. epoch .. ' ' .. seq .. ' ' .. name .. ' ' .. body)
  return epoch, last_seq + 1
end

-- The answer that a message is owed, and where it is noted: its id is the message's, but for the first letter and the place.
local function owed_answer(message)
  return 'a' .. string.match(message, '^.([^-]*)')
end
local function answer_key(answer) return prefix .. ':answer:' .. answer end

-- What is known of a once-only id, as {'conflict'} or {'again', seq, message, 1 if its answer is still owed}; nil if nothing
-- is, or if its log is lost, and then whether there is something to be forgotten.
local function recall(once, fingerprint)
  local known = redis.call('HMGET', once, 'fingerprint', 'group', 'epoch', 'seq', 'message', 'answered', 'owes')
  if not known[1] then return nil, false end
  -- It names the epoch that its log began with (the version before: the one that there was): what outlived a loss is known.
  local log = redis.call('HMGET', group_key(known[2]), 'epoch', 'log', 'seq')
  if (log[1] ~= known[3] and log[2] ~= known[3]) or tonumber(log[3]) < tonumber(known[4]) then return nil, true end
  if known[1] ~= fingerprint then return {'conflict'} end
  -- Nodes of the version before do not say whether a message owes; theirs does until its answer has begun.
  local owed = known[7] == '1' or (not known[7] and not known[6])
  if known[7] == '1' then owed = redis.call('HGET', answer_key(owed_answer(known[5])), 'state') == 'owed' end
  return {'again', tonumber(known[4]), known[5], owed and 1 or 0}
end
