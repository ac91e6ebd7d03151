// A whole conversation with the official client: `node conversation.mjs websocket|polling|upgrade`.
import assert from "node:assert";
import { once } from "node:events";
import { Ear, fits, inTime } from "./ear.mjs";
import { io } from "./packages.mjs";
import { address, play, readCast } from "./person.mjs";

const way = process.argv[2];
const transports = way === "upgrade" ? ["polling", "websocket"] : [way];
const { people, order, product } = readCast();
const [ada, bob, admin] = people;

/** A socket and what it hears. */
class Caller {
  constructor(name, auth) {
    this.ear = new Ear(name);
    this.socket = io(address, { transports, auth, forceNew: true, reconnection: false });
    this.socket.onAny((event, payload, offset) => this.ear.note(event, payload, offset));
  }

  async connects() {
    if (this.socket.connected) return;
    const refused = new Promise((_, reject) => this.socket.once("connect_error", reject));
    const connected = new Promise((resolve) => this.socket.once("connect", resolve));
    await inTime(Promise.race([connected, refused]), () => `${this.ear.name} connects`);
  }

  async isRefused() {
    const [error] = await inTime(
      new Promise((resolve) => this.socket.once("connect_error", (...values) => resolve(values))),
      () => `${this.ear.name} is refused`,
    );
    return error;
  }

  ack(name, payload) {
    const asked = this.socket.emitWithAck(name, payload);
    return inTime(asked, () => `${this.ear.name} is answered to ${name} ${JSON.stringify(payload)}`);
  }

  async does(name, payload, wanted = {}) {
    const ack = await this.ack(name, payload);
    assert.ok(fits(ack, { ok: true, ...wanted }), `${name} ${JSON.stringify(payload)}: ${JSON.stringify(ack)}`);
    return ack;
  }

  async isTold(name, payload, code) {
    const ack = await this.ack(name, payload);
    assert.ok(fits(ack, { ok: false, error: { code } }), `${name}, not ${code}: ${JSON.stringify(ack)}`);
    return ack.error.message;
  }

  /** Loses the line, as a broken network does for a client that notices. */
  async loses() {
    const lost = once(this.socket, "disconnect");
    this.socket.io.engine.close();
    await inTime(lost, () => `${this.ear.name} notices that the line is gone`);
  }

  async returns() {
    this.socket.connect();
    await this.connects();
  }
}

/** The room as both name it; another for each chapter that wants one. */
const room = "tea";

async function badTokensAreRefused() {
  const error = await new Caller("a stranger", { token: "no token at all" }).isRefused();
  assert.strictEqual(error.message, "Authentication error");
  assert.strictEqual(error.data.code, "INVALID_TOKEN");
}

async function bothSignIn() {
  const a = new Caller("ada", { token: ada.token });
  const { offset } = await a.ear.hears("authenticated", { userId: ada.id, recovered: false });
  assert.ok(offset.length > 0);
  await a.ear.hears("online-users", { users: (users) => users.includes(ada.id), total: (total) => total >= 1 });

  const b = new Caller("bob", {});
  await b.connects();
  await b.isTold("join-room", room, "NOT_AUTHENTICATED");
  b.socket.emit("join-room", room);
  await b.ear.hears("error", { code: "NOT_AUTHENTICATED" });
  await b.isTold("authenticate", "no token at all", "INVALID_TOKEN");
  b.socket.emit("authenticate", "no token at all");
  await b.ear.hears("unauthorized", { code: "INVALID_TOKEN", message: (text) => text.length > 0 });
  assert.ok(b.socket.connected, "the socket stays");
  await b.does("authenticate", bob.token);
  await b.ear.hears("authenticated", { userId: bob.id, recovered: false });
  await a.ear.hears("user-online", { userId: bob.id });
  if (way === "upgrade") {
    for (const { socket } of [a, b]) {
      const { engine } = socket.io;
      if (engine.transport.name !== "websocket") await inTime(once(engine, "upgrade"), () => "the upgrade");
    }
  }
  return [a, b];
}

