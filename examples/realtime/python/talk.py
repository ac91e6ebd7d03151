"""The same in Python: `python talk.py <name> [room]`. STOA is the server's address."""

import asyncio
import os
import sys
import uuid

import aiohttp
import socketio

NAME, ROOM = [*sys.argv[1:], *["ada", "tea-lovers"][len(sys.argv) - 1 :]]
STOA = os.environ.get("STOA", "http://localhost:5000")

client = socketio.AsyncClient()
user, token = None, None
# What it takes to come back: the offset of what was heard last.
offset, last_seq, tracked = None, 0, {}
here = asyncio.Event()


async def rest(method, path, body=None):
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    async with aiohttp.ClientSession(STOA, headers=headers) as session:
        async with session.request(method, path, json=body) as answer:
            return answer.status, await answer.json()


async def sign_in():
    """Whoever is new here signs up, whoever is not signs in."""
    global user, token
    credentials = {"email": f"{NAME}@example.com", "password": "Talk-And-Buy-1"}
    status, session = await rest("POST", "/api/auth/register", {**credentials, "name": NAME})
    if status == 409:
        status, session = await rest("POST", "/api/auth/login", credentials)
    if status >= 300:
        sys.exit(session["detail"])
    user, token = session["user"], session["accessToken"]


def show(message):
    global last_seq
    if message["seq"] > last_seq:
        last_seq = message["seq"]
        if message["sender"]["id"] != user["id"]:
            print(f"{message['sender']['name']}: {message['content']}", flush=True)


@client.on("*")
async def hear(event, payload=None, heard=None):
    global offset
    offset = heard or offset
    if event == "new-message" and payload["room"] == ROOM:
        show(payload)
    elif event == "member-joined":
        print(f"* {payload['person']['name']} came in", flush=True)
    elif event == "order_status_update":
        print(f"* order {payload['orderId']} is {payload['status']}", flush=True)
    elif event == "inventory_update":
        print(f"* {payload['quantity']} of {payload['productId']} are left", flush=True)
    elif event in ("real_time_notification", "system_announcement"):
        print(f"* {payload['title']}: {payload['message']}", flush=True)


@client.event
async def connect():
    """Back again, say what was heard last, then join and track as before: what was missed comes first."""
    client.start_background_task(arrive)


async def arrive():
    if offset:
        ack = await client.call("resume", {"offset": offset})
        if ack.get("recovered"):
            print("* back, nothing is lost", flush=True)
    ack = await client.call("join-room", ROOM)
    print(f"* you are in {ROOM}" if ack["ok"] else f"* {ack['error']['message']}", flush=True)
    for thing, event in tracked.items():
        await client.call(event, thing)
    _, messages = await rest("GET", f"/api/messages?room={ROOM}&after={last_seq}")
    for message in messages["data"]:
        show(message)
    here.set()


@client.event
async def disconnect(reason):
    here.clear()
    print("* the line is gone", flush=True)


async def ask(event, payload):
    """Sends until it is answered: what was lost with the line is sent again."""
    while True:
        await here.wait()
        try:
            return await client.call(event, payload, timeout=10)
        except (socketio.exceptions.BadNamespaceError, socketio.exceptions.TimeoutError):
            await asyncio.sleep(0.3)


async def obey(line):
    command, _, argument = line.partition(" ")
    if command == "/buy":
        _, products = await rest("GET", "/api/products?inStock=true&sortBy=price&limit=1")
        product = products["data"][0]
        await rest("POST", "/api/cart/items", {"productId": product["id"], "quantity": 1})
        address = {"fullName": NAME, "street": "1 Quay", "city": "Oslo", "state": "", "zipCode": "0150", "country": "NO", "phone": "+47 1"}
        _, order = await rest("POST", "/api/orders", {"shippingAddress": address, "paymentMethod": "pm_card_visa"})
        tracked[order["id"]] = "track_order"
        ack = await ask("track_order", order["id"])
        print(f"* you bought {product['name']}; order {order['id']} is {ack['status']}", flush=True)
    elif command == "/stock":
        tracked[argument] = "track_inventory"
        ack = await ask("track_inventory", argument)
        print(f"* there are {ack['quantity']}" if ack["ok"] else f"* {ack['error']['message']}", flush=True)
    else:
        # Under the same clientId it is said once, however often it is sent.
        ack = await ask("send-message", {"room": ROOM, "content": line, "clientId": str(uuid.uuid4())})
        print("  (said)" if ack["ok"] else f"* {ack['error']['message']}", flush=True)


async def main():
    await sign_in()
    await client.connect(STOA, auth={"token": token})
    tasks = set()
    while line := await asyncio.to_thread(sys.stdin.readline):
        tasks.add(asyncio.create_task(obey(line.rstrip("\n"))))
    await client.disconnect()


asyncio.run(main())
