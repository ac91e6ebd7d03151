// Somebody with an account, over REST.
import assert from "node:assert";
import { readFileSync } from "node:fs";
import { Agent, request } from "node:http";

export const address = process.env.STOA_E2E_ADDRESS;

/** A connection to each request: one that is kept may be one to a server that is dead. */
const agent = new Agent({ keepAlive: false });

export class Person {
  constructor({ id, username, token }) {
    Object.assign(this, { id, username, token });
    this.calls = new Map();
  }

  /** What is asked and not answered, and how far that is, for whoever waits in vain. */
  get unanswered() {
    const state = ({ socket, res }) => {
      if (!socket) return "without a socket";
      const { connecting, destroyed, localPort, bytesWritten, bytesRead } = socket;
      const stage = connecting ? "connecting" : destroyed ? "destroyed" : "connected";
      return `${stage} from ${localPort}, ${bytesWritten} bytes out, ${bytesRead} in${res ? `, ${res.statusCode}` : ""}`;
    };
    return [...this.calls].map(([call, what]) => `${what} ${state(call)}`);
  }

  /** Asks, and answers status and body; throws when the server is away. */
  ask(method, path, body) {
    const headers = { authorization: `Bearer ${this.token}`, "content-type": "application/json" };
    return new Promise((resolve, reject) => {
      const call = request(`${address}${path}`, { method, headers, agent }, (answer) => {
        let text = "";
        answer.setEncoding("utf8");
        answer.on("data", (part) => (text += part));
        answer.on("end", () => resolve({ status: answer.statusCode, body: text ? JSON.parse(text) : undefined }));
        answer.on("error", reject);
      });
      this.calls.set(call, `${method} ${path}`);
      call.on("close", () => this.calls.delete(call));
      call.on("error", reject);
      call.end(body && JSON.stringify(body));
    });
  }

  /** Asks for what must work. */
  async does(method, path, body) {
    const answer = await this.ask(method, path, body);
    assert.ok(answer.status < 300, `${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
    return answer.body;
  }

  /** All that was said in a room since a number. */
  async history(room, after = 0) {
    const messages = [];
    for (;;) {
      const last = messages.at(-1)?.seq ?? after;
      const page = await this.does("GET", `/api/messages?room=${room}&after=${last}&limit=100`);
      messages.push(...page.data);
      if (page.data.length < 100) return messages;
    }
  }
}

/** Who plays, and with what: made by the test over REST, and named by a file. */
export function readCast() {
  const { people, ...things } = JSON.parse(readFileSync(process.env.STOA_E2E_CAST, "utf8"));
  return { people: people.map((person) => new Person(person)), ...things };
}

/** Runs a script to its end; Node also ends, without a fault, when it waits for what cannot come any more. */
export function play(main) {
  main().then(
    () => {
      console.log("played to the end");
      process.exit(0);
    },
    (error) => {
      console.error(error);
      process.exit(1);
    },
  );
}
