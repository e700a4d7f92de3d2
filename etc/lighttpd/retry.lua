-- The answer where no worker can be reached: a stream that ends at once and says when to come back, not for all in the
-- same second. Other mistakes keep their status.
local status = tonumber(lighty.r.req_env["REDIRECT_STATUS"])
if status and status < 500 then
    return status
end
lighty.r.resp_header["Content-Type"] = "text/event-stream"
lighty.r.resp_header["Cache-Control"] = "no-cache, no-transform"
lighty.r.resp_body:set({"retry: " .. math.random(2000, 6000) .. "\n"})
return 200
