-- The log of several brokers' messages: a Stream, in which each entry has a position (its id) and a number, one more than the
-- entry before. The arguments begin with what to do, the broker's name, and the run_id of the server that the broker talks to.
-- The first element of an answer is "ok", or why not.
--
-- A position is two numbers, milliseconds and a counter: as one number it wouldn't be exact here. Counters are even, so that
-- a broker has positions of its own, between those of messages, for what it says about lost messages.
local stream, state, names, older = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local verb, broker, run = ARGV[1], ARGV[2], ARGV[3]
local VERSION, COUNTERS, LEASE_MS, DAY_MS = '1', 1048576, 3000, 86400000
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)

local function split(position)
    local ms, counter = string.match(position, '^(%d+)%-(%d+)$')
    return tonumber(ms), tonumber(counter)
end

local function after(a_ms, a_counter, b_ms, b_counter)
    return a_ms > b_ms or (a_ms == b_ms and a_counter > b_counter)
end

-- The numbers of the state.
local fields = redis.call('TYPE', state).ok == 'hash' and redis.call('HMGET', state, 'version', 'run', 'owner', 'seen', 'ms', 'counter', 'number',
    'batch', 'answer', 'swapped', 'window', 'names', 'messages', 'age', 'bytes') or {}
local known_run, owner, seen, batch, answer = fields[2], fields[3], tonumber(fields[4] or 0), fields[8], fields[9]
local ms, counter, number = tonumber(fields[5] or 0), tonumber(fields[6] or 0), tonumber(fields[7] or 0)

-- The next position: never behind the clock, nor the last one.
local function step()
    if now > ms then
        ms, counter = now, 0
    else
        counter = counter + 2 - counter % 2
        if counter >= COUNTERS then
            ms, counter = ms + 1, 0
        end
    end
end

local function far(than_ms)
    return than_ms > now + DAY_MS
end

-- Adds an entry. The Stream's own last id may be above ours, where somebody else added entries. Returns nil, or a refusal.
local function add(...)
    local id = ms .. '-' .. counter
    local reply = redis.pcall('XADD', stream, id, 'n', number, ...)
    if type(reply) ~= 'table' or not reply.err then
        return nil
    end
    if not string.find(reply.err, 'equal or smaller') then
        error(reply.err, 0)
    end
    local info, last = redis.call('XINFO', 'STREAM', stream), nil
    for i = 1, #info, 2 do
        if info[i] == 'last-generated-id' then
            last = info[i + 1]
        end
    end
    local last_ms, last_counter = split(last)
    if not last_ms or far(last_ms) or not after(last_ms, last_counter, ms, counter) then
        return {'future', last}
    end
    ms, counter = last_ms, last_counter
    if counter >= COUNTERS then
        ms, counter = ms + 1, 0
    end
    step()
    redis.call('XADD', stream, ms .. '-' .. counter, 'n', number, ...)
    return nil
end

local function note(...)
    redis.call('HSET', state, 'ms', ms, 'counter', counter, 'number', number, 'seen', now, ...)
end

-- Names are in two hashes: those of this window, and of the window before.
local function remember(name, digest)
    redis.call('HSET', names, name, digest .. ms .. '-' .. counter)
end

local function recall(name)
    return redis.call('HGET', names, name) or redis.call('HGET', older, name)
end

local function swap()
    local window, most = tonumber(fields[11]), tonumber(fields[12])
    if now - tonumber(fields[10]) >= window or redis.call('HLEN', names) >= most then
        if redis.call('EXISTS', names) == 1 then
            redis.call('RENAME', names, older)
        else
            redis.call('DEL', older)
        end
        redis.call('HSET', state, 'swapped', now)
    end
end

local function trim()
    redis.call('XTRIM', stream, 'MAXLEN', '~', fields[13])
    redis.call('XTRIM', stream, 'MINID', '~', string.format('%.0f', math.max(now - tonumber(fields[14]), 0)))
    if tonumber(batch) % 64 == 0 then
        local used, most = redis.call('MEMORY', 'USAGE', stream, 'SAMPLES', '20'), tonumber(fields[15])
        if used and used > most then
            redis.call('XTRIM', stream, 'MAXLEN', '~', string.format('%.0f', redis.call('XLEN', stream) * most / used))
        end
    end
