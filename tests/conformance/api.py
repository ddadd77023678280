"""Objects to the lab's API server and back, over one connection: as many runs of kubectl would take most of the time."""

import base64
import http.client
import json
import ssl
import tempfile
import urllib.parse

import yaml

from cluster import Failed

PLACES = {  # kind, group: plural
    ("NetworkPolicy", "networking.k8s.io/v1"): "networkpolicies",
    ("NetworkPolicy", "projectcalico.org/v3"): "networkpolicies",
    ("GlobalNetworkPolicy", "projectcalico.org/v3"): "globalnetworkpolicies",
    ("GlobalNetworkSet", "projectcalico.org/v3"): "globalnetworksets",
    ("HostEndpoint", "projectcalico.org/v3"): "hostendpoints",
    ("FelixConfiguration", "projectcalico.org/v3"): "felixconfigurations",
    ("Namespace", "v1"): "namespaces",
    ("Pod", "v1"): "pods",
}


class Api:
    def __init__(self, kubeconfig):
        config = yaml.safe_load(kubeconfig.read_text())
        cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
        context = ssl.create_default_context(cadata=base64.b64decode(cluster["certificate-authority-data"]).decode())
        with tempfile.NamedTemporaryFile() as pair:
            pair.write(base64.b64decode(user["client-certificate-data"]) + base64.b64decode(user["client-key-data"]))
            pair.flush()
            context.load_cert_chain(pair.name)
        server = urllib.parse.urlsplit(cluster["server"])
        self.connection = http.client.HTTPSConnection(server.hostname, server.port, context=context, timeout=60)

    def request(self, method, path, body=None, kind="application/json"):
        """(status, object). The server may have ended an idle connection: then once more."""
        for last in (False, True):
            try:
                self.connection.request(method, path, json.dumps(body) if body is not None else None, {"Content-Type": kind})
                answer = self.connection.getresponse()
                return answer.status, json.loads(answer.read())
            except (http.client.HTTPException, ConnectionError):
                self.connection.close()
                if last:
                    raise

    def _expect(self, wanted, method, path, body=None, kind="application/json"):
        status, answer = self.request(method, path, body, kind)
        if status not in wanted:
            raise Failed(f"{method} {path}: {status} {answer.get('message')}")
        return answer

    @staticmethod
    def path(one, named=True):
        group, metadata = one["apiVersion"], one["metadata"]
        place = f"/namespaces/{metadata['namespace']}" if "namespace" in metadata else ""
        name = f"/{metadata['name']}" if named else ""
        return f"/{'apis' if '/' in group else 'api'}/{group}{place}/{PLACES[one['kind'], group]}{name}"

    def get(self, one):
        """None where there is none."""
        status, answer = self.request("GET", self.path(one))
        return answer if status == 200 else None

    def put(self, one):
        if there := self.get(one):
            version = {"resourceVersion": there["metadata"]["resourceVersion"]}
            self._expect([200], "PUT", self.path(one), {**one, "metadata": {**one["metadata"], **version}})
        else:
            self._expect([201], "POST", self.path(one, named=False), one)

    def delete(self, one):
        self._expect([200, 202, 404], "DELETE", self.path(one))

    def label(self, one, key, value):
        """None takes it away."""
        self._expect([200], "PATCH", self.path(one), {"metadata": {"labels": {key: value}}}, "application/merge-patch+json")
