-- The log of several brokers' messages: a Stream, in which each entry has a position (its id) and a number, one more than the
-- entry before. The arguments begin with what to do, the broker's name, and the run_id of the server that the broker talks to.
-- The first element of an answer is "ok", or why not.
--
-- A position is two numbers, milliseconds and a counter: as one number it wouldn't be exact here. Counters are even, so that
-- a broker has positions of its own, between those of messages, for what it says about lost messages.
--
-- The log is closed while its `run` isn't the server's run_id: another server may lack entries that brokers have read. For
-- CLOSED_MS brokers put back what it lacks; an epoch opens it.
local stream, state, names, older, brokers = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local verb, broker, run = ARGV[1], ARGV[2], ARGV[3]
local VERSION, COUNTERS, DAY_MS = '2', 1048576, 86400000
local CLOSED_MS, MARK_MS, FORGET_MS, BROKERS = 2000, 1000, 3600000, 100
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
local fields = redis.call('TYPE', state).ok == 'hash' and redis.call('HMGET', state, 'version', 'run', 'ms', 'counter', 'number', 'swapped',
    'window', 'names', 'messages', 'age', 'bytes', 'closed', 'tail', 'tail number', 'heirs', 'mark', 'mark number') or {}
local known_run, closed, tail, tail_number = fields[2], tonumber(fields[12] or ''), fields[13] or '0-0', tonumber(fields[14] or 0)
local ms, counter, number = tonumber(fields[3] or 0), tonumber(fields[4] or 0), tonumber(fields[5] or 0)

-- What is known of a broker: when it was last heard, when it joined, up to when it has surely read all that was added; its last
-- batch, the log's number after that, and the answer to it.
local function parse(text)
    local seen, joined, current, batch, reached, answer = string.match(text or '', '^(%d+) (%d+) (%d+) (%d+) (%d+) (.*)$')
    return seen and {seen = tonumber(seen), joined = tonumber(joined), current = tonumber(current), batch = batch, reached = reached,
        answer = answer}
end

local known = redis.call('TYPE', brokers).ok == 'hash' and parse(redis.call('HGET', brokers, broker)) or nil

local function keep()
    redis.call('HSET', brokers, broker, table.concat({now, known.joined, known.current, known.batch, known.reached, known.answer}, ' '))
end

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
    redis.call('HSET', state, 'ms', ms, 'counter', counter, 'number', number, ...)
end

-- Names are in two hashes: those of this window, and of the window before.
local function remember(name, digest)
    redis.call('HSET', names, name, digest .. ms .. '-' .. counter)
end

local function recall(name)
    return redis.call('HGET', names, name) or redis.call('HGET', older, name)
end

local function swap()
    local window, most = tonumber(fields[7]), tonumber(fields[8])
    if now - tonumber(fields[6]) >= window or redis.call('HLEN', names) >= most then
        if redis.call('EXISTS', names) == 1 then
            redis.call('RENAME', names, older)
        else
            redis.call('DEL', older)
        end
        redis.call('HSET', state, 'swapped', now)
    end
end

local function trim()
    redis.call('XTRIM', stream, 'MAXLEN', '~', fields[9])
    redis.call('XTRIM', stream, 'MINID', '~', string.format('%.0f', math.max(now - tonumber(fields[10]), 0)))
    if tonumber(known.batch) % 64 == 0 then
        local used, most = redis.call('MEMORY', 'USAGE', stream, 'SAMPLES', '20'), tonumber(fields[11])
        if used and used > most then
            redis.call('XTRIM', stream, 'MAXLEN', '~', string.format('%.0f', redis.call('XLEN', stream) * most / used))
        end
    end
end

local function numbered(id)
    local entry = redis.call('XRANGE', stream, id, id)[1]
    return entry and entry[2][1] == 'n' and entry[2][2] or nil
end

-- Calls fn with the name of each broker and what is known of it.
local function each(fn)
    local all = redis.call('HGETALL', brokers)
    for i = 1, #all, 2 do
        fn(all[i], parse(all[i + 1]))
    end
end

-- Brokers that were killed are forgotten.
local function forget()
    local age = redis.call('HLEN', brokers) > BROKERS and CLOSED_MS * 5 or FORGET_MS
    each(function(name, one)
        if not one or now - one.seen > age then
            redis.call('HDEL', brokers, name)
        end
    end)
end

-- How long the log stays closed, in ms.
local function remains()
    return (now < closed and 0) or math.max(closed + CLOSED_MS - now, 0)
end

-- Whether a broker hasn't come to put back what it has read, and it may have acknowledged messages that no other broker has read:
-- it has appended some since. A broker whose history ends where the log ends may be its successor.
local function misses_one()
    local missing, current = 0, 0
    each(function(_, one)
        if one and one.joined >= closed then
            current = math.max(current, one.current)
        end
    end)
    each(function(_, one)
        if one and one.joined < closed and one.seen >= current then
            missing = missing + 1
        end
    end)
    return missing > tonumber(fields[15] or 0)
end