end

local function numbered(id)
    local entry = redis.call('XRANGE', stream, id, id)[1]
    return entry and entry[2][1] == 'n' and entry[2][2] or nil
end

-- join, NAME, RUN, version, settings, line, complete, named, number, window, names, messages, age, bytes, again
-- `again`: '1' where the broker has joined the log before: one that has to be made anew then isn't whole before its epoch.
-- `complete`: up to which position the broker has everything ('0-0': it has nothing); `named`: no position after it was given.
-- Answers: line, run_id, number, last position, number of `complete` or -1, position and number before the log's first entry,
-- the last batch of this broker, the broker that had the log before ('': it has left).
if verb == 'join' then
    local version, settings, line, complete, named = ARGV[4], ARGV[5], ARGV[6], ARGV[7], ARGV[8]
    for i, kind in ipairs({'stream', 'hash', 'hash', 'hash'}) do
        local is = redis.call('TYPE', KEYS[i]).ok
        if is ~= 'none' and is ~= kind then
            return {'type', KEYS[i], is}
        end
    end
    local complete_ms, complete_counter = split(complete)
    local named_ms, named_counter = split(named)
    if far(named_ms) then
        return {'future', named}
    end
    if version ~= VERSION or (fields[1] and fields[1] ~= VERSION) then
        return {'version', fields[1] or VERSION}
    end
    if not fields[1] then
        if redis.call('EXISTS', stream) == 1 then
            return {'strange'}
        end
        ms, counter, number, known_run, owner, batch, answer = named_ms, named_counter, tonumber(ARGV[9]), ARGV[15] == '1' and '?' or run, broker, '0', ''
        redis.call('DEL', names, older)
        note('version', VERSION, 'line', line, 'settings', settings, 'run', known_run, 'base', named, 'base number', number, 'swapped', now)
    else
        local theirs = redis.call('HGET', state, 'settings')
        if theirs and theirs ~= settings then
            return {'settings', theirs}
        end
        if owner ~= '' and owner ~= broker and now - seen < LEASE_MS and now >= seen then
            return {'owner', owner}
        end
        if owner ~= broker then
            batch, answer = '0', ''
        end
    end
    if far(ms) then
        return {'future', ms .. '-' .. counter}
    end
    note('owner', broker, 'settings', settings, 'batch', batch, 'answer', answer, 'window', ARGV[10], 'names', ARGV[11], 'messages', ARGV[12],
        'age', ARGV[13], 'bytes', ARGV[14])
    local base, base_number = redis.call('HGET', state, 'base'), redis.call('HGET', state, 'base number')
    local first = redis.call('XRANGE', stream, '-', '+', 'COUNT', 1)[1]
    local before, before_number = ms .. '-' .. counter, number
    if first and first[2][1] == 'n' and tonumber(first[2][2]) == tonumber(base_number) + 1 then
        before, before_number = base, base_number
    elseif first then
        local first_ms, first_counter = split(first[1])
        before = first_counter > 0 and first_ms .. '-' .. (first_counter - 1) or (first_ms - 1) .. '-' .. (COUNTERS - 1)
        before_number = first[2][1] == 'n' and (tonumber(first[2][2]) or 1) - 1 or 0
    elseif number == tonumber(base_number) then
        before = base
    end
    local place = numbered(complete)
    if not place and complete_ms > 0 then
        local base_ms, base_counter = split(base)
        if before == base and not after(complete_ms, complete_counter, base_ms, base_counter) then
            place = base_number
        elseif complete_ms == ms and complete_counter == counter then
            place = number
        end
    end
    return {'ok', redis.call('HGET', state, 'line'), known_run, tostring(number), ms .. '-' .. counter, place and tostring(place) or '-1', before,
        tostring(before_number), batch, fields[3] or ''}
end

if not fields[1] then
    return {'gone'}
end
if owner ~= broker then
    return {'owner', owner}
