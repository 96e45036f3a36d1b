-- On every answer of our routes: takes out what only the platform says, and what a function may not say for a shared origin.
-- The invoker's own timings stay: it shows PROOF, which no function knows.
-- Constants: PREFIX, PROOF, SHARED, SANDBOX, ORIGIN_WIDE.

local OWN = {[400] = true, [401] = true, [403] = true, [404] = true, [405] = true, [413] = true, [429] = true}

local function listed(value)
  if value == nil then return {} end
  return type(value) == "table" and value or {value}
end

local function take_out_cookies(headers)
  local kept, before = {}, listed(headers["set-cookie"])
  for _, value in ipairs(before) do
    if not is_platform_cookie(cookie_name(value)) then kept[#kept + 1] = value end
  end
  if #kept < #before then ngx.header["Set-Cookie"] = #kept > 0 and kept or nil end
end

local function take_out_timings(headers)
  if PROOF ~= "" and headers["ffx-proof"] == PROOF then return end
  local kept, changed = {}, false
  for _, value in ipairs(listed(headers["server-timing"])) do
    for metric in value:gmatch("[^,]+") do
      if metric:lower():match("^%s*ffx%-") then
        changed = true
      else
        kept[#kept + 1] = metric:match("^%s*(.-)%s*$")
      end
    end
  end
  if changed then ngx.header["Server-Timing"] = #kept > 0 and table.concat(kept, ", ") or nil end
end

return function(_, ctx)
  local var = ctx.var
  if type(ctx.route_id) ~= "string" or ctx.route_id:sub(1, #PREFIX) ~= PREFIX then return end
  local headers = ngx.resp.get_headers(0)
  local is_call = (var.real_request_uri or ""):sub(1, 3) == "/f/"
  if is_call then take_out_timings(headers) end
  if is_call and SHARED then
    take_out_cookies(headers)
    for _, name in ipairs(ORIGIN_WIDE) do ngx.header[name] = nil end
    local policies = listed(headers["content-security-policy"])
    local all = {}
    for _, policy in ipairs(policies) do all[#all + 1] = policy end
    all[#all + 1] = SANDBOX
    ngx.header["Content-Security-Policy"] = all
  end
  for name in pairs(headers) do
    local lower = name:lower()
    if lower:sub(1, 6) == "x-ffx-" or lower:sub(1, 8) == "x-envoy-" or lower == "ffx-proof" then ngx.header[name] = nil end
  end
  if var.ffx_request_id then ngx.header["X-Request-Id"] = var.ffx_request_id end
  if var.ffx_to == "instance" and var.ffx_revision and var.ffx_sent then ngx.header["Ffx-Revision"] = var.ffx_revision end
  local is_own = OWN[ngx.status] and var.ffx_request_id and (ngx.var.upstream_addr or "") == ""
  if is_own then
    ngx.header["Content-Type"] = "application/problem+json"
    if ngx.status == 401 then ngx.header["WWW-Authenticate"] = "Bearer" end
    if ngx.status == 429 then ngx.header["Retry-After"] = "60" end
  end
end