-- The broker has read up to this number: so it has read all that was added up to the last mark.
local function witness(read)
    if fields[17] and read >= tonumber(fields[17]) then
        known.current = math.max(known.current, tonumber(fields[16]))
    end
    if not fields[17] or now - tonumber(fields[16]) >= MARK_MS or now < tonumber(fields[16]) then
        redis.call('HSET', state, 'mark', now, 'mark number', number)
    end
end

-- The log is closed to appends, if it isn't yet.
local function close()
    if not closed then
        redis.call('HSET', state, 'heirs', 0)
    end
    if not closed or redis.call('HGET', state, 'closing') ~= run then
        closed = now
        redis.call('HSET', state, 'run', known_run, 'closing', run, 'closed', closed)
    end
end

-- join, NAME, RUN, version, settings, line, complete, named, number, window, names, messages, age, bytes, again, batch, flight,
-- tail number, tail
-- `complete`: the last entry that the broker has read ('0-0': none); `named`: no position after it was given; `again`: '1' where
-- the broker has joined the log before: one that has to be made anew then isn't whole before its epoch. `batch`: the last one
-- that the broker has sent; `flight`: '1' where it has no answer. `tail`: the log had this entry, as far as the broker knows.
-- Answers: line, run_id, number, last position, number of `complete` or -1, position and number before the log's first entry,
-- the last batch that the log knows of, or a later number. From then on it takes no batch up to the broker's last one that it
-- doesn't know.
if verb == 'join' then
    local version, settings, line, complete, named = ARGV[4], ARGV[5], ARGV[6], ARGV[7], ARGV[8]
    for i, kind in ipairs({'stream', 'hash', 'hash', 'hash', 'hash'}) do
        local is = redis.call('TYPE', KEYS[i]).ok
        if is ~= 'none' and is ~= kind then
            return {'type', KEYS[i], is}
        end
    end
    local complete_ms, complete_counter = split(complete)
    local named_ms, named_counter = split(named)
    local its_tail_ms, its_tail_counter = split(ARGV[19])
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
        ms, counter, number, known_run = named_ms, named_counter, tonumber(ARGV[9]), ARGV[15] == '1' and '?' or run
        redis.call('DEL', names, older, brokers)
        known = nil
        note('version', VERSION, 'line', line, 'run', known_run, 'base', named, 'base number', number, 'swapped', now)
    else
        local theirs = redis.call('HGET', state, 'settings')
        if theirs and theirs ~= settings then
            return {'settings', theirs}
        end
    end
    if far(ms) then
        return {'future', ms .. '-' .. counter}
    end
    local log_line = redis.call('HGET', state, 'line')
    note('settings', settings, 'window', ARGV[10], 'names', ARGV[11], 'messages', ARGV[12], 'age', ARGV[13], 'bytes', ARGV[14])
    forget()
    if line == log_line and (tonumber(ARGV[18]) > number or after(its_tail_ms, its_tail_counter, ms, counter)) then
        known_run = '?' -- the log has lost its end
    end
    if known_run ~= run then
        close()
        local tail_ms, tail_counter = split(tail)
        if line == log_line and after(its_tail_ms, its_tail_counter, tail_ms, tail_counter) then
            redis.call('HSET', state, 'tail', ARGV[19])
        end
        redis.call('HSET', state, 'tail number', string.format('%.0f', math.max(tail_number, tonumber(ARGV[18]))))
        if ARGV[15] == '0' and complete_ms == ms and complete_counter == counter then
            redis.call('HINCRBY', state, 'heirs', 1)
        end
    end
    -- What is known of the broker's batches may be old: others may have put back what it had appended since. Then its messages may
    -- be there or not, as where its last batch isn't known ('?': the answer that says so may be lost, too).
    local last_batch, opened = tonumber(ARGV[16]), tonumber(redis.call('HGET', state, 'opened') or 0)
    local batch = known and known.joined >= opened and known.answer ~= '?' and tonumber(known.batch) or last_batch > 0 and last_batch + 1 or 0
    known = known or {current = 0}
    if batch < last_batch - tonumber(ARGV[17]) or batch > last_batch or not known.batch then
        known.batch, known.reached, known.answer = ARGV[16], '0', last_batch > 0 and '?' or ''
    end
    known.joined = now
    keep()
    local base, base_number = redis.call('HGET', state, 'base'), redis.call('HGET', state, 'base number')
    local first = redis.call('XRANGE', stream, '-', '+', 'COUNT', 1)[1]
    local before, before_number = ms .. '-' .. counter, number
    if first and first[2][1] == 'n' and tonumber(first[2][2]) == tonumber(base_number) + 1 then
        before, before_number = base, base_number
    elseif first then
        local first_ms, first_counter = split(first[1])
        before = first_counter > 0 and first_ms .. '-' .. math.min(first_counter - 1, COUNTERS - 1) or (first_ms - 1) .. '-' .. (COUNTERS - 1)
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
    return {'ok', log_line, known_run, tostring(number), ms .. '-' .. counter, place and tostring(place) or '-1', before, tostring(before_number), tostring(batch)}
