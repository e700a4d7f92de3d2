-- The answer where no worker can be reached, or a limit is met (429): a stream that ends at once and says when to come
-- back, not for all in the same second. Other mistakes keep their status.
local status = tonumber(lighty.r.req_env["REDIRECT_STATUS"])
if status and status < 500 and status ~= 429 then
    return status
end
local header = lighty.r.resp_header
header["Content-Type"] = "text/event-stream"
header["Cache-Control"] = "no-cache, no-transform"
header["X-Accel-Buffering"] = "no"
header["X-Content-Type-Options"] = "nosniff"
-- The headers that the stream would have: with another origin's page, a browser gives up for good where they are missing.
-- There is nothing in this answer that an origin might not see, whichever the worker lets read its streams.
header["Vary"] = "Origin"
local origin = lighty.r.req_header["Origin"]
if origin then
    header["Access-Control-Allow-Origin"] = origin
    header["Access-Control-Allow-Credentials"] = "true"
    header["Access-Control-Allow-Methods"] = "GET, HEAD, OPTIONS"
    header["Access-Control-Allow-Headers"] = "Last-Event-ID, Cache-Control, Authorization"
end
-- No empty line: to some clients it would be a message.
lighty.r.resp_body:set({"retry: " .. math.random(2000, 6000) .. "\n"})
return 200
