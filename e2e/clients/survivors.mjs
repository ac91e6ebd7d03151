// Many clients talk in many rooms while the server dies again and again, or while their lines break at any byte. What each
// heard must be what was acknowledged and what REST has: everything, in order, once.
//
//   node survivors.mjs socketio|ws kills|cuts
//
// With `kills` it says `ready` when everybody talks, and goes on until it reads `stop`. With `cuts` it breaks the lines by
// itself, until everybody has come back a few times.
import assert from "node:assert";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { Cutter } from "./cutter.mjs";
import { address, play, readCast } from "./person.mjs";
import { asConversation, Record } from "./record.mjs";
import { Lost, pause, SocketIoClient, WsClient } from "./returning.mjs";

const [protocol, trouble] = process.argv.slice(2);
const Client = { socketio: SocketIoClient, ws: WsClient }[protocol];
const { people, rooms, returns } = readCast();

/** What all of them together do in a second. */
const ACTS = 80;
const EMOJIS = ["👍", "☕", "🎉"];
/** How long everybody may need to be back and up to date when all is calm again. */
const PATIENCE = 240_000;

const anyOf = (list) => list[Math.floor(Math.random() * list.length)];

/** One of the crowd, who remembers everything that was acknowledged. */
class Survivor {
  constructor(base, person, number) {
    this.person = person;
    this.room = rooms[number % rooms.length];
    this.record = new Record(person.username, this.room);
    this.client = new Client(base, person, this.record, number);
    this.said = new Map();
    this.edited = new Map();
    this.deleted = new Set();
    this.reactions = [];
    this.readSeq = 0;
    this.drafts = 0;
  }

  /** Talks until told otherwise. */
  async lives(isOver) {
    while (!isOver()) {
      await pause(2 * Math.random() * (people.length / ACTS) * 1000);
      const [what, act] = this.wants();
      this.doing = what;
      await act();
      this.doing = undefined;
    }
  }

  /** What it does next, and what that is called. */
  wants() {
    const chance = Math.random();
    const own = [...this.said.keys()].filter((id) => !this.deleted.has(id));
    if (chance < 0.55 || own.length === 0) return ["says", () => this.says()];
    if (chance < 0.7) return ["edits", () => this.edits(anyOf(own))];
    if (chance < 0.77) return ["deletes", () => this.deletes(anyOf(own))];
    return chance < 0.92 ? ["reacts", () => this.reacts()] : ["reads", () => this.reads()];
  }

  async says() {
    this.drafts += 1;
    const content = `${this.person.username} says no. ${this.drafts}`;
    const message = await this.client.says(this.room, content, `draft ${this.drafts}`);
    assert.strictEqual(message.content, content);
    this.said.set(message.id, message);
  }

  /** By socket where its dialect has a word for it, by REST every other time. */
  async does(method, path, body, word) {
    const payload = { messageId: path.split("/").at(3), ...body };
    this.way = protocol === "socketio" && Math.random() < 0.5 ? "socket" : "REST";
    if (this.way === "socket") {
      const ack = await this.client.ask(word, payload);
      return ack.ok ? undefined : ack.error.code;
    }
    try {
      const answer = await this.person.ask(method, path, body);
      return answer.status < 300 ? undefined : answer.body.code;
    } catch (error) {
      await pause(50);
      throw new Lost(error.message);
    }
  }

  async edits(id) {
    this.drafts += 1;
    const content = `${this.person.username} corrects, no. ${this.drafts}`;
    const edit = () => this.does("PUT", `/api/messages/${id}`, { content }, "message-edit");
    assert.strictEqual(await this.client.insists(edit), undefined, "an edit");
    this.edited.set(id, content);
  }

  async deletes(id) {
    const remove = () => this.does("DELETE", `/api/messages/${id}`, undefined, "message-delete");
    assert.strictEqual(await this.client.insists(remove), undefined, "a deletion");
    this.deleted.add(id);
  }

  /** Reacts once to each message: again would take it back, so nobody may ask twice when the answer is lost. */
  async reacts() {
    this.reactedTo ??= new Set();
    const messages = this.record.events.filter(({ kind, id }) => kind === "said" && !this.reactedTo.has(id));
    if (messages.length === 0) return;
    const { id } = anyOf(messages.slice(-20));
    this.reactedTo.add(id);
    const emoji = anyOf(EMOJIS);
    try {
      const code = await this.does("POST", `/api/messages/${id}/react`, { emoji }, "message-react");
      if (code === undefined) this.reactions.push({ id, emoji });
      else assert.strictEqual(code, "MESSAGE_DELETED");
    } catch (error) {
      if (!(error instanceof Lost)) throw error;
    }
  }

  async reads() {
    const { last } = this.record;
    const read = () => this.does("POST", `/api/messages/${last.id}/read`, undefined, "message-read");
    assert.strictEqual(await this.client.insists(read), undefined, "a read mark");
    this.readSeq = Math.max(this.readSeq, last.seq);
  }