async function theyMeet(a, b) {
  await a.isTold("send-message", { room, content: "Anybody?" }, (code) => /^(ROOM_NOT_FOUND|NOT_A_MEMBER|NOT_IN_ROOM)$/.test(code));
  const { room: opened } = await a.does("join-room", room, { room: { slug: room } });
  const { room: joined } = await b.does("join-room", room, { room: { id: opened.id, slug: room } });
  assert.strictEqual(joined.memberCount, 2);
  await a.ear.hears("member-joined", { room, userId: bob.id, person: { username: bob.username }, role: "member" });
  return opened.id;
}

async function theyTalk(a, b) {
  const draft = { room, content: "Is there <b>tea</b>? ☕", clientId: "first" };
  const { message } = await a.does("send-message", draft, { message: { content: draft.content, type: "text" } });
  const wanted = { id: message.id, seq: message.seq, room, sender: { id: ada.id }, content: draft.content };
  for (const { ear } of [a, b]) await ear.hears("new-message", wanted);

  await a.does("send-message", draft, { message: { id: message.id } });
  const reply = { room: message.room, content: `Yes, @${ada.username}`, replyTo: message.id };
  const { message: answer } = await b.does("send-message", reply, { message: { seq: message.seq + 1 } });
  for (const { ear } of [a, b]) {
    await ear.hears("new-message", { id: answer.id, replyTo: message.id, mentions: [ada.id] });
    assert.strictEqual(ear.all("new-message", { id: message.id }).length, 1, "sent again, it is said once");
  }
  return [message, answer];
}

async function theySeeEachOther(a, b, [first, answer]) {
  const since = [a.ear.end, b.ear.end];
  await a.does("typing-start", room);
  await b.ear.hears("user-typing", { userId: ada.id, room, isTyping: true }, since[1]);
  await a.does("typing-stop", { room });
  await b.ear.hears("user-typing", { userId: ada.id, room, isTyping: false }, since[1]);

  await a.does("message-read", { messageId: answer.id }, { readSeq: answer.seq, unreadCount: 0, mentionCount: 0 });
  await b.ear.hears("message-read-receipt", { messageId: answer.id, room, seq: answer.seq, userId: ada.id });
  a.ear.heardNo("user-typing", {}, since[0]);

  await a.does("user-status", "busy");
  await b.ear.hears("user-status-update", { userId: ada.id, status: "busy" });
  await a.does("user-status", { status: "online" });
  await b.ear.hears("user-status-update", { userId: ada.id, status: "online" });

  for (const [added, count] of [[true, 1], [false, 0]]) {
    await b.does("message-react", { messageId: first.id, emoji: "👍" }, { message: { id: first.id } });
    const reaction = { messageId: first.id, room, seq: first.seq, userId: bob.id, emoji: "👍", added, count };
    for (const { ear } of [a, b]) await ear.hears("message-reaction", reaction);
  }
}

async function theyChangeTheirMinds(a, b, [first, answer]) {
  await b.isTold("message-edit", { messageId: first.id, content: "Mine" }, "FORBIDDEN");
  await a.does("message-edit", { messageId: first.id, content: "Is there cake?" });
  await b.ear.hears("message-edited", { id: first.id, room, content: "Is there cake?", editedAt: (at) => at });
  await bob.does("PUT", `/api/messages/${answer.id}`, { content: "No" });
  await a.ear.hears("message-edited", { id: answer.id, content: "No" });
  await admin.does("PUT", `/api/messages/${first.id}/pin`);
  await b.ear.hears("message-pinned", { messageId: first.id, room, seq: first.seq, userId: admin.id });
  await admin.does("DELETE", `/api/messages/${first.id}/pin`);
  await b.ear.hears("message-unpinned", { messageId: first.id, room, seq: first.seq });
  await b.does("message-delete", { messageId: answer.id });
  await a.ear.hears("message-deleted", { messageId: answer.id, room, seq: answer.seq, deletedBy: bob.id });
}

