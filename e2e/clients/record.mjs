// What one client heard of one room, and whether that can be.
import assert from "node:assert";

export class Record {
  constructor(name, room) {
    Object.assign(this, { name, room, faults: [], events: [], offsets: new Set(), last: undefined });
    this.waiting = new Map();
  }

  note(kind, payload, offset) {
    if ((payload.room ?? payload.roomId) !== this.room) return;
    const mark = `${offset} ${kind}`;
    if (this.offsets.has(mark)) this.faults.push(`heard ${mark} twice`);
    this.offsets.add(mark);
    const { messageId, id = messageId, seq, content, message = content, userId, sender, emoji, added, count } = payload;
    const event = { kind, offset, id, seq, content: message, userId: userId ?? sender?.id, emoji, added, count };
    this.events.push(event);
    if (kind === "said") {
      this.last = event;
      this.waiting.get(message)?.();
    }
  }

  /** Waits until something was said in the room, and with it all that was before. */
  heard(content) {
    if (this.events.some((event) => event.kind === "said" && event.content === content)) return Promise.resolve();
    return new Promise((resolve) => this.waiting.set(content, resolve));
  }

  /**
   * What happened in the room since its first message, as anybody else in it must have heard it. What was said in a message
   * that was deleted is left out: the log forgets it, so those who were away are not told.
   */
  story() {
    const first = this.events.findIndex((event) => event.kind === "said");
    const deleted = new Set(this.events.filter(({ kind }) => kind === "deleted").map(({ id }) => id));
    const told = (event) => (deleted.has(event.id) ? { ...event, content: undefined } : event);
    return this.events.slice(first).map((event) => JSON.stringify(told(event)));
  }

  /** The conversation, made of nothing but what was heard: each message with its last words and its reactions. */
  conversation() {
    const messages = new Map();
    for (const event of this.events) {
      const message = messages.get(event.id);
      if (event.kind === "said") {
        const { id, seq, content, userId } = event;
        const last = [...messages.values()].at(-1)?.seq ?? seq - 1;
        assert.strictEqual(seq, last + 1, `${this.name} heard message ${seq} after message ${last}`);
        messages.set(id, { id, seq, sender: userId, content, reactions: new Set(), isDeleted: false });
      } else if (event.kind === "edited") {
        message.content = event.content;
      } else if (event.kind === "deleted") {
        Object.assign(message, { content: "", reactions: new Set(), isDeleted: true });
      } else if (event.kind === "reaction") {
        const reaction = `${event.emoji} ${event.userId}`;
        const others = [...message.reactions].filter((other) => other.startsWith(`${event.emoji} `) && other !== reaction);
        assert.notStrictEqual(message.reactions.has(reaction), event.added, `${this.name}: ${JSON.stringify(event)}`);
        if (event.added) message.reactions.add(reaction);
        else message.reactions.delete(reaction);
        assert.strictEqual(event.count, others.length + (event.added ? 1 : 0), `${this.name}: ${JSON.stringify(event)}`);
      }
    }
    return [...messages.values()];
  }
}

/** The same of what REST answers. */
export function asConversation(history) {
  return history.map(({ id, seq, sender, content, reactions, deletedAt }) => ({
    id,
    seq,
    sender: sender.id,
    content,
    reactions: new Set(Object.entries(reactions).flatMap(([emoji, users]) => users.map((user) => `${emoji} ${user}`))),
    isDeleted: deletedAt !== undefined,
  }));
}