  /** Everything that was acknowledged to it is there. */
  mustHave(history) {
    const name = this.person.username;
    const messages = new Map(history.map((message) => [message.id, message]));
    for (const { id, seq, content } of this.said.values()) {
      const message = messages.get(id);
      assert.strictEqual(message?.seq, seq, `${name}: ${content} is not where it was acknowledged`);
      const wanted = this.deleted.has(id) ? "" : (this.edited.get(id) ?? content);
      assert.strictEqual(message.content, wanted, `${name}: what became of ${content}`);
      assert.strictEqual(message.isDeleted, this.deleted.has(id), `${name}: whether ${content} is deleted`);
    }
    const contents = history.filter(({ sender }) => sender === this.person.id).map(({ content }) => content);
    const doubles = contents.filter((content, place) => content !== "" && contents.indexOf(content) !== place);
    assert.deepStrictEqual(doubles, [], `${name} said something twice`);
    for (const { id, emoji } of this.reactions) {
      const message = messages.get(id);
      const isThere = message.isDeleted || message.reactions.has(`${emoji} ${this.person.id}`);
      assert.ok(isThere, `${name}: the reaction ${emoji} to ${message.seq} is gone`);
    }
  }

  /** What REST counts as unread is what is. */
  async countsRight(history) {
    const { data } = await this.person.does("GET", "/api/rooms?limit=100");
    const { readSeq, unreadCount, lastSeq } = data.find(({ slug }) => slug === this.room);
    const unread = history.filter(({ seq }) => seq > readSeq).length;
    const name = this.person.username;
    assert.deepStrictEqual({ lastSeq, unreadCount }, { lastSeq: history.at(-1).seq, unreadCount: unread }, name);
    assert.ok(readSeq >= this.readSeq, `${name} had read up to ${this.readSeq}, not ${readSeq}`);
  }
}

/** Fails with what is the matter when it is not done after all patience. */
async function inTheEnd(promise, matter) {
  const timer = setTimeout(() => {
    console.error(`in vain:\n${matter().join("\n")}`);
    process.exit(1);
  }, PATIENCE);
  return promise.finally(() => clearTimeout(timer));
}

/** So many at a time. */
async function inTurns(list, act, width = 20) {
  const rest = [...list];
  const worker = async () => {
    while (rest.length > 0) await act(rest.shift());
  };
  await Promise.all(Array.from({ length: width }, worker));
}

async function trials(survivors, cutter) {
  if (trouble === "kills") {
    const lines = createInterface({ input: process.stdin });
    console.log("ready");
    await once(lines, "line");
    return;
  }
  cutter.isCutting = true;
  while (survivors.some(({ client }) => client.returns < returns)) await pause(100);
  cutter.isCutting = false;
}

async function check(room, members) {
  const [first] = members;
  const history = asConversation(await first.person.history(room));
  assert.deepStrictEqual(history.map(({ seq }) => seq), history.map((_, place) => place + 1), `${room} has holes`);
  for (const member of members) {
    const { record } = member;
    assert.deepStrictEqual(record.story(), first.record.story(), `${record.name} and ${first.record.name} differ`);
    assert.deepStrictEqual(record.conversation(), history, `what ${record.name} heard is not what is kept`);
    member.mustHave(history);
  }
  await inTurns(members, (member) => member.countsRight(history));
  return history.length;
}

const sum = (numbers) => numbers.reduce((total, number) => total + number, 0);

play(async () => {
  const cutter = trouble === "cuts" ? new Cutter(address) : undefined;
  const base = cutter ? await cutter.listens() : address;
  const survivors = people.map((person, number) => new Survivor(base, person, number));
  await inTurns(survivors, ({ client, room }) => client.joins(room));
  const groups = rooms.map((room) => survivors.filter((survivor) => survivor.room === room));
  const everybodyHears = async (content) => {
    await Promise.all(groups.map(([speaker]) => speaker.client.says(speaker.room, content, content)));
    await Promise.all(survivors.map(({ record }) => record.heard(content)));
  };
  await everybodyHears("Let us begin.");

  let isOver = false;
  const lives = survivors.map((survivor) => survivor.lives(() => isOver));
  // Whoever fails meanwhile ends all.
  await Promise.race([trials(survivors, cutter), Promise.all(lives)]);
  isOver = true;
  const isLate = ({ doing, record }) => doing || record.last?.content !== "That is all.";
  const state = ({ doing, way, record, client, person }) =>
    `${record.name} ${doing ?? "waits"} (${way}), ${client.returns} returns, heard ${record.last?.seq}, ${record.faults} ` +
    `${person.unanswered.join("; ")}`;
  const matter = () => survivors.filter(isLate).sort((one) => (one.doing ? -1 : 1)).slice(0, 20).map(state);
  await inTheEnd(Promise.all(lives).then(() => everybodyHears("That is all.")), matter);

  const faults = survivors.flatMap(({ record }) => record.faults.map((fault) => `${record.name} ${fault}`));
  assert.deepStrictEqual(faults, []);
  const said = [];
  for (const [number, room] of rooms.entries()) said.push(await check(room, groups[number]));
  assert.deepStrictEqual(survivors.filter(({ client }) => client.returns === 0), [], "everybody was away once");
  const total = (count) => sum(survivors.map(count));
  console.log(
    `${survivors.length} clients in ${rooms.length} rooms heard ${total(({ record }) => record.events.length)} events, ` +
      `${sum(said)} messages, ${total(({ edited }) => edited.size)} edits, ${total(({ deleted }) => deleted.size)} deletions, ` +
      `${total(({ reactions }) => reactions.length)} reactions; ${total(({ client }) => client.returns)} times back, ` +
      `${total(({ client }) => client.lostAnswers)} answers lost${cutter ? `, ${cutter.cuts} lines cut` : ""}`,
  );
});
