"""Does to a standalone OpenStack Ironic what the benchmark does to xcat3, and prints the times as JSON.

Ironic has no request on many nodes, so each step is one request a node (two to enrol a node with its
port), eight in flight over kept-open connections. A step ends when the last node has the wanted
state, not when the last request was answered. Who is told 409 (locked) or 503 (no free worker) asks
again a moment later, sooner than Ironic's own client would.
"""

import asyncio
import json
import sys
import time

import aiohttp
import uvloop

IN_FLIGHT = 8
ASK_AGAIN_S = 0.1
LOOK_AGAIN_S = 0.2
PATIENCE_S = 1800
HEADERS = {"X-OpenStack-Ironic-API-Version": "latest"}


class Load:
    def __init__(self, session, url, count):
        self.session = session
        self.url = url
        self.count = count
        self.nodes = []
        self.requests = 0
        self.repeated = 0

    async def request(self, method, path, body=None):
        while True:
            self.requests += 1
            async with self.session.request(
                method, self.url + path, json=body, headers=HEADERS
            ) as response:
                text = await response.text()
                if response.status in (409, 503):
                    self.repeated += 1
                    await asyncio.sleep(ASK_AGAIN_S)
                    continue
                if response.status >= 300:
                    raise RuntimeError(f"{method} {path}: {response.status} {text[:300]}")
                return json.loads(text) if text else None

    async def each(self, things, work):
        waiting = iter(things)

        async def worker():
            for thing in waiting:
                await work(thing)

        await asyncio.gather(*(worker() for _ in range(IN_FLIGHT)))

    async def pages(self, path):
        found = []
        while path:
            answer = await self.request("GET", path)
            found += answer["nodes"]
            following = answer.get("next")
            path = following[len(self.url):] if following else None
        return found

    async def until(self, field, value):
        deadline = time.monotonic() + PATIENCE_S
        path = f"/v1/nodes?fields=uuid,{field}&limit=10000"
        while True:
            nodes = await self.pages(path)
            done = sum(node[field] == value for node in nodes)
            if done == self.count:
                return
            if time.monotonic() > deadline:
                raise RuntimeError(f"{done} of {self.count} nodes have {field} {value}")
            await asyncio.sleep(LOOK_AGAIN_S)

    async def enrol(self):
        async def one(number):
            body = {"driver": "fake-hardware", "name": f"n{number}"}
            node = await self.request("POST", "/v1/nodes", body)
            mac = "52:54:" + ":".join(f"{byte:02x}" for byte in number.to_bytes(4, "big"))
            port = {"address": mac, "node_uuid": node["uuid"]}
            await self.request("POST", "/v1/ports", port)
            self.nodes.append(node["uuid"])

        await self.each(range(1, self.count + 1), one)

    async def provision(self, target, state):
        async def one(node):
            path = f"/v1/nodes/{node}/states/provision"
            await self.request("PUT", path, {"target": target})

        await self.each(self.nodes, one)
        await self.until("provision_state", state)

    async def update(self):
        patch = [{"op": "add", "path": "/extra/kind", "value": "bench"}]
        await self.each(
            self.nodes, lambda node: self.request("PATCH", f"/v1/nodes/{node}", patch)
        )

    async def power_on(self):
        async def one(node):
            path = f"/v1/nodes/{node}/states/power"
            await self.request("PUT", path, {"target": "power on"})

        await self.each(self.nodes, one)
        await self.until("power_state", "power on")

    async def power_status(self):
        async def one(node):
            states = await self.request("GET", f"/v1/nodes/{node}/states")
            assert states["power_state"] == "power on", states

        await self.each(self.nodes, one)

    async def delete(self):
        await self.each(
            self.nodes, lambda node: self.request("DELETE", f"/v1/nodes/{node}")
        )

    async def listed(self, path):
        nodes = await self.pages(path)
        assert len(nodes) == self.count, len(nodes)

    async def run(self):
        steps = [
            ("enrol with a port", self.enrol),
            ("manage", lambda: self.provision("manage", "manageable")),
            ("provide", lambda: self.provision("provide", "available")),
            ("list names", lambda: self.listed("/v1/nodes?fields=name&limit=10000")),
            ("details", lambda: self.listed("/v1/nodes/detail?limit=10000")),
            ("update", self.update),
            ("power on", self.power_on),
            ("power status", self.power_status),
            ("deploy", lambda: self.provision("active", "active")),
            ("undeploy", lambda: self.provision("deleted", "available")),
            ("delete", self.delete),
        ]
        measured = []
        for name, work in steps:
            self.requests = self.repeated = 0
            started = time.monotonic()
            await work()
            measured.append(
                {
                    "step": name,
                    "seconds": time.monotonic() - started,
                    "requests": self.requests,
                    "repeated": self.repeated,
                }
            )
            print(f"  Ironic, {self.count} nodes, {measured[-1]}", file=sys.stderr)
        return measured


async def main(url, counts):
    runs = []
    timeout = aiohttp.ClientTimeout(total=300)
    connector = aiohttp.TCPConnector(limit=IN_FLIGHT)
    async with aiohttp.ClientSession(timeout=timeout, connector=connector) as session:
        for count in counts:
            load = Load(session, url, count)
            runs.append({"nodes": count, "steps": await load.run()})
    print(json.dumps(runs))


uvloop.run(main(sys.argv[1], [int(count) for count in sys.argv[2:]]))
