"""A lab, driven as a user drives it: by `margay lab`, `margay ctl` and `kubectl`.

Environment: MARGAY, the program (default: build/release/bin/margay); KUBECTL (default: kubectl in PATH); DATAPLANE,
that of clusters which name none (default: iptables).
"""

import json
import os
import pathlib
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
MARGAY = os.path.abspath(os.environ.get("MARGAY", ROOT / "build" / "release" / "bin" / "margay"))
KUBECTL = os.environ.get("KUBECTL", "kubectl")
DATAPLANE = os.environ.get("DATAPLANE", "iptables")


class Failed(Exception):
    """A command ended with an error; the text is what it said."""


def run(*command, input=None, env=None, timeout=120, check=True):
    done = subprocess.run([str(word) for word in command], input=input, capture_output=True, text=True,
                          env=env, timeout=timeout, check=False)
    if check and done.returncode != 0:
        raise Failed(f"{' '.join(map(str, command))}: status {done.returncode}\n{done.stdout}{done.stderr}")
    return done


def wait_until(condition, what, within=30.0, pause=0.05):
    """The first true value of `condition`; a Failed exception counts as false. `what` names it when time is up."""
    deadline = time.monotonic() + within
    last = None
    while True:
        try:
            value = condition()
            if value:
                return value
            last = value
        except Failed as failure:
            last = failure
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within:.0f} s: {what}; last: {last}")
        time.sleep(pause)


class Cluster:
    def __init__(self, directory=None, nodes=2, ipv6=False, record=False, dataplane=DATAPLANE):
        self.directory = pathlib.Path(directory or tempfile.mkdtemp(prefix="margay-lab-"))
        self.nodes, self.ipv6, self.record, self.dataplane = nodes, ipv6, record, dataplane
        self.kubeconfig = self.directory / "kubeconfig"

    def __enter__(self):
        try:
            return self.up()
        except BaseException:
            self.down()
            raise

    def __exit__(self, *_):
        self.down()

    # ---- margay ---------------------------------------------------------------------------------
    def lab(self, command, *arguments, **options):
        return run(MARGAY, "lab", command, "--dir", self.directory, *arguments, **options)

    def up(self):
        flags = ["--ipv6"] * self.ipv6 + ["--record"] * self.record
        self.lab("up", "--nodes", self.nodes, "--dataplane", self.dataplane, *flags)
        return self

    def down(self):
        self.lab("down")

    def exec(self, pod, *command, **options):
        return self.lab("exec", pod, "--", *command, **options)

    def exec_command(self, pod, *command):
        """For subprocess.Popen: what runs for longer than one call."""
        return [MARGAY, "lab", "exec", "--dir", str(self.directory), pod, "--", *map(str, command)]

    def probe(self, *arguments):
        """A list of {from, to, protocol, port, ip, family, result}."""
        return json.loads(self.lab("probe", "-o", "json", *arguments).stdout)

    def ctl(self, *arguments, **options):
        return run(MARGAY, "ctl", *arguments, env=dict(os.environ, KUBECONFIG=str(self.kubeconfig)), **options)

    def pid(self, program):
        """Of "apiserver", "agent-node1", "runner-node1", ...; None while it is not running."""
        return json.loads((self.directory / "processes.json").read_text()).get(program)

    # ---- kubectl ----------------------------------------------------------------------------------
    def kubectl(self, *arguments, **options):
        return run(KUBECTL, "--kubeconfig", self.kubeconfig, *arguments, **options)

    def apply(self, *objects):
        self.kubectl("apply", "-f", "-", input=json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}))

    def get(self, *arguments):
        return json.loads(self.kubectl("get", *arguments, "-o", "json").stdout)

    def ready_pods(self):
        """ "namespace/pod" -> list of addresses, of pods that are Ready and not being deleted."""
        ready = {}
        for pod in self.get("pods", "-A")["items"]:
            status, metadata = pod.get("status", {}), pod["metadata"]
            conditions = {c["type"]: c["status"] for c in status.get("conditions", [])}
            if conditions.get("Ready") == "True" and "deletionTimestamp" not in metadata:
                ready[f"{metadata['namespace']}/{metadata['name']}"] = [ip["ip"] for ip in status["podIPs"]]
        return ready

    def wait_for_pods(self, names, within=60.0):
        wanted = set(names)
        return wait_until(lambda: (ready := self.ready_pods()) and wanted <= set(ready) and ready,
                          f"pods {sorted(wanted)} ready", within)


# ---- objects --------------------------------------------------------------------------------------
def namespace(name, labels=None):
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels or {}}}


def pod(ns, name, ports, labels=None, node=None, **spec):
    """`ports`: [(number, "TCP"), (number, "UDP", "port-name")]."""
    declared = [dict(containerPort=port[0], protocol=port[1], **({"name": port[2]} if len(port) > 2 else {}))
                for port in ports]
    spec["containers"] = [{"name": "server", "image": "margay.example/server", "ports": declared}]
    spec.setdefault("terminationGracePeriodSeconds", 0)
    if node:
        spec["nodeName"] = node
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"namespace": ns, "name": name, "labels": labels or {}},
            "spec": spec}
