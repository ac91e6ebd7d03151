// What docs/realtime.md promises of every event that is heard, read from its tables.
import { readFileSync } from "node:fs";

const page = readFileSync(new URL("../../docs/realtime.md", import.meta.url), "utf8");

/** The fields in braces, e.g. `{id, clientId?}`, as names to whether they are always there. */
function fieldsOf(text, shapes) {
  const braces = text.match(/`\{([^}]*)\}`/)?.[1] ?? shapes.get(text.match(/`(\w+)`/)?.[1]);
  if (braces === undefined) throw new Error(`docs/realtime.md: no fields in ${text}`);
  const names = braces.split(",").map((name) => name.trim());
  return new Map(names.map((name) => [name.replace("?", ""), !name.endsWith("?")]));
}

function rowsOf(lines) {
  const rows = lines.filter((line) => line.startsWith("| `")).map((line) => line.split("|").slice(1, -1));
  return rows.map((cells) => cells.map((cell) => cell.trim()));
}

function sections() {
  const found = new Map();
  let title, part;
  for (const line of page.split("\n")) {
    if (line.startsWith("## ")) [title, part] = [line.slice(3), ""];
    else if (line.startsWith("### ")) part = line.slice(4);
    else found.set(`${title}/${part}`, [...(found.get(`${title}/${part}`) ?? []), line]);
  }
  return found;
}

function readContract() {
  const found = sections();
  const shapes = new Map();
  for (const [name, text] of rowsOf(found.get("Shapes/"))) {
    const braces = text.match(/`\{([^}]*)\}`/)?.[1];
    if (/^`\w+`$/.test(name) && braces) shapes.set(name.replaceAll("`", ""), braces);
  }
  const [lobby, others] = [new Map(), new Map()];
  for (const [place, lines] of found) {
    const [title, part] = place.split("/");
    if (part !== "What you hear") continue;
    const heard = title === "The lobby" ? lobby : others;
    for (const [name, payload, kept] of rowsOf(lines)) {
      heard.set(name.replaceAll("`", ""), { fields: fieldsOf(payload, shapes), isKept: kept === "yes" });
    }
  }
  return { lobby, others };
}

const contract = readContract();

/** What is wrong with an event by the documentation; nothing when it is as promised. Words mean something else in the lobby. */
export function flawOf(name, payload, offset, isInLobby) {
  const promised = contract[isInLobby ? "lobby" : "others"].get(name);
  if (!promised) return `${name} is not in docs/realtime.md`;
  const has = offset !== undefined;
  if (has !== (promised.isKept || name === "authenticated")) return `${name} ${has ? "has an" : "has no"} offset`;
  if (has && typeof offset !== "string") return `${name}: its offset is no string`;
  // An ack also has what stands with the event that it answers.
  if (name === "ack") return undefined;
  const missing = [...promised.fields].filter(([field, isSure]) => isSure && !(field in payload)).map(([field]) => field);
  const unknown = Object.keys(payload).filter((field) => !promised.fields.has(field));
  if (missing.length > 0) return `${name} lacks ${missing}: ${JSON.stringify(payload)}`;
  if (unknown.length > 0) return `${name} has ${unknown}, which docs/realtime.md does not know`;
}
