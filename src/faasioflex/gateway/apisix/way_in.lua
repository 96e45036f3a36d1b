-- Before anything else looks at a request: what only we may say is taken away, what could be read in two ways is refused, and
-- the token is looked at from outside. What is decided here stands in variables, which no client can set.
-- Constants: PREFIX, HEADS, REVOKED, SUBJECTS, FUNCTIONS_HOST, REFUSED_PATH, REFUSED_METHOD, SKEW_S.

local IDENTITY = {
  ["x-consumer-username"] = true, ["x-consumer-custom-id"] = true, ["x-credential-identifier"] = true,
  ["x-userinfo"] = true, ["x-access-token"] = true, ["x-id-token"] = true, ["x-refresh-token"] = true,
  ["x-raw-id-token"] = true,
}
local NOT_TAKEN = {
  ["x-forwarded-prefix"] = true, ["proxy-authorization"] = true, ["proxy-authenticate"] = true, ["keep-alive"] = true,
  ["proxy-connection"] = true,
}

local function is_platforms(name)
  return name:sub(1, 6) == "x-ffx-" or name:sub(1, 8) == "x-envoy-" or IDENTITY[name]
end

-- WSGI and CGI take X_Ffx_User for X-Ffx-User, so our own routes take no name with an underscore at all.
local function clean(core, ctx, ours)
  local headers = ngx.req.get_headers(0)
  local names = {}
  for name in pairs(headers) do names[#names + 1] = name end
  for _, name in ipairs(names) do
    local plain = name:lower():gsub("_", "-")
    if is_platforms(plain) or (ours and (name:find("_", 1, true) or NOT_TAKEN[plain])) then
      core.request.set_header(ctx, name, nil)
    end
  end
end

local function take_out_cookies(core, ctx)
  local value = ngx.req.get_headers(0)["cookie"]
  if value == nil then return end
  local kept, changed = {}, false
  for _, line in ipairs(type(value) == "table" and value or {value}) do
    for pair in line:gmatch("[^;]+") do
      if is_platform_cookie(cookie_name(pair)) then
        changed = true
      else
        kept[#kept + 1] = pair:match("^%s*(.-)%s*$")
      end
    end
  end
  if changed then core.request.set_header(ctx, "Cookie", #kept > 0 and table.concat(kept, "; ") or nil) end
end

local function take_request_id(core, ctx)
  local id = ngx.req.get_headers(0)["x-request-id"]
  if type(id) ~= "string" or #id > 128 or not id:find("^[%w._-]+$") then id = core.id.gen_uuid_v4() end
  core.request.set_header(ctx, "X-Request-Id", id)
  ctx.var.ffx_request_id = id
end

-- real_ip_from trusts loopback unless it is told otherwise: then a client there could name any address.
local function address_of(var)
  local peer = var.realip_remote_addr or var.remote_addr or ""
  if peer:sub(1, 4) == "127." or peer == "::1" or peer == "unix:" then return peer end
  return var.remote_addr
end

-- nil: no bearer token. "other": one that the invoker has to look at: not of our making to the letter, or void already, or
-- one of several. "ours": worth verifying. Nothing is believed here: whatever this says, only a verified token names anybody.
local function looks_like(core)
  local value = ngx.req.get_headers(0)["authorization"]
  if value == nil then return nil end
  if type(value) ~= "string" or value:find(",", 1, true) then return "other" end
  if value:sub(1, 7):lower() ~= "bearer " then return nil end
  local head, payload = value:match("^Bearer ([%w_-]+)%.([%w_-]+)%.[%w_-]+$")
  if not head or not HEADS[head] then return "other" end
  local claims = core.json.decode(ngx.decode_base64(pad(payload)) or "")
  if type(claims) ~= "table" or type(claims.exp) ~= "number" or claims.exp + SKEW_S < ngx.time() then return "other" end
  if REVOKED[claims.jti or ""] or SUBJECTS[claims.sub or ""] then return "other" end
  return "ours"
end

return function(_, ctx)
  local core = require("apisix.core")
  local var = ctx.var
  local ours = type(ctx.route_id) == "string" and ctx.route_id:sub(1, #PREFIX) == PREFIX
  clean(core, ctx, ours)
  if not ours then return end
  take_request_id(core, ctx)
  local raw = var.real_request_uri
  if ngx.re.find(raw, REFUSED_PATH, "jos") then
    return problem(ctx, 400, "bad-request", "The request cannot be read", "Its path may not hold '.' or '..' segments, "
      .. "backslashes, NUL or control characters.")
  end
  if var.request_method == REFUSED_METHOD then
    return problem(ctx, 405, "method-not-allowed", "Method not allowed", REFUSED_METHOD .. " is not taken here.")
  end
  local is_call = raw:sub(1, 3) == "/f/"
  if FUNCTIONS_HOST and is_call ~= ((var.host or ""):lower() == FUNCTIONS_HOST) then
    return problem(ctx, 404, "not-found", "Not found", "There is nothing at this address.")
  end
  if is_call and not FUNCTIONS_HOST then take_out_cookies(core, ctx) end
  var.ffx_address = address_of(var)
  core.request.set_header(ctx, "X-Ffx-Address", var.ffx_address)
  var.ffx_token = looks_like(core)
  -- APISIX's cors answers every OPTIONS itself: only preflights are its business
  local preflight = ngx.req.get_headers(0)["access-control-request-method"] ~= nil
  if var.request_method ~= "OPTIONS" or preflight then var.ffx_cors = "1" end
  var.upstream_uri = raw -- as it came, escapes and all
end
