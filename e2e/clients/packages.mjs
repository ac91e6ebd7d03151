// The packages of other people that these clients are. `import` does not look into NODE_PATH, `require` does.
import { createRequire } from "node:module";

const require = createRequire(import.meta.url);

export const { io } = require("socket.io-client");
export const { WebSocket } = require("ws");
/** Only one script wants it, and it is large. */
export const chromium = () => require("playwright-core").chromium;
