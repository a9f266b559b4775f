// Lets headless Chromium fetch a window over each road, and compares its data-bins with those of the Rust client; then lets
// the server push, where the road allows.
// Environment: WAVETILE, LIST_BINS (programs), CHROMIUM, ROOT (a directory with mandelbrot.jp2), OUT (scratch).
// Prints a row for each road: peer, road, what, pass or fail, detail; separated by tabs.

import { execFileSync, spawn } from "node:child_process";
import { createHash, X509Certificate } from "node:crypto";
import { mkdtempSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";

const { WAVETILE, LIST_BINS, CHROMIUM, ROOT, OUT } = process.env;
const here = import.meta.dirname;
const picture = "mandelbrot.jp2";
const window = { fsiz: "2048,2048", roff: "700,500", rsiz: "640,480" };
const fields = Object.entries(window).map(([name, value]) => `${name}=${value}`).join("&");
// So little that a window takes several requests, each of which goes on within a data-bin.
const length = 30_000;
// The page has had enough of pushed bytes at a quarter of this.
const budget = 200_000;
const children = [];

/** Starts a server; resolves to its addresses, `tcp` among them if it was asked for. */
function serve(...more) {
  const child = spawn(WAVETILE, ["serve", ROOT, "--listen", "127.0.0.1:0", ...more]);
  children.push(child);
  return new Promise((resolve, reject) => {
    let text = "";
    child.stdout.on("data", (data) => {
      text += data;
      const udp = /https:\/\/(127\.0\.0\.1:\d+)\/\s+fingerprint: ([0-9a-f]{64})/.exec(text);
      const tcp = /http:\/\/(127\.0\.0\.1:\d+)\//.exec(text);
      if (udp && (tcp || !more.includes("--http"))) {
        resolve({ udp: udp[1], fingerprint: udp[2], tcp: tcp?.[1] });
      }
    });
    child.on("error", reject);
    child.on("exit", () => reject(new Error(`wavetile serve ended: ${text}`)));
  });
}

/** A certificate that Chromium is told to believe over HTTP/3: it takes no hash of a certificate there, but of its key. */
function certificate() {
  const [cert, key] = [join(OUT, "cert.pem"), join(OUT, "key.pem")];
  const names = ["-subj", "/CN=wavetile", "-addext", "subjectAltName=IP:127.0.0.1"];
  const kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "10"];
  execFileSync("openssl", ["req", "-x509", ...kind, ...names, "-keyout", key, "-out", cert], { stdio: "ignore" });
  const public_key = new X509Certificate(readFileSync(cert)).publicKey.export({ type: "spki", format: "der" });
  return { cert, key, spki: createHash("sha256").update(public_key).digest("base64") };
}

/** Serves the page; resolves to what it posts. */
function site() {
  const types = { "/": ["index.html", "text/html"], "/jpip.js": ["jpip.js", "text/javascript"] };
  let posted;
  const results = new Promise((resolve) => (posted = resolve));
  const server = createServer((request, response) => {
    const path = request.url.split("?")[0];
    if (request.method === "POST" && path === "/results") {
      let body = "";
      request.on("data", (data) => (body += data));
      request.on("end", () => (response.end(), posted(JSON.parse(body))));
    } else if (types[path]) {
      response.setHeader("Content-Type", types[path][1]);
      response.end(readFileSync(join(here, types[path][0])));
    } else {
      response.writeHead(404).end();
    }
  });
  return new Promise((resolve) => {
    server.listen(0, "127.0.0.1", () => resolve({ port: server.address().port, results, server }));
  });
}

const first_difference = (mine, theirs) => {
  const [ours, other] = [new Set(mine), new Set(theirs)];
  const missing = mine.find((line) => !other.has(line));
  return missing ? `not there: ${missing}` : `too much: ${theirs.find((line) => !ours.has(line))}`;
};

async function main() {
  const plain = await serve("--http", "127.0.0.1:0");
  const pinned = certificate();
  const forced = await serve("--cert", pinned.cert, "--key", pinned.key);
  const page = await site();

  const listed = execFileSync(
    LIST_BINS,
    [`jpip://${plain.udp}/${picture}`, plain.fingerprint, window.fsiz, window.roff, window.rsiz],
    { encoding: "utf8" },
  );
  const expected = listed.trim().split("\n").sort();
  if (expected.length < 20) throw new Error(`only ${expected.length} data-bins make no proof`);

  const addresses = [
    ["WebSocket", { road: "ws", url: `ws://${plain.tcp}/` }],
    ["WebTransport", { road: "wt", url: `https://${plain.udp}/jpip`, fingerprint: plain.fingerprint }],
    ["HTTP/3", { road: "http", url: `https://${forced.udp}` }],
    ["HTTP/1.1", { road: "http", url: `http://${plain.tcp}` }],
  ];
  const asked = { picture, window: fields };
  const steps = [
    ...addresses.map(([name, to]) => [name, { ...to, ...asked, length }]),
    ...addresses.slice(0, 3).map(([name, to]) => [name, { ...to, ...asked, push: budget }]),
  ];
  const plan = encodeURIComponent(JSON.stringify(steps.map(([, one]) => one)));
  const chromium = spawn(CHROMIUM, [
    "--headless=new",
    "--disable-gpu",
    "--no-first-run",
    // Its sandbox does not work for root, nor in most containers.
    "--no-sandbox",
    `--user-data-dir=${mkdtempSync(join(OUT, "profile-"))}`,
    `--origin-to-force-quic-on=${forced.udp}`,
    `--ignore-certificate-errors-spki-list=${pinned.spki}`,
    `http://127.0.0.1:${page.port}/?plan=${plan}`,
  ], { stdio: "ignore" });
  children.push(chromium);
  let loaded = false;
  page.server.on("request", () => { loaded = true; });
  const gone = new Promise((resolve) => chromium.on("exit", () => resolve(undefined)));
  const patience = new Promise((resolve) => setTimeout(resolve, 100_000, undefined).unref());
  const results = await Promise.race([page.results, gone, patience]);
  page.server.close();

  steps.forEach(([road, step], at) => {
    const result = results?.[at] ?? { error: "the page said nothing" };
    const got = result.list?.sort() ?? [];
    let detail = result.error;
    if (!detail && got.join("\n") !== expected.join("\n")) detail = first_difference(expected, got);
    if (!detail && result.duplicate > 0) detail = `${result.duplicate} bytes twice`;
    if (!detail && step.push) {
      // 2: the window is done, and the response goes on; 3: the channel was closed.
      if (result.endings.join() !== "2,3") detail = `ended for the reasons ${result.endings}`;
      else if (result.pushed > budget) detail = `${result.pushed} bytes, ${budget} were allowed`;
    }
    // A browser that does not even ask for the page tells nothing about the server; in CI it has to.
    if (!loaded) detail = "Chromium does not run here";
    const excused = !loaded && ["", "false"].includes(process.env.CI ?? "");
    const verdict = excused ? "skipped" : detail ? "fail" : "pass";
    detail ??= step.push
      ? `${got.length} bins equal at the window's end, then ${result.pushed} bytes pushed`
      : `${got.length} bins equal, ${result.bytes} bytes in ${result.requests} requests`;
    const what = step.push ? "a standing response" : "a window's data-bins";
    console.log(["Chromium", road, what, verdict, detail].join("\t"));
  });
}

main()
  .then(() => 0, (error) => (console.error(error), 1))
  .then((code) => {
    for (const child of children) child.kill("SIGKILL");
    process.exit(code);
  });
