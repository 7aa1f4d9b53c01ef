"""The Redis side of the limiter: Lua source, run there in one piece per call.

All clocks are Redis's own (TIME, PTTL). A bucket is one key that expires; a hold is another. The
sharing mirrors `shared.domain.bucket`, which explains it; a test compares the two.
"""

from shared.domain.bucket import BURST_S, ROUNDS, SMALL_SHARE

KEEP_S = 600  # an endpoint nobody called for this long starts with an empty bucket
STALE_S = 1.0  # a flow whose process did not ask again for this long no longer waits
FORGET_S = 30  # after this its share is forgotten too
LEARNED_S = 600  # limits told by headers hold this long
PAUSE_PER_FLOW_S = 0.0006  # the more flows wait, the dearer a request: then they ask less often
SLOWED = 0.8  # the inflow's part that is handed out while the provider says it is nearly empty

SHARE_OUT = f"""
local BURST, SMALL, ROUNDS, EPSILON = {BURST_S}, {SMALL_SHARE}, {ROUNDS}, 1e-9

local function capacity(rate, m)
  return m == 1 and math.max(1, rate * BURST) or rate * BURST
end

local function weigh(flows)
  local jobs, processes, top, total = {{}}, {{}}, {{}}, {{}}
  for _, f in ipairs(flows) do
    if not jobs[f.job] then
      jobs[f.job] = true
      top[f.project] = math.max(top[f.project] or 0, f.weight)
      total[f.project] = (total[f.project] or 0) + f.weight
    end
    processes[f.job] = (processes[f.job] or 0) + 1
  end
  local small, large = 0, 0
  for _, f in ipairs(flows) do
    f.part = top[f.project] * f.weight / total[f.project] / processes[f.job]
    if f.small then small = small + f.part else large = large + f.part end
  end
  local wanted = large * SMALL / (1 - SMALL)
  if small > 0 and small < wanted then
    for _, f in ipairs(flows) do
      if f.small then f.part = f.part * wanted / small end
    end
  end
end

local function after(a, b)
  if a.v ~= b.v then return a.v > b.v end
  if a.small ~= b.small then return b.small end
  return a.key > b.key
end

-- Sets f.given of every flow (virtual time f.v moves on with it); returns seconds until more fits.
local function share_out(level, rates, flows)
  local limited, free, fits = {{}}, {{}}, true
  for m = 1, 4 do
    if rates[m] >= 0 then
      limited[#limited + 1] = m
      local sum = 0
      for _, f in ipairs(flows) do sum = sum + f.amounts[m] end
      free[m] = level[m]
      if sum > level[m] + EPSILON then fits = false end
    end
  end
  local all, ready = 0, math.huge
  weigh(flows)
  for _, f in ipairs(flows) do
    all, f.given, f.used, f.size, f.cost = all + f.part, 0, {{}}, {{}}, 0
    for _, m in ipairs(limited) do
      local size = f.amounts[m] / f.calls
      if size > 0 then
        f.used[#f.used + 1], f.size[m] = m, size
        f.cost = math.max(f.cost, size / rates[m])
      end
    end
    if fits then
      f.given = f.calls
      f.v = f.v + f.calls * f.cost / f.part
    end
  end
  if fits then return 0 end
  for _, m in ipairs(limited) do ready = math.min(ready, math.max(0, free[m]) / rates[m]) end
  local waiting, blocked, wait = {{}}, {{}}, 0
  for i, f in ipairs(flows) do waiting[i] = f end
  table.sort(waiting, after)
  while #waiting > 0 do
    local f = table.remove(waiting)
    local stopped, short = false, false
    for _, m in ipairs(f.used) do stopped = stopped or blocked[m] end
    if not stopped then
      for _, m in ipairs(f.used) do
        local need = math.min(f.size[m], capacity(rates[m], m))
        if free[m] < need - EPSILON then
          blocked[m], short = true, true
          wait = math.max(wait, (need - free[m]) / rates[m])
        end
      end
    end
    if not stopped and not short then
      local left = f.calls - f.given
      local helping = left
      if f.cost > 0 then
        helping = math.floor(ready * f.part / all / ROUNDS / f.cost)
        helping = math.max(1, math.min(left, helping))
      end
      for _, m in ipairs(f.used) do
        helping = math.min(helping, math.floor(free[m] / f.size[m] + EPSILON))
      end
      helping = math.max(1, helping)
      f.given, f.v = f.given + helping, f.v + helping * f.cost / f.part
      for _, m in ipairs(f.used) do free[m] = free[m] - helping * f.size[m] end
      if f.given < f.calls then
        local at = #waiting + 1
        while at > 1 and after(waiting[at - 1], f) == false do at = at - 1 end
        table.insert(waiting, at, f)
      end
    end
  end
  return wait
end
"""

