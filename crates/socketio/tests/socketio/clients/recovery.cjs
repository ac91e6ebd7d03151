// An unmodified client over a lost connection, or a server that goes: `node recovery.cjs <url> <transport>`. It prints
// what it hears, a line each, until it hears `enough`.
"use strict";

const { io } = require("socket.io-client");

const [url, transport] = process.argv.slice(2);
const socket = io(url, { transports: [transport], reconnectionDelay: 20, reconnectionDelayMax: 50, auth: { token: "t" } });

socket.on("connect", () => console.log(`connected recovered=${Boolean(socket.recovered)}`));
socket.on("disconnect", (reason) => console.log(`disconnected active=${socket.active} ${reason}`));
socket.onAny((name, ...values) => {
  if (typeof values.at(-1) === "function") values.pop()();
  console.log(`${name} ${JSON.stringify(values)}`);
  if (name === "enough") socket.disconnect();
});
