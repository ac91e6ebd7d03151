// Talk in a room, buy something and see it move: `node talk.mjs <name> [room]`. STOA is the server's address.
import { randomUUID } from "node:crypto";
import { createInterface } from "node:readline";
import { io } from "socket.io-client";

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

const socket = io(stoa, { auth: { token } });
const tracked = new Map();
let lastSeq = 0;

function show(message) {
  if (message.seq <= lastSeq) return;
  lastSeq = message.seq;
  if (message.sender.id !== user.id) console.log(`${message.sender.name}: ${message.content}`);
}

socket.on("new-message", (message) => message.room === room && show(message));
socket.on("member-joined", ({ person }) => console.log(`* ${person.name} came in`));
socket.on("order_status_update", ({ orderId, status }) => console.log(`* order ${orderId} is ${status}`));
socket.on("inventory_update", ({ productId, quantity }) => console.log(`* ${quantity} of ${productId} are left`));
socket.on("real_time_notification", ({ title, message }) => console.log(`* ${title}. ${message}`));
socket.on("system_announcement", ({ title, message }) => console.log(`* ${title}: ${message}`));
socket.on("connect_error", (error) => socket.active || console.log(`* sent away: ${error.message}`));
socket.on("disconnect", () => console.log("* the line is gone"));

// Back where we were, what was missed comes by itself. Otherwise join and track anew, then read what was said since.
socket.on("connect", async () => {
  if (socket.recovered) return console.log("* back, nothing is lost");
  const { ok, error } = await socket.emitWithAck("join-room", room);
  if (!ok) return console.log(`* ${error.message}`);
  console.log(`* you are in ${room}`);
  for (const [id, event] of tracked) socket.emit(event, id);
  const { data } = await rest("GET", `/api/messages?room=${room}&after=${lastSeq}`);
  for (const message of data) show(message);
});

// Until it is acknowledged it may be said or not; under the same clientId it is said once, however often it is sent.
async function say(content) {
  const draft = { room, content, clientId: randomUUID() };
  for (;;) {
    try {
      const { ok, error } = await socket.emitWithAck("send-message", draft);
      return console.log(ok ? "  (said)" : `* ${error.message}`);
    } catch {
      // The line went before the answer came.
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
  const { ok, error, ...state } = await socket.emitWithAck(event, id);
  if (!ok) throw new Error(error.message);
  tracked.set(id, event);
  return state;
}

for await (const line of createInterface({ input: process.stdin })) {
  const [command, argument] = line.split(" ");
  const done = command === "/buy" ? buy() : command === "/stock" ? watch(argument) : say(line);
  done.catch((error) => console.log(`* ${error.message}`));
}
socket.disconnect();
