"""A whole conversation with python-socketio, which has no recovery of its own: `python conversation.py`."""

import asyncio
import json
import os
import pathlib

import aiohttp
import socketio

ADDRESS = os.environ["STOA_E2E_ADDRESS"]
CAST = json.loads(pathlib.Path(os.environ["STOA_E2E_CAST"]).read_text())
ADA, BOB, ADMIN = CAST["people"]
ORDER, PRODUCT = CAST["order"], CAST["product"]
ROOM = "tea"
# How long anything may take before it is missed. Nothing here is about being quick.
PATIENCE = 120


def fits(actual, wanted):
    """Whether a value has all that is wanted of it; a dict may have more."""
    if not isinstance(wanted, dict):
        return actual == wanted
    return isinstance(actual, dict) and all(fits(actual.get(name), value) for name, value in wanted.items())


class Caller:
    """A client and what it hears."""

    def __init__(self, name):
        self.name, self.heard, self.offset = name, [], None
        self.news = asyncio.Condition()
        self.client = socketio.AsyncClient(reconnection=False)
        self.client.on("*", self.hear)

    async def hear(self, event, payload=None, offset=None):
        async with self.news:
            self.heard.append((event, payload, offset))
            self.offset = offset or self.offset
            self.news.notify_all()

    async def connects(self, auth, transport):
        await self.client.connect(ADDRESS, auth=auth, transports=[transport], wait_timeout=PATIENCE)

    def all(self, name, wanted=None, since=0):
        return [event for event in self.heard[since:] if event[0] == name and fits(event[1], wanted or {})]

    async def hears(self, name, wanted=None, since=0):
        try:
            async with asyncio.timeout(PATIENCE), self.news:
                await self.news.wait_for(lambda: self.all(name, wanted, since))
        except TimeoutError:
            raise AssertionError(f"in vain: {self.name} hears {name} {wanted}; the last heard: {self.heard[-8:]}") from None
        return self.all(name, wanted, since)[0]

    async def ack(self, name, payload):
        return await self.client.call(name, payload, timeout=PATIENCE)

    async def does(self, name, payload, wanted=None):
        ack = await self.ack(name, payload)
        assert fits(ack, {"ok": True, **(wanted or {})}), f"{name} {payload}: {ack}"
        return ack

    async def is_told(self, name, payload, code):
        ack = await self.ack(name, payload)
        assert fits(ack, {"ok": False, "error": {"code": code}}), f"{name} {payload}, not {code}: {ack}"
        return ack["error"]["message"]


async def rest(person, method, path, body=None):
    headers = {"Authorization": f"Bearer {person['token']}"}
    async with aiohttp.ClientSession(headers=headers) as session:
        async with session.request(method, ADDRESS + path, json=body) as answer:
            assert answer.status < 300, f"{method} {path}: {answer.status} {await answer.text()}"
            return await answer.json() if answer.status != 204 else None


async def sign_in():
    stranger = socketio.AsyncClient(reconnection=False)
    refusals = []
    stranger.on("connect_error", refusals.append)
    try:
        await stranger.connect(ADDRESS, auth={"token": "nonsense"}, transports=["websocket"], wait_timeout=PATIENCE)
        raise AssertionError("a bad token was taken")
    except socketio.exceptions.ConnectionError:
        assert refusals[0]["message"] == "Authentication error", refusals
        assert refusals[0]["data"]["code"] == "INVALID_TOKEN", refusals

    ada, bob = Caller("ada"), Caller("bob")
    await ada.connects({"token": ADA["token"]}, "websocket")
    await ada.hears("authenticated", {"userId": ADA["id"], "recovered": False})
    await bob.connects({}, "polling")
    await bob.is_told("join-room", ROOM, "NOT_AUTHENTICATED")
    await bob.is_told("authenticate", "nonsense", "INVALID_TOKEN")
    await bob.client.emit("authenticate", "nonsense")
    await bob.hears("unauthorized", {"code": "INVALID_TOKEN"})
    await bob.does("authenticate", BOB["token"])
    await bob.hears("authenticated", {"userId": BOB["id"]})
    await ada.hears("user-online", {"userId": BOB["id"]})
    return ada, bob


