#!/bin/sh
# A service of a dozen lines: publishes an alert for every message whose payload is a number above the
# limit. It needs jq, which reads and writes the lines of docs/reference/exec-protocol.md.
#
#   [triggers.settings]
#   command = ["sh", "alerts.sh"]
#   [triggers.settings.service]
#   limit = 80
read -r start
limit=$(printf '%s' "$start" | jq .settings.limit)
echo '{"type":"ready","name":"alerts"}'
exec jq --unbuffered -c --argjson limit "$limit" '
  select(.type == "message")
  | {type: "verdict", token}
  + ((try (.payload | tonumber) catch null) as $value
     | if $value == null then {verdict: "reject", reason: "the payload must be a number"}
       elif $value <= $limit then {verdict: "ok"}
       else {verdict: "ok", publish: [{topic: "alerts/\(.topic)", payload: "\($value)"}]}
       end)'
