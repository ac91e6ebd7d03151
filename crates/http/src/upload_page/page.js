// Sends files, one after the other, and says what became of each. Nothing is kept: a token lives as long as the page.

const AT_ONCE = 2;

const find = (selector, within = document) => within.querySelector(selector);
const [door, desk, list, told] = ["#door", "#desk", "#list", "#told"].map((selector) => find(selector));

let token = null;
let running = 0;
const waiting = [];

// Signing in.

find("#sign-in").addEventListener("submit", async (event) => {
  event.preventDefault();
  const form = event.target;
  const button = find("[type=submit]", form);
  button.disabled = true;
  find("#door-error").textContent = "";
  try {
    await signIn(form);
  } catch (error) {
    find("#door-error").textContent = error.message;
  } finally {
    button.disabled = false;
  }
});

async function signIn(form) {
  const name = form.elements.email.value.trim();
  const asked = { password: form.elements.password.value };
  asked[name.includes("@") ? "email" : "username"] = name;
  if (!form.elements.totp.hidden) asked.totp = form.elements.totp.value.trim();
  const response = await fetch("/api/auth/login", {
    method: "POST",
    headers: { "content-type": "application/json", "api-version": "v2" },
    body: JSON.stringify(asked),
  }).catch(() => {
    throw new Error("The server cannot be reached.");
  });
  const answer = await response.json().catch(() => null);
  if (!response.ok) {
    const refusal = reason(answer, response.status);
    if (refusal.code?.startsWith("TOTP_")) showCode(form);
    throw new Error(refusal.words);
  }
  const session = answer.data ?? answer;
  token = session.accessToken;
  form.reset();
  enter(session.user?.username ?? name);
}

function showCode(form) {
  for (const part of form.querySelectorAll(".code")) part.hidden = false;
  form.elements.totp.focus();
}

find("#as-guest").addEventListener("click", () => enter("Guest"));
find("#sign-out").addEventListener("click", () => {
  token = null;
  desk.hidden = true;
  door.hidden = false;
  find("#email").focus();
});

function enter(name) {
  door.hidden = true;
  desk.hidden = false;
  find("#who").textContent = name;
  find("#files").focus();
}

// Choosing files: with the picker, or by dropping them anywhere on the page.

find("#files").addEventListener("change", (event) => {
  take(event.target.files);
  event.target.value = "";
});

let depth = 0;
const over = (change) => {
  depth = change === 0 ? 0 : Math.max(0, depth + change);
  find("#drop").classList.toggle("over", depth > 0);
};
addEventListener("dragenter", (event) => { event.preventDefault(); over(1); });
addEventListener("dragleave", () => over(-1));
addEventListener("dragover", (event) => event.preventDefault());
addEventListener("drop", (event) => {
  event.preventDefault();
  over(0);
  if (!desk.hidden) take(event.dataTransfer.files);
});

function take(files) {
  for (const file of files) waiting.push(rowOf(file));
  next();
}

// The list.

function rowOf(file) {
  const element = find("#row").content.cloneNode(true).firstElementChild;
  const row = { file, element, request: null };
  find(".name", element).textContent = file.name;
  find(".name", element).title = file.name;
  preview(file, find(".preview", element));
  say(row, "waiting", `${size(file.size)}, waiting`);
  button(row, "Cancel");
  find("progress", element).setAttribute("aria-label", `Progress of ${file.name}`);
  find(".stop", element).addEventListener("click", () => stop(row));
  find(".again", element).addEventListener("click", () => again(row));
  list.prepend(element);
  return row;
}

function preview(file, place) {
  const ending = file.name.includes(".") ? file.name.split(".").pop().slice(0, 4).toUpperCase() : "?";
  place.textContent = ending;
  if (!/^image\/(jpeg|png|gif|webp|avif)$/.test(file.type)) return;
  const image = new Image();
  image.alt = "";
  image.src = URL.createObjectURL(file);
  image.decode().then(() => place.replaceChildren(image), () => {}).finally(() => URL.revokeObjectURL(image.src));
}

function say(row, state, words) {
  row.element.className = state;
  find(".state", row.element).textContent = words;
}