async def talk(ada, bob):
    await ada.does("join-room", ROOM, {"room": {"slug": ROOM}})
    await bob.does("join-room", ROOM)
    await ada.hears("member-joined", {"room": ROOM, "userId": BOB["id"]})
    draft = {"room": ROOM, "content": "Is there tea? ☕", "clientId": "first"}
    message = (await ada.does("send-message", draft))["message"]
    again = (await ada.does("send-message", draft))["message"]
    assert again["id"] == message["id"]
    answer = (await bob.does("send-message", {"room": ROOM, "content": "Yes", "replyTo": message["id"]}))["message"]
    for caller in (ada, bob):
        await caller.hears("new-message", {"id": answer["id"], "replyTo": message["id"], "room": ROOM})
        assert len(caller.all("new-message", {"id": message["id"]})) == 1, caller.heard
    await ada.does("typing-start", ROOM)
    await bob.hears("user-typing", {"userId": ADA["id"], "room": ROOM, "isTyping": True})
    await ada.does("typing-stop", ROOM)
    await bob.hears("user-typing", {"userId": ADA["id"], "room": ROOM, "isTyping": False})
    await ada.does("message-read", {"messageId": answer["id"]}, {"readSeq": answer["seq"], "unreadCount": 0})
    await bob.hears("message-read-receipt", {"messageId": answer["id"], "userId": ADA["id"], "room": ROOM})
    await bob.does("message-react", {"messageId": message["id"], "emoji": "👍"})
    await ada.hears("message-reaction", {"messageId": message["id"], "emoji": "👍", "added": True, "count": 1})
    await ada.does("message-edit", {"messageId": message["id"], "content": "Is there cake?"})
    await bob.hears("message-edited", {"id": message["id"], "content": "Is there cake?"})
    await ada.does("message-delete", {"messageId": message["id"]})
    await bob.hears("message-deleted", {"messageId": message["id"], "room": ROOM})
    assert not ada.all("user-typing")


async def make_mistakes(ada):
    await ada.is_told("make-coffee", {}, "UNKNOWN_EVENT")
    await ada.client.emit("make-coffee", {})
    await ada.hears("error", {"code": "UNKNOWN_EVENT"})
    await ada.is_told("send-message", {"room": 5}, "BAD_PAYLOAD")
    told = await ada.is_told("send_message", {"roomId": "nowhere", "message": "a"}, "NOT_IN_ROOM")
    assert told == "Not in room", told


async def shop(ada, bob):
    await ada.does("track_order", ORDER, {"orderId": ORDER, "status": "confirmed"})
    await bob.is_told("track_order", {"orderId": ORDER}, "ORDER_NOT_FOUND")
    for status in ("processing", "shipped"):
        await rest(ADMIN, "PATCH", f"/api/orders/{ORDER}/status", {"status": status})
        await ada.hears("order_status_update", {"orderId": ORDER, "status": status})
    await ada.hears("real_time_notification", {"type": "order_shipped", "data": {"orderId": ORDER}})
    quantity = (await bob.does("track_inventory", {"productId": PRODUCT}))["quantity"]
    await rest(ADMIN, "PATCH", f"/api/products/{PRODUCT}/stock", {"quantityChange": 7})
    await bob.hears("inventory_update", {"productId": PRODUCT, "quantity": quantity + 7})
    text = {"title": "Tea time", "message": "The kettle is on.", "type": "info"}
    await rest(ADMIN, "POST", "/api/admin/announcements", text)
    for caller in (ada, bob):
        await caller.hears("system_announcement", text)
    assert not bob.all("order_status_update")


async def come_back(ada, bob):
    """What was missed while away is asked for by the offset, then the room is joined again."""
    offset = ada.offset
    await ada.client.disconnect()
    for content in ("one", "two"):
        await bob.does("send-message", {"room": ROOM, "content": content})
    await rest(ADMIN, "PATCH", f"/api/orders/{ORDER}/status", {"status": "delivered"})
    back = Caller("ada again")
    await back.connects({}, "websocket")
    await back.does("authenticate", ADA["token"])
    await back.hears("authenticated", {"userId": ADA["id"], "recovered": False})
    await back.is_told("resume", {"offset": "made up"}, "BAD_OFFSET")
    await back.does("resume", {"offset": offset})
    await back.does("join-room", ROOM)
    await back.does("track_order", ORDER, {"status": "delivered"})
    await back.hears("order_status_update", {"orderId": ORDER, "status": "delivered"})
    await bob.does("send-message", {"room": ROOM, "content": "three"})
    await back.hears("new-message", {"content": "three"})
    contents = [payload["content"] for _, payload, _ in back.all("new-message")]
    assert contents == ["one", "two", "three"], contents
    return back


async def part(ada, bob):
    await ada.client.disconnect()
    await bob.hears("user-offline", {"userId": ADA["id"]})
    await bob.client.disconnect()


async def main():
    ada, bob = await sign_in()
    await talk(ada, bob)
    await make_mistakes(ada)
    await shop(ada, bob)
    back = await come_back(ada, bob)
    await part(back, bob)
    print("played to the end")


asyncio.run(main())
