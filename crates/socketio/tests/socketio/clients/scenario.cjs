// What the official client makes of the server, on one way of transport: `node scenario.cjs <url> polling|websocket|upgrade`.
"use strict";

const assert = require("node:assert");
const { once } = require("node:events");
const { io } = require("socket.io-client");

const [url, way] = process.argv.slice(2);
const transports = way === "upgrade" ? ["polling", "websocket"] : [way];
const options = { transports, forceNew: true, reconnection: false };

const heard = (socket, name) => new Promise((resolve) => socket.once(name, (...values) => resolve(values)));

async function greetings(socket) {
  const [auth] = await heard(socket, "auth");
  assert.deepStrictEqual(auth, { echo: true, token: "123" });
  assert.ok(!socket.recovered);
  if (way === "upgrade" && socket.io.engine.transport.name !== "websocket") {
    await once(socket.io.engine, "upgrade");
  }
  assert.strictEqual(socket.io.engine.transport.name, way === "polling" ? "polling" : "websocket");
}

async function order(socket) {
  const numbers = [];
  const all = new Promise((resolve) => {
    socket.on("echo", (number) => numbers.push(number) === 2000 && resolve());
  });
  for (let number = 0; number < 2000; number++) socket.emit("echo", number);
  await all;
  assert.deepStrictEqual(numbers, Array.from({ length: 2000 }, (_, number) => number));
  socket.off("echo");
}

async function acks(socket) {
  assert.deepStrictEqual(await socket.emitWithAck("echo", { deep: ["é", null, 1.5] }), { deep: ["é", null, 1.5] });
  const answers = await Promise.all([1, 2, 3].map((number) => socket.timeout(30000).emitWithAck("echo", number)));
  assert.deepStrictEqual(answers, [1, 2, 3]);
  socket.once("question", (why, answer) => answer(why, Buffer.from([7])));
  socket.emit("ask");
}

async function binary(socket) {
  const bytes = Buffer.from([0, 255, 30, 1]);
  socket.emit("echo", { inside: bytes }, bytes);
  const [first, second] = await heard(socket, "echo");
  assert.deepStrictEqual([Buffer.from(first.inside), Buffer.from(second)], [bytes, bytes]);
  assert.deepStrictEqual(Buffer.from(await socket.emitWithAck("echo", bytes)), bytes);
}

async function namespaces(socket) {
  const custom = socket.io.socket("/custom");
  await heard(custom, "connect");
  assert.strictEqual(await custom.emitWithAck("echo", "here"), "here");
  const unknown = socket.io.socket("/unknown");
  const [error] = await heard(unknown, "connect_error");
  assert.strictEqual(error.message, "Invalid namespace");
  custom.emit("leave");
  assert.strictEqual((await heard(custom, "disconnect"))[0], "io server disconnect");
}

async function large(socket) {
  const text = "x".repeat(60000);
  assert.strictEqual(await socket.emitWithAck("echo", text), text);
}

async function main() {
  const socket = io(url, { ...options, auth: { echo: true, token: "123" } });
  socket.on("disconnect", (reason) => assert.strictEqual(reason, "io client disconnect"));
  await greetings(socket);
  for (const step of [order, acks, binary, namespaces, large]) await step(socket);
  socket.disconnect();
  // Node also ends, without a fault, when it waits for what cannot come any more.
  console.log("played to the end");
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
