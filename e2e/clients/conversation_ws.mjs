// A whole conversation over plain WebSocket: `node conversation_ws.mjs`.
import assert from "node:assert";
import { once } from "node:events";
import { Ear, fits, inTime } from "./ear.mjs";
import { WebSocket } from "./packages.mjs";
import { address, play, readCast } from "./person.mjs";

const { people, order, product } = readCast();
const [ada, bob, admin] = people;
const base = address.replace("http", "ws");
const roomId = "tea";

/** A socket and what it hears. */
class Caller {
  constructor(name, path, protocols = []) {
    this.ear = new Ear(name);
    this.socket = new WebSocket(`${base}${path}`, protocols);
    this.socket.on("message", (data) => this.hear(JSON.parse(data)));
    this.closed = new Promise((resolve) => this.socket.once("close", resolve));
    this.refused = new Promise((resolve) => this.socket.once("error", resolve));
    this.acks = 0;
  }

  hear({ type, id, payload, offset, ...rest }) {
    assert.deepStrictEqual(rest, {}, "a frame has type, payload and perhaps id and offset");
    this.ear.note(type, id === undefined ? payload : { id, ...payload }, offset);
  }

  async opens() {
    await inTime(once(this.socket, "open"), () => `${this.ear.name} connects`);
    return this;
  }

  send(type, payload) {
    this.socket.send(JSON.stringify({ type, payload }));
  }

  async ack(type, payload) {
    this.acks += 1;
    const id = this.acks % 2 === 0 ? this.acks : `ack ${this.acks}`;
    this.socket.send(JSON.stringify({ type, payload, id }));
    const { payload: ack } = await this.ear.hears("ack", { id });
    return ack;
  }

  async does(type, payload, wanted = {}) {
    const ack = await this.ack(type, payload);
    assert.ok(fits(ack, { ok: true, ...wanted }), `${type} ${JSON.stringify(payload)}: ${JSON.stringify(ack)}`);
    return ack;
  }

  async isTold(type, payload, code) {
    const ack = await this.ack(type, payload);
    assert.ok(fits(ack, { ok: false, error: { code } }), `${type}, not ${code}: ${JSON.stringify(ack)}`);
    return ack.error.message;
  }

  async closes(code) {
    assert.strictEqual(await inTime(this.closed, () => `${this.ear.name} is closed`), code, this.ear.name);
  }

  async leaves() {
    this.socket.close(1000);
    await inTime(this.closed, () => `${this.ear.name} leaves`);
  }
}

async function badTokensAreRefused() {
  await new Caller("a stranger", "/ws?token=nonsense").closes(1008);
  await new Caller("a stranger by protocol", "/ws", ["stoa", "bearer.nonsense"]).closes(1008);
  const late = await new Caller("a stranger by frame", "/ws").opens();
  late.send("authenticate", { token: "nonsense" });
  await late.closes(1008);
}

async function everybodySignsInTheirWay() {
  const a = new Caller("ada", `/ws?token=${ada.token}`);
  await a.ear.hears("authenticated", { userId: ada.id, recovered: false, session: (session) => session.length > 20 });
  const b = new Caller("bob", "/ws", ["stoa", `bearer.${bob.token}`]);
  await b.ear.hears("authenticated", { userId: bob.id });
  assert.strictEqual(b.socket.protocol, "stoa");
  const third = await new Caller("ada by frame", "/").opens();
  await third.isTold("join_room", { roomId }, "NOT_AUTHENTICATED");
  third.send("authenticate", { token: ada.token });
  await third.ear.hears("authenticated", { userId: ada.id });
  const root = new Caller("ada at the root", `/?token=${ada.token}`);
  await root.ear.hears("authenticated", { userId: ada.id });
  for (const caller of [third, root]) await caller.leaves();
  return [a, b];
}

