// A line between clients and a server that breaks at any byte, once it is told to begin.
import { createServer, connect } from "node:net";
import { once } from "node:events";

/** How much a connection carries before it is cut: anything between these, smaller amounts more often. */
const FEWEST_BYTES = 400;
const MOST_BYTES = 15_000;

function endurance() {
  return Math.round(FEWEST_BYTES * (MOST_BYTES / FEWEST_BYTES) ** Math.random());
}

export class Cutter {
  constructor(target) {
    this.target = new URL(target);
    this.isCutting = false;
    this.cuts = 0;
    this.server = createServer((near) => this.carry(near));
  }

  async listens() {
    this.server.listen(0, "127.0.0.1");
    await once(this.server, "listening");
    return `http://127.0.0.1:${this.server.address().port}`;
  }

  carry(near) {
    const far = connect(Number(this.target.port), this.target.hostname);
    const line = { left: endurance() };
    for (const [from, to] of [[near, far], [far, near]]) {
      from.setNoDelay(true);
      from.on("data", (chunk) => this.pass(line, chunk, from, to));
      from.on("end", () => to.end());
      // The other end need not know why.
      from.on("error", () => to.destroy());
    }
  }

  /** Passes on what the line still carries; what is left over is lost with it. */
  pass(line, chunk, from, to) {
    if (this.isCutting) line.left -= chunk.length;
    if (line.left > 0) {
      to.write(chunk);
      return;
    }
    if (!line.isCut) this.cuts += 1;
    line.isCut = true;
    to.end(chunk.subarray(0, Math.max(0, chunk.length + line.left)));
    from.destroy();
  }
}
