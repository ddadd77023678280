"""Pods that come and go, without end, while something else is being broken."""

import itertools
import random
import threading

from cluster import Failed, pod

NAMESPACE = "churn"


class Churn:
    """A thread that keeps creating and deleting pods on both nodes."""

    def __init__(self, cluster, seed, at_most=8):
        self.cluster, self.random, self.at_most = cluster, random.Random(seed), at_most
        self.pods, self.created, self.deleted = set(), 0, 0  # names; how often
        self._names = (f"pod{i}" for i in itertools.count())
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        self._stop.set()
        self._thread.join()

    def _run(self):
        while not self._stop.is_set():
            if self.pods and (len(self.pods) >= self.at_most or self.random.random() < 0.5):
                self._delete(self.random.choice(sorted(self.pods)))
            else:
                self._create(next(self._names))

    def _create(self, name):
        node = self.random.choice(["node1", "node2"])
        labels = {"app": self.random.choice(["red", "blue"])}
        if self._insist(lambda: self.cluster.apply(pod(NAMESPACE, name, [(80, "TCP")], labels, node))):
            self.pods.add(name)
            self.created += 1

    def _delete(self, name):
        if self._insist(lambda: self.cluster.kubectl("delete", "pod", "-n", NAMESPACE, name, "--wait=false",
                                                     "--ignore-not-found")):
            self.pods.discard(name)
            self.deleted += 1

    def _insist(self, action):
        """An API server that was killed is away for a moment; what a user wants, a user asks again."""
        while True:
            try:
                action()
                return True
            except Failed:
                if self._stop.wait(0.1):
                    return False