async function theyTalk(a, b) {
  const { room } = await a.does("join_room", { roomId }, { room: { slug: roomId } });
  await a.ear.hears("user_joined", { userId: ada.id, roomId });
  await b.does("join_room", roomId, { room: { id: room.id } });
  for (const { ear } of [a, b]) await ear.hears("user_joined", { userId: bob.id, roomId });

  const draft = { roomId, message: "Is there <b>tea</b>? ☕", clientId: "first" };
  const { message } = await a.does("send_message", draft, { message: { content: draft.message } });
  const heard = { id: message.id, seq: message.seq, userId: ada.id, roomId, message: draft.message, clientId: "first" };
  for (const { ear } of [a, b]) await ear.hears("message", heard);
  await a.does("send_message", draft, { message: { id: message.id } });
  b.send("send_message", { roomId, message: "Yes" });
  for (const { ear } of [a, b]) await ear.hears("message", { message: "Yes", seq: message.seq + 1 });
  assert.strictEqual(a.ear.all("message", { id: message.id }).length, 1, "sent again, it is said once");
  return message;
}

async function theySeeEachOther(a, b, message) {
  const { id, seq } = message;
  await a.does("typing", { roomId, isTyping: true });
  await b.ear.hears("typing", { userId: ada.id, roomId, isTyping: true });
  await a.does("typing", { roomId, isTyping: false });
  await b.ear.hears("typing", { userId: ada.id, roomId, isTyping: false });
  await bob.does("POST", `/api/messages/${id}/react`, { emoji: "👍" });
  await a.ear.hears("message_reaction", { id, seq, roomId, userId: bob.id, emoji: "👍", added: true, count: 1 });
  await bob.does("POST", `/api/messages/${id}/read`);
  const last = (await ada.history(roomId)).at(-1);
  await bob.does("POST", `/api/messages/${last.id}/read`);
  await ada.does("POST", `/api/messages/${last.id}/read`);
  await b.ear.hears("message_read", { id: last.id, seq: last.seq, roomId, userId: ada.id });
  await ada.does("PUT", `/api/messages/${id}`, { content: "Is there cake?" });
  await b.ear.hears("message_edited", { id, roomId, seq, message: "Is there cake?" });
  await ada.does("DELETE", `/api/messages/${id}`);
  await b.ear.hears("message_deleted", { id, roomId, seq });
  a.ear.heardNo("typing", {});
}

async function mistakesAreTold(a) {
  await a.isTold("make_coffee", {}, "UNKNOWN_EVENT");
  a.send("make_coffee", {});
  await a.ear.hears("error", { code: "UNKNOWN_EVENT" });
  for (const text of ["{", "[]", "5", '{"payload":{}}', '{"type":5}', `{"type":"typing","id":{}}`]) {
    const since = a.ear.end;
    a.socket.send(text);
    await a.ear.hears("error", { code: "BAD_FRAME" }, since);
  }
  for (const payload of [undefined, 5, {}, { roomId }, { roomId, message: 5 }]) {
    await a.isTold("send_message", payload, "BAD_PAYLOAD");
  }
  assert.strictEqual(await a.isTold("send_message", { roomId: "nowhere", message: "a" }, "NOT_IN_ROOM"), "Not in room");
  a.send("send_message", { roomId: "nowhere", message: "a" });
  await a.ear.hears("error", { message: "Not in room", code: "NOT_IN_ROOM" });
}

async function theyShop(a, b) {
  await a.does("track_order", { orderId: order }, { orderId: order, status: "confirmed" });
  await b.isTold("track_order", order, "ORDER_NOT_FOUND");
  const move = (status) => admin.does("PATCH", `/api/orders/${order}/status`, { status });
  for (const status of ["processing", "shipped"]) {
    await move(status);
    await a.ear.hears("order_status_update", { orderId: order, status });
  }
  await a.ear.hears("real_time_notification", { type: "order_shipped", data: { orderId: order } });
  const { quantity } = await b.does("track_inventory", product, { productId: product });
  await admin.does("PATCH", `/api/products/${product}/stock`, { quantityChange: 7 });
  await b.ear.hears("inventory_update", { productId: product, quantity: quantity + 7 });
  await b.does("untrack_inventory", { productId: product });
  await a.does("untrack_order", { orderId: order });
  await move("delivered");
  const text = { title: "Tea time", message: "The kettle is on.", type: "info" };
  await admin.does("POST", "/api/admin/announcements", text);
  for (const { ear } of [a, b]) await ear.hears("system_announcement", text);
  a.ear.heardNo("order_status_update", { status: "delivered" });
  b.ear.heardNo("order_status_update");
}

