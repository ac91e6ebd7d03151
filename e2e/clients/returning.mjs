// Clients that come back by themselves after every break: the official one over Socket.IO, unmodified, and one over plain
// WebSocket that does what docs/realtime.md tells.
import { io, WebSocket } from "./packages.mjs";

const SHORTEST_PAUSE = 50;
const LONGEST_PAUSE = 500;
const SOME = 6;

export const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** What was sent may have arrived or not: the line is gone. */
export class Lost extends Error {}

/** What events are called here, whatever they are called on the wire. */
const KINDS = new Map([
  ["new-message", "said"],
  ["message", "said"],
  ["message-edited", "edited"],
  ["message_edited", "edited"],
  ["message-deleted", "deleted"],
  ["message_deleted", "deleted"],
  ["message-reaction", "reaction"],
  ["message_reaction", "reaction"],
]);

/** What both kinds of client share: whom they tell what they hear, and how often they came back. */
class Returning {
  constructor(record) {
    this.record = record;
    this.returns = 0;
    this.lostAnswers = 0;
  }

  /** A place in the room, kept over every break. */
  async joins(room) {
    const ack = await this.insists(() => this.ask(this.words.join, this.words.room(room)));
    if (!ack.ok) throw new Error(`cannot join ${room}: ${JSON.stringify(ack)}`);
  }

  /** Says something until it is known to be said, each time under the same `clientId`. */
  async says(room, content, clientId) {
    const ack = await this.insists(() => this.ask(this.words.say, this.words.draft(room, content, clientId)));
    if (!ack.ok) throw new Error(`cannot say ${content}: ${JSON.stringify(ack)}`);
    return ack.message;
  }

  /** Does something again until it is answered. */
  async insists(act) {
    for (;;) {
      try {
        return await act();
      } catch (error) {
        if (!(error instanceof Lost)) throw error;
        this.lostAnswers += 1;
      }
    }
  }

  hears(name, payload, offset) {
    if (offset !== undefined) this.record.note(KINDS.get(name) ?? name, payload, offset);
  }

  comesBack(isRecovered) {
    this.returns += 1;
    if (!isRecovered) this.record.faults.push(`was not recovered after break no. ${this.returns}`);
  }
}

export class SocketIoClient extends Returning {
  words = {
    join: "join-room",
    room: (room) => room,
    say: "send-message",
    draft: (room, content, clientId) => ({ room, content, clientId }),
  };

  constructor(address, person, record, number) {
    super(record);
    // Some of them begin with polling and upgrade, as the client does unless told. One that loses its line in the middle of
    // an upgrade notices only by the missing heartbeat, after 45 s: that is its way, and not a loss.
    const transports = number % SOME === 0 ? undefined : { transports: ["websocket"] };
    const delays = { reconnectionDelay: SHORTEST_PAUSE, reconnectionDelayMax: LONGEST_PAUSE };
    this.socket = io(address, { auth: { token: person.token }, forceNew: true, ...delays, ...transports });
    this.socket.onAny((name, payload, offset) => this.hears(name, payload, offset));
    let wasHere = false;
    this.socket.on("connect", () => {
      if (wasHere) this.comesBack(this.socket.recovered);
      wasHere = true;
    });
    this.socket.on("connect_error", (error) => {
      // The server's word, not the line's: the client would not try again.
      if (!this.socket.active) record.faults.push(`was sent away: ${error.message} ${JSON.stringify(error.data)}`);
    });
    this.socket.on("disconnect", (reason) => {
      this.whenLost?.();
      if (!this.socket.active) record.faults.push(`was sent away: ${reason}`);
    });
  }

  async ask(name, payload) {
    try {
      return await this.socket.emitWithAck(name, payload);
    } catch (error) {
      throw new Lost(error.message);
    }
  }
}

export class WsClient extends Returning {
  words = {
    join: "join_room",
    room: (roomId) => ({ roomId }),
    say: "send_message",
    draft: (roomId, message, clientId) => ({ roomId, message, clientId }),
  };

  constructor(address, person, record) {
    super(record);
    this.url = `${address.replace("http", "ws")}/ws?token=${person.token}`;
    this.asked = 0;
    this.open = new Map();
    this.isAway();
    this.comes();
  }

  /** From now on whoever wants to say something waits for the next greeting, whichever attempt it takes. */
  isAway() {
    if (this.greet) return;
    this.here = new Promise((resolve) => {
      this.greet = resolve;
    });
  }

  /** Connects, coming back as who it was if it was anybody. */
  comes() {
    const { session, offset } = this;
    const query = session === undefined ? "" : `&session=${session}&offset=${offset}`;
    this.socket = new WebSocket(this.url + query);
    this.socket.on("message", (data) => this.reads(JSON.parse(data), session !== undefined));
    this.socket.on("close", (code) => this.goes(code));
    // A close follows.
    this.socket.on("error", () => {});
  }

  reads({ type, id, payload, offset }, isBack) {
    if (offset !== undefined) this.offset = offset;
    if (type === "ack") {
      this.open.get(id)?.resolve(payload);
      this.open.delete(id);
    } else if (type === "authenticated") {
      this.session = payload.session;
      if (isBack) this.comesBack(payload.recovered);
      this.greet?.();
      this.greet = undefined;
    } else {
      this.hears(type, payload, offset);
    }
  }

  async goes(code) {
    this.isAway();
    this.whenLost?.();
    if (code === 1008 || code === 1009) this.record.faults.push(`was sent away: ${code}`);
    for (const { reject } of this.open.values()) reject(new Lost(`closed with ${code}`));
    this.open.clear();
    await pause(SHORTEST_PAUSE + Math.random() * (LONGEST_PAUSE - SHORTEST_PAUSE));
    this.comes();
  }

  async ask(type, payload) {
    await this.here;
    if (this.socket.readyState !== WebSocket.OPEN) {
      await pause(SHORTEST_PAUSE);
      throw new Lost("closing");
    }
    this.asked += 1;
    const id = this.asked;
    return new Promise((resolve, reject) => {
      this.open.set(id, { resolve, reject });
      this.socket.send(JSON.stringify({ type, payload, id }));
    });
  }
}
