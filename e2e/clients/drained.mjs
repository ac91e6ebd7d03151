// Clients talk while the server is told to stop. It closes their lines one after the other, and says to none of them that
// it should stay away: they come back by themselves as soon as there is a server again, and have lost nothing.
//
//   node drained.mjs socketio|ws
//
// It says `ready` when everybody talks, and reads `over` when the server has ended and another one is there.
import assert from "node:assert";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { address, play, readCast } from "./person.mjs";
import { asConversation, Record } from "./record.mjs";
import { pause, SocketIoClient, WsClient } from "./returning.mjs";

const Client = { socketio: SocketIoClient, ws: WsClient }[process.argv[2]];
const { people, rooms } = readCast();

/** The server closes what is open over five seconds. However late a client notices, they do not all go at once. */
const FIRST_TO_LAST = 2_500;
const PAUSE = 40;

class Talker {
  constructor(person, number) {
    this.person = person;
    this.room = rooms[number % rooms.length];
    this.record = new Record(person.username, this.room);
    this.client = new Client(address, person, this.record, number);
    this.said = [];
    this.client.whenLost = () => (this.lostAt ??= performance.now());
  }

  async talks(isOver) {
    for (let number = 1; !isOver(); number += 1) {
      const { seq, content } = await this.client.says(this.room, `${this.person.username} ${number}`, `draft ${number}`);
      this.said.push({ seq, content });
      await pause(PAUSE * people.length * Math.random());
    }
  }
}

async function check(room, talkers) {
  const history = asConversation(await talkers[0].person.history(room));
  for (const { record, said } of talkers) {
    assert.deepStrictEqual(record.conversation(), history, `what ${record.name} heard is not what is kept`);
    for (const { seq, content } of said) assert.strictEqual(history[seq - 1].content, content);
  }
  return history.length;
}

play(async () => {
  const talkers = people.map((person, number) => new Talker(person, number));
  for (const { client, room } of talkers) await client.joins(room);
  const groups = rooms.map((room) => talkers.filter((talker) => talker.room === room));
  const everybodyHears = async (content) => {
    await Promise.all(groups.map(([speaker]) => speaker.client.says(speaker.room, content, content)));
    await Promise.all(talkers.map(({ record }) => record.heard(content)));
  };
  await everybodyHears("Let us begin.");

  let isOver = false;
  const talking = talkers.map((talker) => talker.talks(() => isOver));
  const lines = createInterface({ input: process.stdin });
  console.log("ready");
  await Promise.race([once(lines, "line"), Promise.all(talking)]);
  isOver = true;
  await Promise.all(talking);
  await everybodyHears("That is all.");

  const faults = talkers.flatMap(({ record }) => record.faults.map((fault) => `${record.name} ${fault}`));
  assert.deepStrictEqual(faults, []);
  const lost = talkers.map(({ lostAt }) => lostAt).sort((one, other) => one - other);
  assert.ok(lost.at(-1) - lost[0] >= FIRST_TO_LAST, `all lines went within ${lost.at(-1) - lost[0]} ms`);
  const said = [];
  for (const [number, room] of rooms.entries()) said.push(await check(room, groups[number]));
  assert.deepStrictEqual(talkers.filter(({ client }) => client.returns === 0), [], "everybody was away once");
  const total = said.reduce((sum, count) => sum + count, 0);
  console.log(`${talkers.length} clients were let go over ${Math.round(lost.at(-1) - lost[0])} ms and heard ${total} messages`);
});
