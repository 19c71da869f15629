"""How many steps of live streams `carousel serve` takes, and how long each waits: loopback only.

    python benchmarks/serve_load.py [engine] [frames] [sessions] [connections] [restart]
                                    [workers] [others] [--seconds 5]
    python benchmarks/serve_load.py soak [--soak 600]

Client and server are two processes on this machine; every part is bounded by --seconds. The model
is an LSTM of 64 units on 8 features with three classes, weights at random: an answer is the
probabilities of the classes. docs/serve.md has what was measured.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

import msgpack
import numpy as np

FEATURES, UNITS, CLASSES = 8, 64, 3
PARTS = ("engine", "frames", "sessions", "connections", "restart", "workers", "others")


def save_model(folder: Path) -> None:
    import torch

    from carousel import bundle, tasks
    from carousel.recipes import load

    settings = [f"model.hidden_size={UNITS}", "model.cell=lstm", "model.bidirectional=false",
                "model.num_layers=1", "frames.differences=false"]  # fmt: skip
    config = load("frames-gesture")[0].override(settings)
    torch.manual_seed(0)
    scaler = {"mean": [0.0] * FEATURES, "std": [1.0] * FEATURES}
    facts = {"classes": ["a", "b", "c"], "scaler": scaler}
    bundle.save(tasks.find("label_frames").trained.restore(config, facts), folder / "model")


@contextmanager
def server(folder: Path, *options: str):
    command = [sys.executable, "-m", "carousel", "serve", f"m={folder}", "--port", "0", *options]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    line = process.stdout.readline()
    try:
        yield process, next(word for word in line.split() if word.startswith("http")).rstrip("/")
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        process.wait(30)


def memory_of(process) -> float:
    """Resident megabytes."""
    text = Path(f"/proc/{process.pid}/status").read_text()
    return int(text.partition("VmRSS:")[2].split()[0]) / 1024


def cpu_of(process) -> float:
    """Seconds of processors that a process has used: what the machine does besides is not in it."""
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def show(name: str, **figures: float) -> None:
    print(json.dumps({"part": name, **{k: round(v, 4) for k, v in figures.items()}}), flush=True)


# ---- the engine alone


def engine(folder: Path, seconds: float) -> None:
    from carousel import runtime
    from carousel.serve.engine import Engine
    from carousel.serve.scheduler import Limits

    model = runtime.load(folder)
    streams = runtime.Streams(model, 10_000)
    driven = Engine(streams, Limits(rows=1000, max_wait=0))
    draw = np.random.default_rng(0)
    slots = draw.permutation(10_000)[:1000]
    x = draw.standard_normal((1000, 1, FEATURES))
    alone, whole = [], []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        inputs = streams.read(slots, x)
        begin = time.perf_counter()
        streams.step(slots, inputs)
        middle = time.perf_counter()
        driven.submit(slots, inputs, lambda group: group.answers)
        driven.turn()
        alone.append(middle - begin)
        whole.append(time.perf_counter() - middle)
    over = [b - a for a, b in zip(alone, whole, strict=True)]
    show("engine", steps_per_second=1000 / statistics.median(whole), best=1000 / min(whole),
         scheduler_us_per_step=statistics.median(over) * 1e3)  # fmt: skip


# ---- over WebSockets


def frame(number: int, handles: bytes, values: bytes) -> bytes:
    return msgpack.packb({"op": "steps", "id": number, "handles": handles, "values": values})


async def opened(url: str, names: list[str]):
    from websockets.asyncio.client import connect

    address = url.replace("http", "ws", 1) + "/v1/models/m/socket"
    line = await connect(address, compression=None, max_size=None, proxy=None, ping_interval=None)
    await line.send(msgpack.packb({"op": "open", "id": 0, "streams": names}))
    told = msgpack.unpackb(await line.recv())
    assert "error" not in told, told
    return line, np.arange(told["first"], told["first"] + told["count"], dtype="<u4").tobytes()


async def pushed(url: str, streams: int, connections: int, seconds: float) -> float:
    """Steps a second of as many frames as come through, four under way on each connection."""
    lines = [await opened(url, [f"p{c}-{n}" for n in range(streams)]) for c in range(connections)]
    values = np.random.default_rng(0).standard_normal((streams, FEATURES)).astype("<f4").tobytes()
    end, count = time.monotonic() + seconds, 0

    async def one(line, handles):
        nonlocal count
        for number in range(4):
            await line.send(frame(number, handles, values))
        while time.monotonic() < end:
            told = msgpack.unpackb(await line.recv())
            assert "error" not in told, told
            count += streams
            await line.send(frame(9, handles, values))
        for _ in range(4):
            await line.recv()

    begin = time.monotonic()
    await asyncio.gather(*(one(*line) for line in lines))
    taken = time.monotonic() - begin
    for line, _ in lines:
        await line.close()
    return count / taken


async def paced(url: str, connections: int, streams: int, period: float, seconds: float):
    """A frame of all its streams on each connection every so often; latencies in seconds."""
    lines = []
    for c in range(connections):
        lines.append(await opened(url, [f"c{c}-{n}" for n in range(streams)]))
    values = np.random.default_rng(0).standard_normal((streams, FEATURES)).astype("<f4").tobytes()
    latencies, lost = [], 0

    async def one(place, line, handles):
        nonlocal lost
        sent = {}

        async def reading():
            async for content in line:
                told = msgpack.unpackb(content)
                assert "error" not in told, told
                latencies.append(time.perf_counter() - sent.pop(told["id"]))

        reader = asyncio.create_task(reading())
        begin = time.monotonic() + 0.5 + period * place / connections
        for number in range(int(seconds / period)):
            await asyncio.sleep(max(0, begin + number * period - time.monotonic()))
            sent[number] = time.perf_counter()
            await line.send(frame(number, handles, values))
        for _ in range(100):
            if not sent:
                break
            await asyncio.sleep(0.02)
        lost += len(sent)
        reader.cancel()

    await asyncio.gather(*(one(place, *line) for place, line in enumerate(lines)))
    for line, _ in lines:
        await line.close()
    return latencies, lost


def told(name: str, latencies: list[float], lost: int, **more: float) -> None:
    ranked = np.sort(latencies) * 1000
    show(name, p50_ms=float(np.quantile(ranked, 0.5)), p99_ms=float(np.quantile(ranked, 0.99)),
         most_ms=float(ranked[-1]), frames=len(ranked), lost=lost, **more)  # fmt: skip


def frames(folder: Path, seconds: float) -> None:
    with server(folder) as (process, url):
        for streams, connections in ((1000, 2), (100, 8), (10, 8), (1, 8)):
            used = cpu_of(process)
            rate = asyncio.run(pushed(url, streams, connections, seconds))
            show("frames", streams_a_frame=streams, connections=connections, steps_per_second=rate,
                 steps_per_cpu_second=rate * seconds / (cpu_of(process) - used))  # fmt: skip


def sessions(folder: Path, seconds: float) -> None:
    with server(folder) as (process, url):
        before = memory_of(process)
        used = cpu_of(process)
        found, lost = asyncio.run(paced(url, 100, 100, 0.1, seconds))
        kilobytes = (memory_of(process) - before) * 1024 / 10_000
        share = (cpu_of(process) - used) / seconds
        told("sessions", found, lost, kilobytes_a_session=kilobytes, server_cpus=share)


def workers(folder: Path, seconds: float) -> None:
    """One process and two that share the port, in turns; a connection goes to one of them by a
    hash of its addresses, so that there are many."""
    with server(folder) as one, server(folder, "--workers", "2") as two:
        for streams in (1, 100):
            counts: dict[str, list[float]] = {"1": [], "2": []}
            for _ in range(3):
                for name, (_, url) in (("1", one), ("2", two)):
                    counts[name].append(asyncio.run(pushed(url, streams, 32, seconds / 3)))
            show("workers", streams_a_frame=streams, connections=32,
                 **{f"steps_per_second_{k}": statistics.median(v)
                    for k, v in counts.items()})  # fmt: skip


def connections(folder: Path, seconds: float) -> None:
    seconds = max(seconds, 3)
    with server(folder) as (process, url):
        found, lost = asyncio.run(paced(url, 2000, 1, 1.0, seconds))
        told("connections", found, lost, server_cpus=cpu_of(process) / seconds)


# ---- for long


async def churning(url: str, part: int, seconds: float) -> int:
    """Streams that come, take numbered steps, and go, over connections that come and go, too.
    Returns how many steps were answered."""
    end, count, round_ = time.monotonic() + seconds, 0, 0
    draw = np.random.default_rng(0)
    while time.monotonic() < end:
        round_ += 1
        names = [f"r{part}-{round_}-{n}" for n in range(500)]
        line, _ = await opened(url, names)
        for number in range(20):
            values = draw.standard_normal((500, FEATURES)).astype("<f4").tobytes()
            handles = np.arange(500, dtype="<u4").tobytes()
            numbers = np.full(500, number, "<i8").tobytes()
            await line.send(msgpack.packb({"op": "steps", "id": number, "handles": handles,
                                           "values": values, "numbers": numbers}))  # fmt: skip
            told = msgpack.unpackb(await line.recv())
            assert "error" not in told, told
            count += 500
        if round_ % 4:  # each fourth time they stay, and its client vanishes
            await line.send(msgpack.packb({"op": "close", "id": 0, "streams": names}))
            await line.recv()
            await line.close()
        else:
            line.transport.abort()
    return count


def soak(folder: Path, seconds: float) -> None:
    """Memory every so often under streams that come and go, with snapshots: --soak seconds long."""
    options = ("--state", str(folder / "soak.sqlite"), "--snapshot", "1", "--idle", "20")
    parts, count = 10, 0
    with server(folder, *options) as (process, url):
        asyncio.run(
            churning(url, -1, min(30, seconds))
        )  # until what is kept of idle ones is constant
        first = memory_of(process)
        for part in range(parts):
            count += asyncio.run(churning(url, part, seconds / parts))
            show("soak", minutes=(part + 1) * seconds / parts / 60, megabytes=memory_of(process),
                 more_than_first=memory_of(process) - first, steps=count)  # fmt: skip


# ---- after a SIGKILL


def restart(folder: Path, seconds: float) -> None:
    from carousel.client import Client

    options = ("--state", str(folder / "states.sqlite"), "--snapshot", "0.2")
    names = [f"s{n}" for n in range(10_000)]
    x = np.random.default_rng(0).standard_normal((10_000, 2, FEATURES))
    with server(folder, *options) as (process, url):
        with Client(url) as client, client.socket("m") as socket:
            handles = socket.open(names)
            socket.steps(handles, x[:, :1], np.zeros(10_000))
        time.sleep(3)  # until the snapshot is written
        process.kill()
        process.wait()
    begin = time.monotonic()
    with server(folder, *options) as (_, url):
        ready = time.monotonic() - begin
        with Client(url) as client, client.socket("m") as socket:
            handles = socket.open(names)
            assert socket.taken == [1] * 10_000
            second = socket.steps(handles, x[:, 1:], np.ones(10_000))
    from carousel import runtime

    wanted = runtime.load(folder).predict(x)[:, 1:]
    show("restart", seconds_until_ready=ready, same_bits=float(np.array_equal(second, wanted)))


# ---- what people write today: FastAPI, ONNX Runtime and a dictionary of states

OTHER = """
import sys
import numpy as np, onnxruntime, uvicorn
from fastapi import FastAPI, Request, WebSocket
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
network = onnxruntime.InferenceSession(sys.argv[1], options)
states, app = {}, FastAPI()
def stepped(name, values):
    zero = np.zeros((1, 1, UNITS), np.float32)
    h, c = states.get(name, (zero, zero))
    x = np.array(values, np.float32).reshape(1, 1, -1)
    y, h, c = network.run(None, {"x": x, "h": h, "c": c})
    states[name] = h, c
    return y.ravel().tolist()
