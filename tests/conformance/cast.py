"""Who is there in the cases of recipes.py and pages.py: one cluster for all of them, and nobody of them has policies.

Every pod serves TCP 80 beside what it is said to serve. Those of the namespace `hosts` are on their node's network: they
are the node's own processes.
"""

from cluster import namespace, pod

NAMESPACES = {  # name -> labels
    # what the recipes use
    "default": {}, "other": {"team": "operations"}, "prod": {"purpose": "production"}, "dev": {"purpose": "testing"},
    "kube-system": {},
    # what Calico's pages use
    "production": {}, "circle": {"shape": "circle"}, "square": {"shape": "square"},
    "development": {"environment": "development"}, "engineering": {}, "contractors": {},
    "microblog": {"app": "microblog"}, "elsewhere": {}, "bank": {}, "stack": {}, "calico-system": {}, "monitoring": {},
    "services": {}, "hosts": {},
}

SERVICE_ACCOUNTS = {  # "namespace/name" -> labels
    "engineering/api-service": {}, "engineering/user-auth-service": {}, "engineering/storefront": {"app": "web-frontend"},
    "engineering/intern": {"role": "intern"}, "contractors/api-service": {},
    "microblog/api": {"svc-post": "access"}, "microblog/search": {"svc-post": "access"}, "microblog/ads": {},
    "elsewhere/api": {"svc-post": "access"}, "bank/customer": {}, "bank/summary": {}, "bank/database": {},
}

DNS = [(53, "UDP"), (53, "TCP")]
HOST_PORTS = [(n, "TCP") for n in (22, 80, 2380, 6443, 8080, 9091, 9093, 10250, 12211)] + [(53, "UDP"), (8080, "UDP")]

PODS = [  # "namespace/name", node, labels, ports beside TCP 80, service account
    ("default/web", 1, {"app": "web"}, [(80, "UDP")]),
    ("default/test", 2, {}),
    ("default/apiserver", 1, {"app": "bookstore", "role": "api"}),
    ("default/frontend", 2, {"app": "bookstore", "role": "frontend"}),
    ("default/db", 1, {"app": "bookstore", "role": "db"}, [(6379, "TCP")]),
    ("default/search", 2, {"app": "bookstore", "role": "search"}),
    ("default/inventory", 1, {"app": "inventory", "role": "web"}),
    ("default/metered", 1, {"app": "apiserver"}, [(8000, "TCP"), (5000, "TCP", "api-port")]),
    ("default/monitoring", 2, {"type": "monitoring", "role": "monitoring"}),
    ("default/foo", 1, {"app": "foo"}),
    ("other/test", 1, {}), ("other/monitoring", 2, {"type": "monitoring"}),
    ("prod/test", 2, {}), ("dev/test", 2, {}),
    ("kube-system/dns", 2, {"k8s-app": "kube-dns"}, DNS), ("kube-system/other", 1, {}, DNS),

    ("production/red", 1, {"color": "red"}, [(6379, "TCP")]), ("production/blue", 2, {"color": "blue"}),
    ("production/green", 1, {"color": "green"}),
    ("circle/blue", 1, {"color": "blue"}), ("circle/green", 2, {"color": "green"}),
    ("square/blue", 2, {"color": "blue"}), ("square/red", 1, {"color": "red"}),
    ("development/one", 1, {}), ("development/two", 2, {}),
    ("engineering/db", 1, {"app": "db"}), ("engineering/api", 2, {}, [], "api-service"),
    ("engineering/auth", 1, {}, [], "user-auth-service"), ("engineering/web", 2, {}, [], "storefront"),
    ("engineering/intern-1", 1, {}, [], "intern"), ("engineering/intern-2", 2, {}, [], "intern"),
    ("contractors/api", 2, {}, [], "api-service"),
    ("microblog/post", 1, {"svc": "post"}, [(8080, "TCP")]), ("microblog/api", 2, {}, [], "api"),
    ("microblog/search", 1, {}, [], "search"), ("microblog/ads", 2, {}, [], "ads"), ("elsewhere/api", 1, {}, [], "api"),
    ("bank/customer", 1, {"app": "customer"}, [], "customer"), ("bank/summary", 2, {"app": "summary"}, [], "summary"),
    ("bank/database", 1, {"app": "database"}, [(2379, "TCP")], "database"),
    ("stack/superman", 1, {"projectcalico.org/openstack-project-name": "superman", "sg.projectcalico.org/openstack-west": ""}),
    ("stack/lexluthor", 2, {"projectcalico.org/openstack-project-name": "lexluthor"}),
    ("stack/lois", 1, {"projectcalico.org/openstack-project-name": "planet", "sg.projectcalico.org/openstack-east": ""}),
    ("calico-system/kube-controllers", 1, {"k8s-app": "calico-kube-controllers"}, [(9094, "TCP")]),
    ("calico-system/prometheus", 2, {"calico-prometheus-access": "true"}),
    ("monitoring/prometheus", 2, {"calico-prometheus-access": "true"}), ("monitoring/grafana", 2, {}),
    ("services/svc-a", 1, {"k8s-svc": "svc-a"}), ("services/svc-b", 2, {"k8s-svc": "svc-b"}),
    ("services/svc-c", 1, {"k8s-svc": "svc-c"}), ("services/client", 2, {}),
]


def objects():
    yield from (namespace(name, labels) for name, labels in NAMESPACES.items())
    for key, labels in SERVICE_ACCOUNTS.items():
        ns, name = key.split("/")
        yield {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"namespace": ns, "name": name, "labels": labels}}
    for key, node, labels, *more in PODS:
        ns, name = key.split("/")
        ports, account = (more + [[], None][len(more):])
        yield pod(ns, name, [(80, "TCP"), *ports], labels, node=f"node{node}",
                  **({"serviceAccountName": account} if account else {}))
    for node in ("node1", "node2"):
        yield pod("hosts", node, HOST_PORTS, node=node, hostNetwork=True)


def names():
    return [key for key, *_ in PODS] + ["hosts/node1", "hosts/node2"]
