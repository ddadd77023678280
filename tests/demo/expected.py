"""Who reaches whom in the demo, stage by stage: the pods of examples/, each at the first port it declares.

Written by hand from what examples/policies say in their comments; the demo compares it with real connections and with
what `margay ctl simulate` says.
"""

FRONTEND, BACKEND, DB = "shop/frontend", "shop/backend", "shop/db"
PROMETHEUS, TRUSTED, UNKNOWN = "monitoring/prometheus", "partner/trusted", "partner/unknown"
PODS = [FRONTEND, BACKEND, DB, PROMETHEUS, TRUSTED, UNKNOWN]
PORTS = {FRONTEND: 8080, BACKEND: 9000, DB: 5432, PROMETHEUS: 9090, TRUSTED: 8000, UNKNOWN: 8000}
SHOP, OTHERS = {FRONTEND, BACKEND, DB}, {PROMETHEUS, TRUSTED, UNKNOWN}

EVERYONE = {(a, b) for a in PODS for b in PODS if a != b}
# Neither in nor out of the shop; the others still reach each other.
CLOSED_SHOP = {(a, b) for a, b in EVERYONE if a in OTHERS and b in OTHERS}
OPENED = CLOSED_SHOP | {(a, FRONTEND) for a in OTHERS} | {
    (FRONTEND, BACKEND), (TRUSTED, BACKEND), (BACKEND, DB)}
BLOCKED = OPENED - {(UNKNOWN, FRONTEND)}

# Beyond the first ports: (from, to, port) -> reached, once all policies are there.
METRICS = {
    (PROMETHEUS, BACKEND, 9100): True,  # the range's first port
    (PROMETHEUS, BACKEND, 9102): True,  # and its last
    (PROMETHEUS, BACKEND, 9200): False,  # beyond it
    (PROMETHEUS, BACKEND, 9000): False,  # the API is not for monitoring
    (FRONTEND, BACKEND, 9100): False,  # metrics are not for the frontend
}
