"""Asks a server for one object until its own input ends; prints how long each answer took, in seconds, as JSON.

Arguments: port, folder of the certificates, path.
"""

import http.client
import json
import pathlib
import select
import ssl
import sys
import time

INTERVAL = 0.02  # seconds between an answer and the next question
DEADLINE = 60


def main():
    port, pki, path = int(sys.argv[1]), pathlib.Path(sys.argv[2]), sys.argv[3]
    context = ssl.create_default_context(cafile=pki / "ca.crt")
    context.load_cert_chain(pki / "admin.crt", pki / "admin.key")
    connection = http.client.HTTPSConnection("127.0.0.1", port, context=context, timeout=DEADLINE)
    connection.connect()
    print("asking", flush=True)
    times = []
    while len(times) < 5 or not select.select([sys.stdin], [], [], INTERVAL)[0]:
        began = time.monotonic()
        connection.request("GET", path)
        response = connection.getresponse()
        response.read()
        times.append(time.monotonic() - began)
        assert response.status == 200, response.status
    print(json.dumps(times))


if __name__ == "__main__":
    main()
