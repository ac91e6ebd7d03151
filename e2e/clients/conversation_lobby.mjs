// Guests in the lobby, by name only: `node conversation_lobby.mjs open|closed`.
import assert from "node:assert";
import { Ear, inTime } from "./ear.mjs";
import { WebSocket } from "./packages.mjs";
import { address, play } from "./person.mjs";

/** A guest and what they hear; what a frame says stands beside its `type`. */
class Guest {
  constructor(name) {
    this.ear = new Ear(name, true);
    this.socket = new WebSocket(`${address.replace("http", "ws")}/ws/lobby`);
    this.socket.on("message", (data) => {
      const { type, ...fields } = JSON.parse(data);
      this.ear.note(type, fields);
    });
    this.refused = new Promise((resolve) => this.socket.once("unexpected-response", (_, answer) => resolve(answer.statusCode)));
    this.opened = new Promise((resolve) => this.socket.once("open", resolve));
  }

  says(frame) {
    this.socket.send(typeof frame === "string" ? frame : JSON.stringify(frame));
  }

  async isTold(frame, code) {
    const since = this.ear.end;
    this.says(frame);
    await this.ear.hears("error", { code, message: (text) => text.length > 0 }, since);
  }
}

async function theDoorIsClosed() {
  assert.strictEqual(await inTime(new Guest("a guest").refused, () => "an answer"), 403);
}

async function guestsTalk() {
  const [ann, ben] = [new Guest("Ann"), new Guest("Ben")];
  await inTime(Promise.all([ann.opened, ben.opened]), () => "both are in");
  await ann.isTold({ type: "message", content: "Hello?" }, "NOT_JOINED");
  await ann.isTold("{", "BAD_FRAME");
  await ann.isTold({ type: "join" }, "BAD_PAYLOAD");
  await ann.isTold({ type: "join", username: " " }, "BAD_USERNAME");
  ann.says({ type: "join", username: "Ann" });
  await ann.ear.hears("join", { username: "Ann", timestamp: (at) => Number.isFinite(Date.parse(at)) });
  await ann.ear.hears("users", { users: ["Ann"] });
  await ben.isTold({ type: "join", username: "ANN" }, "USERNAME_TAKEN");
  ben.says({ type: "join", username: "Ben" });
  for (const { ear } of [ann, ben]) await ear.hears("users", { users: ["Ann", "Ben"] });
  await ann.ear.hears("join", { username: "Ben" });
  ben.says({ type: "message", content: "Is there <b>tea</b>? ☕" });
  for (const { ear } of [ann, ben]) await ear.hears("message", { username: "Ben", content: "Is there <b>tea</b>? ☕" });
  ben.socket.terminate();
  await ann.ear.hears("leave", { username: "Ben" });
  await ann.ear.hears("users", { users: ["Ann"] }, ann.ear.events.findIndex(({ name }) => name === "leave"));
  for (const { ear } of [ann, ben]) ear.mustBeSound();
}

play(process.argv[2] === "open" ? guestsTalk : theDoorIsClosed);