async function mistakesAreTold(a, b) {
  await a.isTold("make-coffee", {}, "UNKNOWN_EVENT");
  a.socket.emit("make-coffee", {});
  await a.ear.hears("error", { code: "UNKNOWN_EVENT" });
  for (const payload of [undefined, 5, { room }, { room, content: 5 }, { room, content: "a", colour: "red" }]) {
    await a.isTold("send-message", payload, "BAD_PAYLOAD");
  }
  await a.isTold("send-message", { room, content: "" }, "VALIDATION_FAILED");
  await a.isTold("message-read", { messageId: "019bc000-0000-7000-8000-000000000000" }, "MESSAGE_NOT_FOUND");
  assert.strictEqual(await b.isTold("send_message", { roomId: "nowhere", message: "a" }, "NOT_IN_ROOM"), "Not in room");
  b.socket.emit("send_message", { roomId: "nowhere", message: "a" });
  await b.ear.hears("error", { message: "Not in room", code: "NOT_IN_ROOM" });
  // What went wrong has not become a message.
  const { message } = await a.does("send-message", { room, content: "Back to tea" });
  const { payload } = await b.ear.hears("new-message", { id: message.id });
  assert.strictEqual(payload.seq, b.ear.all("new-message").at(-2).payload.seq + 1);
}

async function theySpeakSnake(a, b) {
  const roomId = "snakes";
  await a.does("join_room", roomId, { room: { slug: roomId } });
  await b.does("join_room", { roomId });
  await a.ear.hears("user_joined", { userId: bob.id, roomId });
  const { message } = await a.does("send_message", { roomId, message: "Hiss", clientId: "hiss" });
  const heard = { id: message.id, seq: message.seq, userId: ada.id, roomId, message: "Hiss", clientId: "hiss" };
  for (const { ear } of [a, b]) await ear.hears("message", heard);
  await b.does("typing", { roomId, isTyping: true });
  await a.ear.hears("typing", { userId: bob.id, roomId, isTyping: true });
  await b.does("message-react", { messageId: message.id, emoji: "🐍" });
  await a.ear.hears("message_reaction", { id: message.id, roomId, userId: bob.id, emoji: "🐍", added: true, count: 1 });
  await b.does("message-read", { messageId: message.id });
  await a.ear.hears("message_read", { id: message.id, seq: message.seq, roomId, userId: bob.id });
  await a.does("message-edit", { messageId: message.id, content: "Hisss" });
  await b.ear.hears("message_edited", { id: message.id, roomId, seq: message.seq, message: "Hisss" });
  await a.does("message-delete", { messageId: message.id });
  await b.ear.hears("message_deleted", { id: message.id, roomId, seq: message.seq });
  b.ear.heardNo("typing", {});
  await b.does("leave_room", roomId);
  await a.ear.hears("user_left", { userId: bob.id, roomId });
  b.ear.heardNo("user_joined", { userId: bob.id });
}

async function theyShop(a, b) {
  await a.does("track_order", order, { orderId: order, status: "confirmed" });
  await b.isTold("track_order", { orderId: order }, "ORDER_NOT_FOUND");
  const move = (status, details) => admin.does("PATCH", `/api/orders/${order}/status`, { status, details });
  await move("processing", "On the bench");
  const update = { orderId: order, status: "processing", details: (details) => details !== undefined };
  await a.ear.hears("order_status_update", update);
  await move("shipped");
  await a.ear.hears("order_status_update", { orderId: order, status: "shipped" });
  const notice = { type: "order_shipped", data: { orderId: order }, title: (title) => title.length > 0 };
  const { payload } = await a.ear.hears("real_time_notification", notice);
  const list = await ada.does("GET", "/api/notifications");
  assert.ok(list.data.some((entry) => entry.id === payload.id), "it is in the list, too");
  b.ear.heardNo("order_status_update");
  b.ear.heardNo("real_time_notification", { data: { orderId: order } });

  const { quantity } = await b.does("track_inventory", { productId: product });
  await admin.does("PATCH", `/api/products/${product}/stock`, { quantityChange: 7 });
  await b.ear.hears("inventory_update", { productId: product, quantity: quantity + 7 });
  await b.does("untrack_inventory", product);
  await a.does("untrack_order", order);
  await admin.does("PATCH", `/api/products/${product}/stock`, { quantityChange: 1 });
  await move("delivered");

  const text = { title: "Tea time", message: "The kettle is on.", type: "info" };
  await admin.does("POST", "/api/admin/announcements", text);
  for (const { ear } of [a, b]) await ear.hears("system_announcement", text);
  b.ear.heardNo("inventory_update", { quantity: quantity + 8 });
  a.ear.heardNo("order_status_update", { status: "delivered" });
  await a.ear.hears("real_time_notification", { type: "order_delivered" });
}

