// The page at /upload-form, as somebody uses it who has a keyboard, a mouse or a phone: `node upload_page.mjs account|guest`.
import assert from "node:assert";
import { readFileSync } from "node:fs";
import path from "node:path";
import { chromium } from "./packages.mjs";
import { address, play } from "./person.mjs";

const { username, password, pictures } = JSON.parse(readFileSync(process.env.STOA_E2E_CAST, "utf8"));
const browserPath = process.env.STOA_TEST_CHROMIUM ?? "/usr/bin/chromium";
const picture = path.join(pictures, "located.jpg");
const note = { name: "note.txt", mimeType: "text/plain", buffer: Buffer.from("Bread, milk, tea.\n") };
const program = { name: "holiday.png", mimeType: "image/png", buffer: Buffer.from("MZ\x90\0\x03\0\0\0", "latin1") };
const large = { name: "large.txt", mimeType: "text/plain", buffer: Buffer.alloc(3_000_000, "words ") };

/** A browser's window on the page, which complains of whatever the page is not allowed to do. */
async function visit(browser, options = {}) {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  const complaints = [];
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("console", (said) => {
    if (said.text().includes("Content Security Policy")) complaints.push(said.text());
  });
  page.on("request", (request) => {
    const local = request.url().startsWith(address) || request.url().startsWith("blob:");
    if (!local) complaints.push(`it asked for ${request.url()}`);
  });
  await page.goto(`${address}/upload-form`);
  return { page, ends: async () => { assert.deepEqual(complaints, []); await context.close(); } };
}

const row = (page, name) => page.locator("#list li", { has: page.getByText(name, { exact: true }) });

async function signsIn(page) {
  await page.getByLabel("Email or username").fill(username);
  await page.getByLabel("Password").fill(password);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.locator("#drop").waitFor();
}

async function shows(page, name) {
  if (process.env.STOA_TEST_SCREENSHOTS) {
    await page.screenshot({ path: path.join(process.env.STOA_TEST_SCREENSHOTS, `${name}.png`) });
  }
}

async function byKeyboard(browser) {
  const { page, ends } = await visit(browser);
  page.on("filechooser", (chooser) => chooser.setFiles(picture));
  await page.getByLabel("Email or username").focus();
  await page.keyboard.type(username);
  await page.keyboard.press("Tab");
  await page.keyboard.type("not the password");
  await page.keyboard.press("Enter");
  await page.getByRole("alert").filter({ hasText: /\w/ }).waitFor();
  await page.getByLabel("Password").fill("");
  await page.getByLabel("Password").focus();
  await page.keyboard.type(password);
  await page.keyboard.press("Enter");
  await page.locator("#drop").waitFor();
  assert.equal(await page.evaluate(() => document.activeElement.id), "files", "the next key chooses files");
  await page.keyboard.press("Space");
  await row(page, "located.jpg").locator(".state", { hasText: "sent" }).waitFor();
  await ends();
}

async function sendsAndIsRefused(browser) {
  const { page, ends } = await visit(browser, { viewport: { width: 1100, height: 800 } });
  await signsIn(page);
  await page.locator("#files").setInputFiles(picture);
  await page.locator("#files").setInputFiles([note, program]);
  await page.locator("li.done").nth(1).waitFor();
  await page.locator("li.failed").waitFor();
  assert.match(await row(page, "located.jpg").locator(".state").innerText(), /64 × 48, sent$/);
  assert.equal(await row(page, "located.jpg").locator(".preview img").count(), 1);
  const refused = row(page, "holiday.png");
  assert.equal(await refused.getAttribute("class"), "failed");
  assert.ok(await refused.getByRole("button", { name: "Try again" }).isVisible());
  const link = await row(page, "located.jpg").getByRole("link").getAttribute("href");
  const served = await page.request.get(new URL(link, address).href);
  assert.equal(served.headers()["content-type"], "image/webp");
  await shows(page, "desktop");
  await refused.getByRole("button", { name: "Clear holiday.png" }).click();
  assert.equal(await refused.count(), 0);
  await ends();
}

async function drops(browser) {
  const { page, ends } = await visit(browser);
  await signsIn(page);
  const dropped = await page.evaluateHandle(() => {
    const carried = new DataTransfer();
    carried.items.add(new File(["dropped words"], "dropped.txt", { type: "text/plain" }));
    return carried;
  });
  await page.dispatchEvent("body", "dragenter", { dataTransfer: dropped });
  assert.equal(await page.locator("#drop.over").count(), 1);
  await page.dispatchEvent("body", "drop", { dataTransfer: dropped });
  assert.equal(await page.locator("#drop.over").count(), 0);
  await row(page, "dropped.txt").locator(".state", { hasText: "sent" }).waitFor();
  await ends();
}

async function seesProgressAndCancels(browser) {
  const { page, ends } = await visit(browser);
  await signsIn(page);
  const session = await page.context().newCDPSession(page);
  const slow = { offline: false, latency: 0, downloadThroughput: -1, uploadThroughput: 200_000 };
  await session.send("Network.enable");
  await session.send("Network.emulateNetworkConditions", slow);
  await page.locator("#files").setInputFiles(large);
  await page.waitForFunction(() => {
    const { value } = document.querySelector("progress");
    return value > 0 && value < 1;
  });
  await page.getByRole("button", { name: "Cancel large.txt" }).click();
  assert.equal(await page.locator("#list li").count(), 0);
  await ends();
}

async function onAPhoneAndInTheDark(browser) {
  const phone = { viewport: { width: 360, height: 740 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true };
  const { page, ends } = await visit(browser, { ...phone, colorScheme: "dark" });
  await shows(page, "phone-door");
  await signsIn(page);
  await page.locator("#files").setInputFiles(picture);
  await page.locator("#files").setInputFiles(program);
  await page.locator("li.done").waitFor();
  await page.locator("li.failed").waitFor();
  const { width, shown, ground } = await page.evaluate(() => ({
    width: document.documentElement.scrollWidth,
    shown: innerWidth,
    ground: getComputedStyle(document.body).backgroundColor,
  }));
  assert.ok(width <= shown, `nothing sticks out: ${width} of ${shown}`);
  assert.ok(Number(ground.match(/\d+/)[0]) < 60, `dark: ${ground}`);
  await shows(page, "phone");
  await ends();
}

async function asAGuest(browser) {
  const { page, ends } = await visit(browser);
  await page.getByRole("button", { name: "Go on as a guest" }).click();
  await page.locator("#files").setInputFiles(picture);
  await page.locator("li.done").waitFor();
  await ends();
}

async function main() {
  const browser = await chromium().launch({ executablePath: browserPath, args: ["--no-sandbox"] });
  const scenes = process.argv[2] === "guest"
    ? [asAGuest]
    : [byKeyboard, sendsAndIsRefused, drops, seesProgressAndCancels, onAPhoneAndInTheDark];
  try {
    for (const scene of scenes) await scene(browser);
  } finally {
    await browser.close();
  }
}

play(main);