@app.websocket("/socket")
async def socket(line: WebSocket):
    await line.accept()
    while True:
        for name, values in (await line.receive_json()).items():
            await line.send_json({name: stepped(name, values)})
@app.post("/streams/{name}/steps")
async def steps(name: str, request: Request):
    return {"answers": [stepped(name, one) for one in (await request.json())["steps"]]}
uvicorn.run(app, port=int(sys.argv[2]), log_level="error")
"""


def write_onnx(path: Path) -> None:
    import onnx
    from onnx import TensorProto as P
    from onnx import helper, numpy_helper

    draw = np.random.default_rng(0)

    def kept(name, *shape):
        return numpy_helper.from_array((0.1 * draw.standard_normal(shape)).astype("f4"), name)

    weights = [kept("W", 1, 4 * UNITS, FEATURES), kept("R", 1, 4 * UNITS, UNITS),
               kept("B", 1, 8 * UNITS), kept("V", UNITS, CLASSES)]  # fmt: skip
    nodes = [
        helper.make_node("LSTM", ["x", "W", "R", "B", "", "h", "c"], ["", "hn", "cn"],
                         hidden_size=UNITS),
        helper.make_node("MatMul", ["hn", "V"], ["z"]),
        helper.make_node("Softmax", ["z"], ["y"], axis=-1),
    ]  # fmt: skip
    shapes = {"x": [1, 1, FEATURES], "h": [1, 1, UNITS], "c": [1, 1, UNITS]}
    outputs = {"y": [1, 1, CLASSES], "hn": [1, 1, UNITS], "cn": [1, 1, UNITS]}
    graph = helper.make_graph(
        nodes, "lstm",
        [helper.make_tensor_value_info(n, P.FLOAT, s) for n, s in shapes.items()],
        [helper.make_tensor_value_info(n, P.FLOAT, s) for n, s in outputs.items()], weights,
    )  # fmt: skip
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), path)


async def others_pushed(address: str, ours: bool, seconds: float) -> int:
    """Steps taken of 8 connections with 16 streams each, a step in each message of JSON."""
    from websockets.asyncio.client import connect

    end, count = time.monotonic() + seconds, 0
    values = [0.1] * FEATURES

    async def one(place):
        nonlocal count
        async with connect(address, compression=None, proxy=None) as line:
            asked = [
                json.dumps({"op": "steps", "stream": name, "steps": [values]} if ours
                           else {name: values})
                for name in (f"o{place}-{n}" for n in range(16))
            ]  # fmt: skip
            for each in asked:
                await line.send(each)
            while time.monotonic() < end:
                json.loads(await line.recv())
                await line.send(asked[count % 16])
                count += 1

    await asyncio.gather(*(one(place) for place in range(8)))
    return count


async def others_posted(url: str, path: str, connections: int, seconds: float) -> int:
    """Steps taken by requests of HTTP, a step in each, one under way on each connection."""
    end, count = time.monotonic() + seconds, 0
    body = json.dumps({"steps": [[0.1] * FEATURES]}).encode()
    port = int(url.rpartition(":")[2])

    async def one(place):
        nonlocal count
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        head = (f"POST {path.format(f'h{place}')} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: "
                f"application/json\r\nContent-Length: {len(body)}\r\n\r\n").encode()  # fmt: skip
        while time.monotonic() < end:
            writer.write(head + body)
            found = await reader.readuntil(b"\r\n\r\n")
            assert b" 200 " in found[:20], found
            size = found.lower().partition(b"content-length:")[2].split()[0]
            await reader.readexactly(int(size))
            count += 1
        writer.close()

    await asyncio.gather(*(one(place) for place in range(connections)))
    return count


def others(folder: Path, seconds: float) -> None:
    write_onnx(folder / "lstm.onnx")
    (folder / "other.py").write_text(OTHER.replace("UNITS", str(UNITS)))
    port = 18_766
    command = [sys.executable, folder / "other.py", folder / "lstm.onnx", str(port)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    quiet = subprocess.DEVNULL  # it complains of clients that go
    process = subprocess.Popen(command, env=environment, stderr=quiet)
    try:
        time.sleep(4)
        with server(folder) as (own, url):
            address = url.replace("http", "ws", 1) + "/v1/models/m/socket"
            other = f"ws://127.0.0.1:{port}/socket"
            posted = "/v1/models/m/streams/{}/steps"
            counts = {}
            for _ in range(3):  # interleaved
                for name, at, one in (("theirs", other, process), ("ours", address, own)):
                    used = cpu_of(one)
                    count = asyncio.run(others_pushed(at, name == "ours", seconds / 3))
                    counts.setdefault(f"{name}, WebSocket", []).append(
                        (count * 3 / seconds, count / (cpu_of(one) - used))
                    )
                for lines in (1, 16):
                    for name, at, path, one in (
                        ("theirs", f"http://127.0.0.1:{port}", "/streams/{}/steps", process),
                        ("ours", url, posted, own),
                    ):
                        used = cpu_of(one)
                        count = asyncio.run(others_posted(at, path, lines, seconds / 3))
                        counts.setdefault(f"{name}, HTTP, {lines} connections", []).append(
                            (count * 3 / seconds, count / (cpu_of(one) - used))
                        )
    finally:
        process.terminate()
        process.wait()
    for name, found in counts.items():
        rates, shares = zip(*found, strict=True)
        show(f"others: {name}", steps_per_second=statistics.median(rates),
             steps_per_cpu_second=statistics.median(shares))  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("parts", nargs="*", default=[])
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--soak", type=float, default=600.0, help="seconds of the part soak")
    given = parser.parse_args()
    chosen, known = given.parts or list(PARTS), [*PARTS, "soak"]
    if unknown := set(chosen) - set(known):
        parser.error(f"there is no part {', '.join(sorted(unknown))}: there are {', '.join(known)}")
    with tempfile.TemporaryDirectory() as folder:
        save_model(Path(folder))
        for part in chosen:
            globals()[part](Path(folder), given.soak if part == "soak" else given.seconds)


if __name__ == "__main__":
    main()