# KEYS: bucket, hold, processes. ARGV: the process, its request as JSON (see LimiterStore.ask).
ASK = (
    SHARE_OUT
    + f"""
local process, request = ARGV[1], cjson.decode(ARGV[2])
local t = redis.call('TIME')
local now = tonumber(t[1]) + tonumber(t[2]) / 1000000

local function empty()
  return {{at = now, level = {{}}, clock = 0, flows = {{}}, learned = {{-1, -1, -1, -1}},
    learned_at = 0, slow_until = 0}}
end

local function opened()
  local packed = redis.call('GET', KEYS[1])
  if packed then
    local ok, found = pcall(cmsgpack.unpack, packed)
    if ok and type(found) == 'table' and found.level and found.flows then return found end
  end
  return empty()
end

local state = opened()
local rates = {{}}
for m = 1, 4 do
  local rate, told = request.rates[m], state.learned[m]
  if now - state.learned_at < {LEARNED_S} and told >= 0 and (rate < 0 or told < rate) then
    rate = told
  end
  rates[m] = rate
end

-- refill; a bucket never seen holds one call, so that the first does not wait
local passed = math.max(0, math.min(now - state.at, {KEEP_S}))
if now < state.slow_until then passed = passed * {SLOWED} end
state.at = now
for m = 1, 4 do
  if rates[m] < 0 then
    state.level[m] = 0
  else
    local first = request.flows[1]
    local level = state.level[m] or (first and first.amounts[m] / first.calls) or 0
    level = level + passed * rates[m] + request.back[m]
    state.level[m] = math.min(level, capacity(rates[m], m))
  end
end

-- what this process wants now takes the place of what it wanted before
local asked = {{}}
for i, f in ipairs(request.flows) do
  f.key, f.process, f.seen = process .. ' ' .. f.job, process, now
  local known = state.flows[f.key]
  f.v = known and known.v or state.clock
  if not known or known.calls == 0 or now - known.seen > {STALE_S} then
    f.v = math.max(f.v, state.clock)
  end
  asked[f.key] = i
end
for key, f in pairs(state.flows) do
  if now - f.seen > {FORGET_S} then
    state.flows[key] = nil
  elseif f.process == process or now - f.seen > {STALE_S} then
    f.calls = 0
  end
end
for _, f in ipairs(request.flows) do state.flows[f.key] = f end

local hold, wait, given = redis.call('PTTL', KEYS[2]), 0, {{}}
for i = 1, #request.flows do given[i] = 0 end
if hold <= 0 then
  local waiting = {{}}
  for _, f in pairs(state.flows) do
    if f.calls > 0 then waiting[#waiting + 1] = f end
  end
  table.sort(waiting, function(a, b) return a.key < b.key end)
  local before = {{}}
  for _, f in ipairs(waiting) do before[f.key] = f.v end
  if #waiting > 0 then wait = share_out(state.level, rates, waiting) end
  if wait > 0 then wait = math.max(wait, #waiting * {PAUSE_PER_FLOW_S}) end
  for _, f in ipairs(waiting) do
    if asked[f.key] then
      given[asked[f.key]] = f.given
      for m = 1, 4 do
        local amount = f.amounts[m] * f.given / f.calls
        if rates[m] >= 0 then state.level[m] = state.level[m] - amount end
        f.amounts[m] = f.amounts[m] - amount
      end
      f.calls = f.calls - f.given
    else
      f.v = before[f.key]  -- set aside for them, not theirs until they ask
    end
  end
end

-- the clock of the shares: where the hindmost waiting flow is, or the foremost if none waits
local hindmost, foremost = math.huge, state.clock
for _, f in pairs(state.flows) do
  foremost = math.max(foremost, f.v)
  if f.calls > 0 then hindmost = math.min(hindmost, f.v) end
  f.part, f.given, f.used, f.size, f.cost = nil, nil, nil, nil, nil
end
state.clock = math.max(state.clock, hindmost < math.huge and hindmost or foremost)

redis.call('SET', KEYS[1], cmsgpack.pack(state), 'EX', {KEEP_S})
redis.call('ZADD', KEYS[3], tonumber(t[1]), process)
redis.call('EXPIRE', KEYS[3], {KEEP_S})
return cjson.encode({{hold_ms = math.max(0, hold), wait_s = wait, given = given, rates = rates,
  processes = redis.call('ZCARD', KEYS[3])}})
"""
)

# KEYS: hold. ARGV: milliseconds. A longer hold stays; a shorter one is prolonged.
HOLD = """
local wanted = tonumber(ARGV[1])
if redis.call('PTTL', KEYS[1]) < wanted then redis.call('SET', KEYS[1], '1', 'PX', wanted) end
return redis.call('PTTL', KEYS[1])
"""

# KEYS: bucket. ARGV: four limits per second (-1: not told), seconds to go slower.
LEARN = f"""
local packed = redis.call('GET', KEYS[1])
if not packed then return 0 end
local ok, state = pcall(cmsgpack.unpack, packed)
if not ok then return 0 end
local t = redis.call('TIME')
local now = tonumber(t[1]) + tonumber(t[2]) / 1000000
for m = 1, 4 do state.learned[m] = tonumber(ARGV[m]) end
state.learned_at = now
state.slow_until = math.max(state.slow_until, now + tonumber(ARGV[5]))
redis.call('SET', KEYS[1], cmsgpack.pack(state), 'EX', {KEEP_S})
return 1
"""

# KEYS: processes. ARGV: this process, seconds after which a silent one is gone. Returns how many.
PRESENT = f"""
local t = redis.call('TIME')
local now = tonumber(t[1])
redis.call('ZADD', KEYS[1], now, ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - tonumber(ARGV[2]))
redis.call('EXPIRE', KEYS[1], {KEEP_S})
return redis.call('ZCARD', KEYS[1])
"""
