// The same over plain WebSocket: `node talk.mjs <name> [room]`. STOA is the server's address.
import { randomUUID } from "node:crypto";
import { createInterface } from "node:readline";
import { WebSocket } from "ws";

const [name = "ada", room = "tea-lovers"] = process.argv.slice(2);
const stoa = process.env.STOA ?? "http://localhost:5000";
let token;

async function rest(method, path, body) {
  const headers = { "content-type": "application/json", ...(token && { authorization: `Bearer ${token}` }) };
  const response = await fetch(stoa + path, { method, headers, body: body && JSON.stringify(body) });
  const answer = await response.json();
  if (!response.ok) throw Object.assign(new Error(answer.detail), answer);
  return answer;
}

// Whoever is new here signs up, whoever is not signs in.
const credentials = { email: `${name}@example.com`, password: "Talk-And-Buy-1" };
const register = () => rest("POST", "/api/auth/register", { ...credentials, name });
const login = () => rest("POST", "/api/auth/login", credentials);
const { user, accessToken } = await register().catch((error) => {
  if (error.code === "EMAIL_TAKEN") return login();
  throw error;
});
token = accessToken;

// What it takes to come back: who we were, and what we heard last.
let socket, session, offset, isLeaving;
let asked = 0;
const open = new Map();

function connect() {
  const back = session ? `&session=${session}&offset=${offset}` : "";
  socket = new WebSocket(`${stoa.replace("http", "ws")}/ws?token=${token}${back}`);
  socket.on("message", (frame) => hear(JSON.parse(frame)));
  socket.on("error", () => {});
  socket.on("close", (code) => {
    if (isLeaving) return;
    for (const { reject } of open.values()) reject(new Error("The line is gone."));
    open.clear();
    if (code === 1008) return console.log("* sent away: sign in again");
    console.log("* the line is gone");
    setTimeout(connect, 500 + 1000 * Math.random());
  });
}

/** Sends an event and waits for its ack; fails when the line goes first. */
function ask(type, payload) {
  return new Promise((resolve, reject) => {
    if (socket.readyState !== WebSocket.OPEN) throw new Error("The line is gone.");
    asked += 1;
    open.set(asked, { resolve, reject });
    socket.send(JSON.stringify({ type, payload, id: asked }));
  });
}

let lastSeq = 0;
const tracked = new Map();
const names = new Map();

/** Messages name their senders by id; who is new is looked up. */
async function nameOf(userId) {
  if (!names.has(userId)) {
    const { data } = await rest("GET", `/api/rooms/${room}/members?limit=100`);
    for (const member of data) names.set(member.user.id, member.user.name);
  }
  return names.get(userId) ?? "somebody";
}

async function show({ seq, userId, message }) {
  if (seq <= lastSeq) return;
  lastSeq = seq;
  if (userId !== user.id) console.log(`${await nameOf(userId)}: ${message}`);
}

async function hear({ type, id, payload, offset: heard }) {
  if (heard) offset = heard;
  if (type === "ack") open.get(id)?.resolve(payload);
  else if (type === "authenticated") await arrive(payload);
  else if (type === "message") await show(payload);
  else if (type === "user_joined" && payload.userId !== user.id) console.log(`* ${await nameOf(payload.userId)} came in`);
  else if (type === "order_status_update") console.log(`* order ${payload.orderId} is ${payload.status}`);
  else if (type === "inventory_update") console.log(`* ${payload.quantity} of ${payload.productId} are left`);
  else if (type === "real_time_notification") console.log(`* ${payload.title}. ${payload.message}`);
  else if (type === "system_announcement") console.log(`* ${payload.title}: ${payload.message}`);
  else if (type === "error") console.log(`* ${payload.message}`);
}

// Back where we were, what was missed comes by itself. Otherwise join and track anew, then read what was said since.
async function arrive({ session: mine, recovered }) {
  session = mine;
  if (recovered) return console.log("* back, nothing is lost");
  const { ok, error } = await ask("join_room", { roomId: room });
  if (!ok) return console.log(`* ${error.message}`);
  console.log(`* you are in ${room}`);
  for (const [id, event] of tracked) await ask(event, id);
  const { data } = await rest("GET", `/api/messages?room=${room}&after=${lastSeq}`);
  for (const { seq, sender, content } of data) await show({ seq, userId: sender.id, message: content });
}

// Until it is acknowledged it may be said or not; under the same clientId it is said once, however often it is sent.
async function say(message) {
  const draft = { roomId: room, message, clientId: randomUUID() };
  for (;;) {
    try {
      const { ok, error } = await ask("send_message", draft);
      return console.log(ok ? "  (said)" : `* ${error.message}`);
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 300));
    }
  }
}

async function buy() {
  const { data } = await rest("GET", "/api/products?inStock=true&sortBy=price&limit=1");
  await rest("POST", "/api/cart/items", { productId: data[0].id, quantity: 1 });
  const shippingAddress = { fullName: name, street: "1 Quay", city: "Oslo", state: "", zipCode: "0150", country: "NO", phone: "+47 1" };
  const order = await rest("POST", "/api/orders", { shippingAddress, paymentMethod: "pm_card_visa" });
  const { status } = await track("track_order", order.id);
  console.log(`* you bought ${data[0].name}; order ${order.id} is ${status}`);
}

async function watch(productId) {
  const { quantity } = await track("track_inventory", productId);
  console.log(`* there are ${quantity}`);
}

async function track(event, id) {
  const { ok, error, ...state } = await ask(event, id);
  if (!ok) throw new Error(error.message);
  tracked.set(id, event);
  return state;
}

connect();
for await (const line of createInterface({ input: process.stdin })) {
  const [command, argument] = line.split(" ");
  const done = command === "/buy" ? buy() : command === "/stock" ? watch(argument) : say(line);
  done.catch((error) => console.log(`* ${error.message}`));
}
isLeaving = true;
socket.close();
