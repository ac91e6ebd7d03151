// The `ws` package, strict about frames, against a plain endpoint that echoes: `node plain.cjs <url>`.
"use strict";

const assert = require("node:assert");
const { once } = require("node:events");
const { WebSocket } = require("ws");

async function main() {
  const socket = new WebSocket(process.argv[2]);
  await once(socket, "open");
  assert.strictEqual(socket.extensions, "");
  for (const size of [0, 1, 125, 126, 999, 1000]) {
    const sent = Buffer.alloc(size, 7);
    socket.send(sent);
    const [data, isBinary] = await once(socket, "message");
    assert.ok(isBinary && data.equals(sent));
  }
  socket.ping("are you there");
  assert.strictEqual(String((await once(socket, "pong"))[0]), "are you there");
  socket.close(1000, "bye");
  assert.strictEqual((await once(socket, "close"))[0], 1000);
  // Node also ends, without a fault, when it waits for what cannot come any more.
  console.log("played to the end");
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