async function adaComesBack(a, b) {
  const since = a.ear.end;
  await a.loses();
  const said = [];
  for (const content of ["one", "two", "three"]) said.push((await b.does("send-message", { room, content })).message.id);
  await b.does("message-react", { messageId: said[0], emoji: "👋" });
  // What is acknowledged is stored; what Bob has heard, Ada has missed.
  await b.ear.hears("message-reaction", { messageId: said[0], emoji: "👋" });
  await a.returns();
  assert.strictEqual(a.socket.recovered, true);
  await a.ear.hears("authenticated", { userId: ada.id, recovered: true }, since);
  const kept = a.ear.events.slice(since).filter((event) => event.offset !== undefined);
  assert.deepStrictEqual(kept.map(({ name }) => name), [
    ...["new-message", "new-message", "new-message", "message-reaction", "authenticated"],
  ]);
  assert.deepStrictEqual(kept.slice(0, 3).map(({ payload }) => payload.id), said);
  // Its rooms are back, too.
  await b.does("send-message", { room, content: "four" });
  await a.ear.hears("new-message", { content: "four", room });
}

async function madeUpSessionsAreNotRecovered(a, b) {
  const since = b.ear.end;
  const impostor = new Caller("an impostor", { token: ada.token, pid: "made up", offset: "made up" });
  await impostor.ear.hears("authenticated", { userId: ada.id, recovered: false });
  assert.ok(!impostor.socket.recovered);
  impostor.socket.disconnect();

  // A client that keeps offsets by itself says where it was, then joins again.
  const offset = a.ear.all("new-message", { content: "two" })[0].offset;
  const old = new Caller("an old client", { token: ada.token });
  await old.ear.hears("authenticated", {});
  await old.isTold("resume", { offset: "made up" }, "BAD_OFFSET");
  await old.does("resume", { offset });
  await old.does("join-room", room);
  await old.ear.hears("new-message", { content: "four" });
  const heard = old.ear.all("new-message").map(({ payload }) => payload.content);
  assert.deepStrictEqual(heard.filter((content) => ["one", "two", "three", "four"].includes(content)), ["three", "four"]);
  old.socket.disconnect();
  b.ear.heardNo("user-offline", { userId: ada.id }, since);
  return [impostor, old];
}

async function theyPart(a, b) {
  await b.does("leave-room", room);
  b.socket.disconnect();
  await a.ear.hears("user-offline", { userId: bob.id });
  // Whoever is signed out somewhere is so everywhere.
  const gone = once(a.socket, "disconnect");
  await ada.does("POST", "/api/auth/logout-all");
  await inTime(gone, () => "ada's socket ends with her session");
  const error = await new Caller("ada after all", { token: ada.token }).isRefused();
  assert.strictEqual(error.data.code, "SESSION_ENDED");
}

play(async () => {
  await badTokensAreRefused();
  const [a, b] = await bothSignIn();
  await theyMeet(a, b);
  const said = await theyTalk(a, b);
  await theySeeEachOther(a, b, said);
  await theyChangeTheirMinds(a, b, said);
  await mistakesAreTold(a, b);
  await theySpeakSnake(a, b);
  await theyShop(a, b);
  await adaComesBack(a, b);
  const others = await madeUpSessionsAreNotRecovered(a, b);
  await theyPart(a, b);
  for (const { ear } of [a, b, ...others]) ear.mustBeSound();
  assert.strictEqual(b.socket.io.engine.transport.name, way === "polling" ? "polling" : "websocket");
});
