// What one client has heard, in its order, to be asked for when it matters.
import assert from "node:assert";
import { isDeepStrictEqual } from "node:util";
import { flawOf } from "./contract.mjs";

/** How long anything may take before it is missed. Nothing here is about being quick. */
const PATIENCE = 120_000;

/** Whether a value has all that is wanted of it; a function decides by itself, an object may have more. */
export function fits(actual, wanted) {
  if (typeof wanted === "function") return Boolean(wanted(actual));
  if (wanted === null || typeof wanted !== "object" || Array.isArray(wanted)) return isDeepStrictEqual(actual, wanted);
  if (actual === null || typeof actual !== "object") return false;
  return Object.entries(wanted).every(([name, value]) => fits(actual[name], value));
}

/** A promise that is given up with a sentence when it takes too long. */
export function inTime(promise, what) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`in vain: ${what()}`)), PATIENCE);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

export class Ear {
  constructor(name, isInLobby = false) {
    Object.assign(this, { name, isInLobby });
    this.events = [];
    this.flaws = [];
    this.offset = undefined;
    this.waiting = new Set();
  }

  note(name, payload, offset) {
    const flaw = flawOf(name, payload, offset, this.isInLobby);
    if (flaw) this.flaws.push(flaw);
    if (offset !== undefined) this.offset = offset;
    const event = { name, payload, offset };
    this.events.push(event);
    for (const look of this.waiting) look(event);
  }

  /** Where the record ends now. */
  get end() {
    return this.events.length;
  }

  /** What of this name and with these fields was heard since a place in the record. */
  all(name, wanted = {}, since = 0) {
    return this.events.slice(since).filter((event) => event.name === name && fits(event.payload, wanted));
  }

  /** Waits for an event, unless it was heard already. */
  async hears(name, wanted = {}, since = 0) {
    const [found] = this.all(name, wanted, since);
    if (found) return found;
    let look;
    const heard = new Promise((resolve) => {
      look = (event) => event.name === name && fits(event.payload, wanted) && resolve(event);
      this.waiting.add(look);
    });
    const last = () => this.events.slice(-8).map((event) => `\n    ${JSON.stringify(event)}`);
    const what = () => `${this.name} hears ${name} ${JSON.stringify(wanted)}; the last heard: ${last().join("")}`;
    return inTime(heard, what).finally(() => this.waiting.delete(look));
  }

  /** Fails if something was heard; ask after hearing what was sent behind it. */
  heardNo(name, wanted = {}, since = 0) {
    const found = this.all(name, wanted, since);
    assert.deepStrictEqual(found, [], `${this.name} should not have heard ${name}`);
  }

  /** Every event was as documented, and no durable one came twice. */
  mustBeSound() {
    assert.deepStrictEqual(this.flaws, [], `what ${this.name} heard`);
    const kept = this.events.filter((event) => event.offset !== undefined && event.name !== "authenticated");
    const marks = kept.map((event) => `${event.offset} ${event.name}`);
    assert.strictEqual(new Set(marks).size, marks.length, `${this.name} heard something twice: ${marks}`);
  }
}