async function adaComesBack(a, b) {
  const { session } = a.ear.all("authenticated")[0].payload;
  // What is acknowledged is stored; what Bob has heard, Ada has missed.
  const say = async (message) => {
    await b.does("send_message", { roomId, message });
    await b.ear.hears("message", { message });
  };
  const said = (ear) => ear.all("message").map(({ payload }) => payload.message);

  const lost = a.ear.offset;
  a.socket.terminate();
  await b.ear.hears("user_left", { userId: ada.id, roomId });
  for (const text of ["one", "two"]) await say(text);
  const back = new Caller("ada again", `/ws?token=${ada.token}&session=${session}&offset=${lost}`);
  const greeting = await back.ear.hears("authenticated", { userId: ada.id, recovered: true });
  assert.deepStrictEqual(said(back.ear), ["one", "two"]);
  await say("three");
  await back.ear.hears("message", { message: "three", roomId });

  await back.leaves();
  await say("four");
  const third = new Caller("ada by resume", `/ws?token=${ada.token}`);
  await third.ear.hears("authenticated", { recovered: false });
  const resume = { offset: back.ear.offset, session: greeting.payload.session };
  await third.does("resume", resume, { recovered: true });
  await third.ear.hears("message", { message: "four", roomId });
  await say("five");
  await third.ear.hears("message", { message: "five" });
  assert.deepStrictEqual(said(third.ear), ["four", "five"]);
  return [back, third];
}

async function othersDoNotComeBackAsAda(a, b) {
  const { session } = a.ear.all("authenticated")[0].payload;
  const stolen = new Caller("bob as ada", `/ws?token=${bob.token}&session=${session}&offset=${b.ear.offset}`);
  await stolen.ear.hears("authenticated", { userId: bob.id, recovered: false });
  const madeUp = new Caller("a made-up session", `/ws?token=${ada.token}&session=made-up&offset=${b.ear.offset}`);
  await madeUp.ear.hears("authenticated", { userId: ada.id, recovered: false });

  // Without a session, only with an offset: join again, and what was missed comes first.
  const { offset } = b.ear.all("message", { message: "three" })[0];
  await madeUp.isTold("resume", { offset: "made up" }, "BAD_OFFSET");
  await madeUp.does("resume", { offset });
  await madeUp.does("join_room", { roomId });
  await madeUp.ear.hears("message", { message: "five" });
  assert.deepStrictEqual(madeUp.ear.all("message").map(({ payload }) => payload.message), ["four", "five"]);
  return [stolen, madeUp];
}

async function theyPart(b, callers) {
  await ada.does("POST", "/api/auth/logout-all");
  for (const caller of callers) await caller.closes(1008);
  await b.ear.hears("user_left", { userId: ada.id, roomId });
  b.socket.send("x".repeat(70_000));
  await b.closes(1009);
}

play(async () => {
  await badTokensAreRefused();
  const [a, b] = await everybodySignsInTheirWay();
  const message = await theyTalk(a, b);
  await theySeeEachOther(a, b, message);
  await mistakesAreTold(a);
  await theyShop(a, b);
  const [back, third] = await adaComesBack(a, b);
  const [stolen, madeUp] = await othersDoNotComeBackAsAda(a, b);
  await stolen.leaves();
  await theyPart(b, [third, madeUp]);
  for (const { ear } of [a, b, back, third, stolen, madeUp]) ear.mustBeSound();
});
