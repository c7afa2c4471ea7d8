-- A page of a group's log, from `start` on (that one is read too; '+' is the newest), forwards or backwards, with so many events and
-- bytes at most. Returns {epoch, 1 if there are more, {seq, body, seq, body, ...}} in the order of reading.
local BATCH, FIRST = 32, 4
local function page(name, backwards, start, most, most_bytes)
  local epoch = seen_group(name)
  if not epoch then return {} end
  local events, bytes = {}, 0
  -- How many entries to take next: each is copied, so of large ones no more than will fit. One more than is wanted tells
  -- whether there are more.
  local function size()
    local count = #events / 2
    local fit = FIRST
    if count > 0 then fit = math.ceil((most_bytes - bytes) / math.max(bytes / count, 1)) + 1 end
    return math.max(1, math.min(BATCH, most - count + 1, fit))
  end
  local count = size()
  while true do
    local page
    if backwards then
      page = redis.call('XREVRANGE', log_key(name), start, '-', 'COUNT', count)
    else
      page = redis.call('XRANGE', log_key(name), start, '+', 'COUNT', count)
    end
    local seq, at
    for _, entry in ipairs(page) do
      seq, at = split(entry[1])
      if at > now - log_ms then
        local body = entry[2][2]
        bytes = bytes + #body
        if #events > 0 and (#events / 2 >= most or bytes > most_bytes) then return {epoch, 1, events} end
        events[#events + 1] = seq
        events[#events + 1] = body
      elseif backwards then
        return {epoch, 0, events}
      end
    end
    if #page < count then return {epoch, 0, events} end
    start = int(backwards and seq - 1 or seq + 1)
    -- What is too old to be shown is passed over quickly.
    count = #events > 0 and size() or BATCH
  end
end