end

-- leave, NAME, RUN: another broker may join at once.
if verb == 'leave' then
    redis.call('HSET', state, 'owner', '')
    return {'ok', ''}
end

-- append, NAME, RUN, batch, number that the broker has read up to, then for each message: its head, payload, and name and digest
-- or ''. Answers: for each message that isn't appended, its index, '=' or '!' (another message has the name), the position.
if verb == 'append' then
    if known_run ~= run then
        return {'run', known_run}
    end
    if tonumber(ARGV[5]) > number then
        return {'lost', tostring(number)}
    end
    if ARGV[4] == batch then
        redis.call('HSET', state, 'seen', now)
        return {'ok', answer}
    end
    if tonumber(ARGV[4]) ~= tonumber(batch) + 1 then
        return {'batch', batch}
    end
    if far(ms) then
        return {'future', ms .. '-' .. counter}
    end
    local told, pcall, arguments, prefix, prefix_ms = {}, redis.pcall, ARGV, nil, nil
    for i = 6, #arguments, 3 do
        local name, before = arguments[i + 2], false
        if name ~= '' then
            before = recall(string.sub(name, 1, 32))
        end
        if before then
            local same = string.sub(before, 1, 32) == string.sub(name, 33)
            told[#told + 1] = ((i - 6) / 3) .. (same and '=' or '!') .. string.sub(before, 33)
        else
            step()
            number = number + 1
            if prefix_ms ~= ms then
                prefix, prefix_ms = ms .. '-', ms
            end
            local reply = pcall('XADD', stream, prefix .. counter, 'n', number, 'm', arguments[i], 'p', arguments[i + 1])
            if type(reply) == 'table' and reply.err then
                local refusal = add('m', ARGV[i], 'p', ARGV[i + 1])
                if refusal then
                    return refusal
                end
            end
            if name ~= '' then
                remember(string.sub(name, 1, 32), string.sub(name, 33))
            end
        end
    end
    batch, answer = ARGV[4], table.concat(told, ' ')
    note('batch', batch, 'answer', answer)
    swap()
    trim()
    return {'ok', answer}
end

-- restore, NAME, RUN, then for each entry that the broker has read: number, position, head, payload, name and digest or ''.
-- What the log lacks is put back. Answers: the number of the last entry.
if verb == 'restore' then
    for i = 4, #ARGV, 5 do
        local old_ms, old_counter = split(ARGV[i + 1])
        if tonumber(ARGV[i]) > number and after(old_ms, old_counter, ms, counter) then
            local reply = redis.pcall('XADD', stream, ARGV[i + 1], 'n', ARGV[i], 'm', ARGV[i + 2], 'p', ARGV[i + 3])
            if type(reply) == 'table' and reply.err then
                if string.find(reply.err, 'equal or smaller') then
                    break -- somebody else has added a later one: the numbers will show what is missing
                end
                error(reply.err, 0)
            end
            number, ms, counter = tonumber(ARGV[i]), old_ms, old_counter
            if ARGV[i + 4] ~= '' then
                remember(string.sub(ARGV[i + 4], 1, 32), string.sub(ARGV[i + 4], 33))
            end
        end
    end
    note()
    return {'ok', tostring(number)}
end

-- epoch, NAME, RUN, position, number, batch, lost: the log goes on, on this server, above the position and the number.
-- `lost`: '1' where positions were given that the log lacks, or else '0', and the broker's name. Answers: the number of the epoch's entry.
if verb == 'epoch' then
    local named_ms, named_counter = split(ARGV[4])
    if far(named_ms) or far(ms) then
        return {'future', far(ms) and ms .. '-' .. counter or ARGV[4]}
    end
    if after(named_ms, named_counter, ms, counter) then
        ms, counter = named_ms, named_counter
    end
    step()
    number = math.max(number, tonumber(ARGV[5])) + 1
    local refusal = add('e', ARGV[7])
    if refusal then
        return refusal
    end
    note('run', run, 'batch', ARGV[6], 'answer', '')
    return {'ok', tostring(number)}
end

return {'verb', verb}