end

if not fields[1] or not known then
    return {'gone'}
end

-- leave, NAME, RUN: the broker has put everything that it has read into its history, and comes back with that.
if verb == 'leave' then
    redis.call('HDEL', brokers, broker)
    return {'ok', ''}
end

-- append, NAME, RUN, batch, number that the broker has read up to, then for each message: its head, payload, and name and digest
-- or ''. Answers: for each message that isn't appended, its index, '=' or '!' (another message has the name), the position; and
-- the number of the log after the batch.
if verb == 'append' then
    if known_run ~= run then
        return {'run', known_run}
    end
    if tonumber(ARGV[5]) > number then
        return {'lost', tostring(number)}
    end
    witness(tonumber(ARGV[5]))
    if ARGV[4] == known.batch then
        keep()
        return {'ok', known.answer, known.reached}
    end
    if tonumber(ARGV[4]) ~= tonumber(known.batch) + 1 then
        return {'batch', known.batch}
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
    known.batch, known.answer, known.reached = ARGV[4], table.concat(told, ' '), string.format('%.0f', number)
    note()
    keep()
    swap()
    trim()
    return {'ok', known.answer, known.reached}
end

-- Only a closed log is mended; if another broker has opened it, this one joins again.
local raise = verb == 'epoch' and ARGV[7] == '1'
if (known_run == run and not raise) or (known_run ~= run and not closed) then
    return {'gone'}
end

-- restore, NAME, RUN, then for each entry that the broker has read: number, position, head, payload, name and digest or '' ('e': the
-- entry is an epoch). What the log lacks is put back, without a hole as long as another broker may fill it. Answers: the number of
-- the last entry, or for how many ms to wait; or that the broker has to join again, since another one has put back other entries
-- with these numbers: the join shows the fork.
if verb == 'restore' then
    local left = remains()
    for i = 4, #ARGV, 5 do
        local old_ms, old_counter = split(ARGV[i + 1])
        local its_number = tonumber(ARGV[i])
        if its_number > number and after(old_ms, old_counter, ms, counter) then
            if its_number > number + 1 and left > 0 then
                note()
                return {'wait', tostring(left)}
            end
            local reply
            if ARGV[i + 4] == 'e' then
                reply = redis.pcall('XADD', stream, ARGV[i + 1], 'n', ARGV[i], 'e', ARGV[i + 2])
            else
                reply = redis.pcall('XADD', stream, ARGV[i + 1], 'n', ARGV[i], 'm', ARGV[i + 2], 'p', ARGV[i + 3])
            end
            if type(reply) == 'table' and reply.err then
                if string.find(reply.err, 'equal or smaller') then
                    break -- somebody else has added a later one: the numbers will show what is missing
                end
                error(reply.err, 0)
            end
            number, ms, counter = its_number, old_ms, old_counter
            if #ARGV[i + 4] > 1 then
                remember(string.sub(ARGV[i + 4], 1, 32), string.sub(ARGV[i + 4], 33))
            end
        elseif its_number > number or numbered(ARGV[i + 1]) ~= ARGV[i] then
            note()
            return {'gone'}
        end
    end
    note()
    return {'ok', tostring(number)}
end

-- epoch, NAME, RUN, position, number, lost, raise: the log goes on, on this server, above the position and the number, and above all
-- that any broker has named. `lost`: '1' where positions were given that the log lacks; `raise`: '1' where the log is open, and only
-- its positions are to go on after that one. The entry has: '0'; or '1', if messages before it may be lost; or '2', if those up to the
-- tail are lost for brokers that haven't read them; then the broker's name and the tail. Answers: the number of the entry, or for how
-- many ms to wait.
if verb == 'epoch' then
    local lost = ARGV[6]
    if known_run ~= run then
        if remains() > 0 then
            return {'wait', tostring(remains())}
        end
        local tail_ms, tail_counter = split(tail)
        if misses_one() then
            lost = '1'
        elseif lost == '0' and (after(tail_ms, tail_counter, ms, counter) or tail_number > number) then
            lost = '2'
        end
        number = math.max(number, tail_number)
        if after(tail_ms, tail_counter, ms, counter) then
            ms, counter = tail_ms, tail_counter
        end
    end
    local named_ms, named_counter = split(ARGV[4])
    if far(named_ms) or far(ms) then
        return {'future', far(ms) and ms .. '-' .. counter or ARGV[4]}
    end
    if after(named_ms, named_counter, ms, counter) then
        ms, counter = named_ms, named_counter
    end
    step()
    number = math.max(number, tonumber(ARGV[5])) + 1
    local refusal = add('e', lost .. ' ' .. broker .. ' ' .. tail)
    if refusal then
        return refusal
    end
    if known_run ~= run then
        redis.call('HSET', state, 'opened', now)
    end
    note('run', run)
    redis.call('HDEL', state, 'closed', 'closing', 'tail', 'tail number', 'heirs')
    return {'ok', tostring(number)}
end

return {'verb', verb}