function offer(row, { open = null, again = false, stop = "" }) {
  const link = find(".open", row.element);
  link.hidden = !open;
  if (open) {
    link.href = open;
    link.setAttribute("aria-label", `Open ${row.file.name}`);
  }
  find(".again", row.element).hidden = !again;
  button(row, stop);
}

function button(row, words) {
  const button = find(".stop", row.element);
  button.textContent = words;
  button.setAttribute("aria-label", `${words} ${row.file.name}`);
}

function again(row) {
  find("progress", row.element).value = 0;
  say(row, "waiting", `${size(row.file.size)}, waiting`);
  offer(row, { stop: "Cancel" });
  waiting.push(row);
  next();
}

function stop(row) {
  const place = waiting.indexOf(row);
  if (place >= 0) waiting.splice(place, 1);
  if (row.request) row.request.abort();
  const neighbour = row.element.nextElementSibling ?? row.element.previousElementSibling;
  row.element.remove();
  // Who works by keyboard is not thrown back to the top.
  (neighbour ? find(".stop", neighbour) : find("#files")).focus();
}

// Sending.

function next() {
  while (running < AT_ONCE && waiting.length > 0) {
    running += 1;
    send(waiting.shift()).finally(() => {
      running -= 1;
      next();
    });
  }
}

// XMLHttpRequest, since fetch does not tell how far an upload has come.
function send(row) {
  return new Promise((done) => {
    const request = new XMLHttpRequest();
    row.request = request;
    request.open("POST", token ? "/api/files/upload" : "/upload");
    if (token) {
      request.setRequestHeader("authorization", `Bearer ${token}`);
      request.setRequestHeader("api-version", "v2");
    }
    request.setRequestHeader("accept", "application/json");
    request.responseType = "json";
    request.upload.addEventListener("progress", (event) => advance(row, event));
    request.addEventListener("load", () => answered(row, request));
    request.addEventListener("error", () => fail(row, "The connection was lost."));
    request.addEventListener("loadend", () => {
      row.request = null;
      done();
    });
    const form = new FormData();
    form.append("file", row.file);
    request.send(form);
    say(row, "sending", `${size(row.file.size)}, sending`);
  });
}

function advance(row, event) {
  if (!event.lengthComputable) return;
  const part = event.total ? event.loaded / event.total : 1;
  find("progress", row.element).value = part;
  const words = part < 1 ? `${Math.floor(part * 100)} % of ${size(row.file.size)}` : "being looked at";
  say(row, "sending", words);
}

function answered(row, request) {
  const answer = request.response;
  if (request.status !== 201 && request.status !== 200) {
    fail(row, reason(answer, request.status).words);
    if (request.status === 401 && token) signInAgain();
    return;
  }
  const file = answer?.data ?? answer?.file ?? answer;
  const measures = file.width ? `, ${file.width} × ${file.height}` : "";
  say(row, "done", `${size(file.size)}${measures}, sent`);
  offer(row, { open: file.url, stop: "Clear" });
  told.textContent = `${row.file.name} was sent.`;
}

function fail(row, words) {
  say(row, "failed", words);
  offer(row, { again: true, stop: "Clear" });
  told.textContent = `${row.file.name} was not sent. ${words}`;
}

function signInAgain() {
  token = null;
  desk.hidden = true;
  door.hidden = false;
  find("#door-error").textContent = "Sign in again, please: you were away for too long.";
}

/** What a refusal says, in whichever of the server's shapes. */
function reason(answer, status) {
  const error = answer?.error ?? answer ?? {};
  const field = error.errors?.[0] ?? error.fields?.[0];
  const words = field?.message ?? error.detail ?? error.message ?? (typeof error === "string" ? error : null);
  return { code: error.code, words: words ?? `The server refused it (${status}).` };
}

function size(bytes) {
  if (bytes < 1000) return `${bytes} B`;
  if (bytes < 1_000_000) return `${Math.round(bytes / 1000)} kB`;
  return `${(bytes / 1_000_000).toFixed(1)} MB`;
}

// Whether guests may, the server says in the page.
if (document.documentElement.dataset.guests === "on") find("#as-guest").hidden = false;
door.hidden = false;
