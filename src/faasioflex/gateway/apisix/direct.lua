-- On the route of one function, after openid-connect: whether this call goes straight to an instance, and with which headers.
-- Everything else goes to the invoker as it came, which knows the whole policy and says what is wrong.
-- Constants: NAMESPACE, NAME, PUBLIC, SIGNED_IN, PIDS, LARGEST, REVISION, PER_CALLER, PER_FUNCTION, PER_NAMESPACE, SKEW_S, KINDS.

local PATH = "/f/" .. NAMESPACE .. "/" .. NAME
local EVERY_S, MOST = 60, 10000
local admitted = {}
for pid in PIDS:gmatch("%S+") do admitted[pid] = true end

local function whole(value) return type(value) == "number" and value >= 0 and value % 1 == 0 end
local function text(value) return type(value) == "string" and value ~= "" end

-- openid-connect lets 120 s pass after exp and looks at neither nbf nor iat.
local function verified(core, ctx)
  local told = core.request.header(ctx, "X-Userinfo")
  core.request.set_header(ctx, "X-Userinfo", nil)
  if ctx.var.ffx_token ~= "ours" or not told then return nil end
  local claims = core.json.decode(ngx.decode_base64(told) or "")
  local now = ngx.time()
  if type(claims) ~= "table" or not (whole(claims.exp) and whole(claims.iat) and whole(claims.nbf)) then return nil end
  if claims.exp + SKEW_S < now or claims.nbf - SKEW_S > now then return nil end
  if not (text(claims.pid) and text(claims.sub) and text(claims.jti) and KINDS[claims.kind]) then return nil end
  return claims
end

local function may_call(claims)
  if PUBLIC then return true end
  if not claims then return false end
  if admitted[claims.pid] then return true end
  local kind = claims.pid:sub(1, 2)
  return SIGNED_IN and (kind == "u-" or kind == "f-")
end

-- One call a minute of each long-lived token takes the way by the invoker, which notes that the token is in use.
local function is_to_be_noted(pid)
  local kind = pid:sub(1, 2)
  if kind ~= "t-" and kind ~= "s-" then return false end
  local seen = package.loaded["ffx.seen"]
  local now = ngx.time()
  if not seen or now - seen.since >= EVERY_S or seen.count >= MOST then
    seen = {since = now, count = 0, pids = {}}
    package.loaded["ffx.seen"] = seen
  end
  if seen.pids[pid] then return false end
  seen.pids[pid], seen.count = true, seen.count + 1
  return true
end

-- What the instance sees; nil where the raw path is not this function's to the letter.
local function below(raw)
  if raw:sub(1, #PATH) ~= PATH then return nil end
  local rest = raw:sub(#PATH + 1)
  local first = rest:sub(1, 1)
  if first == "" or first == "?" then return "/" .. rest end
  return first == "/" and rest or nil
end

local function prefers_the_queue(prefer)
  if not prefer then return false end
  for each in (prefer .. ","):gmatch("([^,]*),") do
    if each:lower():match("^%s*respond%-async%s*$") or each:lower():match("^%s*respond%-async%s*[;=]") then return true end
  end
  return false
end

local function set_identity(core, ctx, claims)
  local function tell(name, value)
    if text(value) then core.request.set_header(ctx, name, (value:gsub("%c", ""))) end
  end
  tell("X-Ffx-Pid", claims.pid)
  tell("X-Ffx-User", claims.sub)
  tell("X-Ffx-Groups", claims.ffx_groups)
  tell("X-Ffx-Email", claims.email)
  core.request.set_header(ctx, "Authorization", nil)
end

local function count(var, claims)
  if PER_CALLER or PER_FUNCTION or PER_NAMESPACE then var.ffx_bounded = "1" end
  local name = NAMESPACE .. "/" .. NAME
  if PER_CALLER then
    var.ffx_caller = name .. " " .. (claims and claims.pid or ("nobody " .. (var.ffx_address or "")))
    var.ffx_per_caller = PER_CALLER
  end
  if PER_FUNCTION then var.ffx_function, var.ffx_per_function = name, PER_FUNCTION end
  if PER_NAMESPACE then var.ffx_namespace, var.ffx_per_namespace = NAMESPACE, PER_NAMESPACE end
end

return function(_, ctx)
  local core = require("apisix.core")
  local var = ctx.var
  if not var.ffx_request_id then -- nothing was taken away on the way in: a worker that does not have that rule (yet)
    return problem(ctx, 503, "unavailable", "Not available right now", "The gateway is not ready. Try again shortly.")
  end
  local claims = verified(core, ctx)
  local target = below(var.real_request_uri)
  local unsure = var.ffx_token ~= nil and not claims -- a bearer token that does not hold, or is none of ours
  if unsure or not target or not may_call(claims) or prefers_the_queue(core.request.header(ctx, "Prefer"))
      or (claims and is_to_be_noted(claims.pid)) then
    var.ffx_to = "invoker"
    return
  end
  var.ffx_to = "instance"
  local length = tonumber(var.http_content_length)
  if LARGEST and length and length > LARGEST then
    return problem(ctx, 413, "payload-too-large", "Too large",
      "The body is larger than this function takes (limits.payload_bytes).")
  end
  if claims then set_identity(core, ctx, claims) end
  count(var, claims)
  var.ffx_revision = REVISION
  var.upstream_uri = target
  core.request.set_header(ctx, "X-Ffx-Address", nil)
  core.request.set_header(ctx, "X-Forwarded-Prefix", PATH)
  core.request.set_header(ctx, "X-Ffx-Namespace", NAMESPACE)
  core.request.set_header(ctx, "X-Ffx-Function", NAME)
end
