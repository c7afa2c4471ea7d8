"""The real channels_redis doing what the benchmark asks of Sophie: one process sends to groups, one has the consumers.

Usage: channels_redis_side.py LAYER REDIS_URL GROUPS CONSUMERS MESSAGES PACE. Prints one JSON object.
"""

import asyncio
import json
import os
import resource
import sys
import time

import redis

LAYER, URL, GROUPS, CONSUMERS, MESSAGES, PACE = sys.argv[1], sys.argv[2], *map(int, sys.argv[3:6]), float(sys.argv[6])
TEXT = "x" * 60


def layer():
    # socket_timeout: redis-py 8 gives up idle consumers after 5 s otherwise.
    host = {"address": URL, "socket_timeout": None}
    if LAYER == "core":
        from channels_redis.core import RedisChannelLayer

        return RedisChannelLayer(hosts=[host], capacity=1_000_000)
    from channels_redis.pubsub import RedisPubSubChannelLayer

    return RedisPubSubChannelLayer(hosts=[host])


def cpu():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


async def consume(latencies):
    mine = layer()
    channels = [await mine.new_channel() for _ in range(CONSUMERS)]
    for group in range(GROUPS):
        for channel in channels:
            await mine.group_add(f"g{group}", channel)
    print("ready", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
    before, began = cpu(), time.time()

    async def one(channel):
        for _ in range(MESSAGES):
            message = await mine.receive(channel)
            latencies.append(time.time() - message["at"])

    await asyncio.gather(*map(one, channels))
    print(json.dumps({"cpu": cpu() - before, "until": time.time(), "since": began, "latencies": percentiles(latencies)}), flush=True)


def percentiles(values):
    values = sorted(values)
    return [round(1000 * values[int(len(values) * share)], 3) for share in (0.5, 0.99)]


async def send():
    mine = layer()
    await mine.group_send("nobody", {"type": "x"})
    before, began = cpu(), time.time()
    for number in range(MESSAGES):
        if PACE:
            await asyncio.sleep(max(0, began + number / PACE - time.time()))
        await mine.group_send(f"g{number % GROUPS}", {"type": "chat.message", "text": TEXT, "at": time.time()})
    return {"cpu": cpu() - before, "since": began}


def main():
    reading, writing = os.pipe(), os.pipe()
    child = os.fork()
    if child == 0:
        os.dup2(writing[0], 0)
        os.dup2(reading[1], 1)
        os.close(reading[0])
        os.close(writing[1])
        sys.stdin, sys.stdout = os.fdopen(0), os.fdopen(1, "w")
        asyncio.run(consume([]))
        os._exit(0)
    os.close(reading[1])
    from_child = os.fdopen(reading[0])
    assert from_child.readline().strip() == "ready"
    server = redis.Redis.from_url(URL)
    before = server.info("all")
    os.write(writing[1], b"\n")
    sent = asyncio.run(send())
    received = json.loads(from_child.readline())
    after = server.info("all")
    calls = sum(row["calls"] for name, row in after.items() if name.startswith("cmdstat_"))
    calls -= sum(row["calls"] for name, row in before.items() if name.startswith("cmdstat_"))
    redis_cpu = sum(after[name] - before[name] for name in ("used_cpu_user", "used_cpu_sys"))
    print(json.dumps({
        "sender_ms": 1000 * sent["cpu"] / MESSAGES,
        "receiver_ms": 1000 * received["cpu"] / MESSAGES,
        "redis_ms": 1000 * redis_cpu / MESSAGES,
        "redis_calls": calls / MESSAGES,
        "redis_reads": (after["total_reads_processed"] - before["total_reads_processed"]) / MESSAGES,
        "deliveries_per_second": MESSAGES * CONSUMERS / (received["until"] - sent["since"]),
        "p50_ms": received["latencies"][0],
        "p99_ms": received["latencies"][1],
    }))


main()
