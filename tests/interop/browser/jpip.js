// A small JPIP client for browsers: the roads, the message stream of T.808 Annex A, and one channel.
// It is written from the two binding documents and shares nothing with the Rust client.

/** A road over WebSocket, as docs/jpip-over-websocket.md has it. */
export async function webSocketRoad(url) {
  const socket = new WebSocket(url, "jpip.1");
  socket.binaryType = "arraybuffer";
  await new Promise((resolve, reject) => {
    socket.onopen = resolve;
    socket.onerror = () => reject(new Error(`no WebSocket at ${url}`));
  });
  let next = 0;
  const underWay = new Map();
  const lose = (reason) => {
    for (const answer of underWay.values()) answer.fail(new Error(reason));
    underWay.clear();
  };
  socket.onerror = null;
  socket.onclose = (event) => lose(`the WebSocket was closed (${event.code})`);
  socket.onmessage = ({ data }) => {
    if (typeof data !== "string") {
      const number = new DataView(data).getUint32(0);
      underWay.get(number)?.piece(new Uint8Array(data, 4));
      return;
    }
    const at = data.indexOf(" ");
    const number = Number(data.slice(0, at));
    const rest = data.slice(at + 1);
    const answer = underWay.get(number);
    if (rest === "end") answer?.end();
    else if (rest === "lost") answer?.fail(new Error("the answer broke off"));
    else return answer?.head(parseHead(rest));
    underWay.delete(number);
  };
  return {
    name: "ws",
    request(target) {
      const number = next++;
      const answer = new Answer();
      underWay.set(number, answer);
      socket.send(`${number} ${target}`);
      return answer.started;
    },
    close: () => socket.close(),
  };
}

/** A road over WebTransport, as docs/jpip-over-webtransport.md has it. `hash`: SHA-256 of the certificate, or none. */
export async function webTransportRoad(url, hash) {
  const pins = hash ? { serverCertificateHashes: [{ algorithm: "sha-256", value: hash }] } : {};
  const transport = new WebTransport(url, pins);
  transport.closed.catch(() => {});
  await transport.ready;
  return {
    name: "wt",
    async request(target) {
      const stream = await transport.createBidirectionalStream();
      const writer = stream.writable.getWriter();
      await writer.write(new TextEncoder().encode(target));
      await writer.close();
      const reader = stream.readable.getReader();
      let bytes = new Uint8Array(0);
      for (;;) {
        const end = bytes.findIndex((byte, at) => byte === 10 && bytes[at + 1] === 10);
        if (end >= 0) {
          const head = parseHead(new TextDecoder().decode(bytes.subarray(0, end)));
          return { ...head, body: rest(bytes.subarray(end + 2), reader) };
        }
        const { value, done } = await reader.read();
        if (done) throw new Error("the answer ends within its head");
        bytes = joined([bytes, value]);
      }
    },
    close: () => transport.close(),
  };
}

/** A road over HTTP, whichever the browser takes; bodies are read as they arrive. */
export async function httpRoad(origin) {
  return {
    name: "http",
    async request(target) {
      const response = await fetch(origin + target, { cache: "no-store" });
      const body = rest(new Uint8Array(0), response.body.getReader());
      return { status: response.status, headers: new Map(response.headers), body };
    },
    close() {},
  };
}

/**
 * Fetches a window on a channel of its own, `length` bytes a request, until the server says that it is complete.
 * `window`: the request fields, as `fsiz=..&roff=..&rsiz=..`.
 */
export async function fetchWindow(road, picture, window, length) {
  const bins = new DataBins();
  let target = `/${picture}?cnew=${road.name}&type=jpp-stream&tid=0`;
  let channel;
  let [requests, bytes] = [0, 0];
  let ending;
  for (;;) {
    requests += 1;
    if (requests > 1000) throw new Error("1000 requests, and no end of the window");
    const answer = await road.request(`${target}&${window}&len=${length}&qid=${requests}`);
    const messages = new Messages();
    if (answer.headers.has("jpip-cnew") || answer.status !== 200) {
      ({ channel, target } = await opened(answer));
    }
    ending = undefined;
    for await (const piece of answer.body) {
      bytes += piece.length;
      for (const message of messages.push(piece)) {
        if (message.ending === undefined) bins.add(message);
        else ending = message.ending;
      }
    }
    if (ending === undefined) throw new Error("an answer without end-of-response message");
    // 1: the whole picture, 2: the window. 4: the limit that was asked for.
    if (ending <= 2) break;
    if (ending !== 4) throw new Error(`the answer ended for reason ${ending}`);
  }
  await close(road, target, channel);
  return { bins, requests, bytes };
}

/**
 * Fetches a window with a standing response (docs/jpip-push.md) and closes its channel when `enough` bytes were pushed.
 * Returns the list of data-bins at the end of the window, the bytes of messages after it, and the reasons of both ends.
 */
export async function standAtWindow(road, picture, window, budget, enough) {
  const bins = new DataBins();
  const fields = `type=jpp-stream&tid=0&${window}&push=${budget}&qid=1`;
  const answer = await road.request(`/${picture}?cnew=${road.name}&${fields}`);
  const { channel, target } = await opened(answer);
  const messages = new Messages();
  const endings = [];
  let [pushed, list, closed] = [0, undefined, undefined];
  for await (const piece of answer.body) {
    for (const message of messages.push(piece)) {
      if (message.ending !== undefined) {
        endings.push(message.ending);
        list ??= await bins.list();
      } else {
        if (list) pushed += message.bytes.length;
        bins.add(message);
      }
    }
    if (pushed >= enough) closed ??= close(road, target, channel);
  }
  await closed;
  return { list: list ?? [], pushed, endings, duplicate: bins.duplicate };
}

/** The channel that an answer opens, and how requests on it begin. */
async function opened({ status, headers, body }) {
  if (status !== 200) {
    let text = "";
    for await (const piece of body) text += new TextDecoder().decode(piece);
    throw new Error(`status ${status}: ${text}`);
  }
  const created = headers.get("jpip-cnew");
  if (!created) throw new Error("the server opened no channel");
  const fields = new Map(created.split(",").map((field) => field.split("=")));
  return { channel: fields.get("cid"), target: `/${fields.get("path")}?cid=${fields.get("cid")}` };
}

async function close(road, target, channel) {
  const { body } = await road.request(`${target}&cclose=${channel}&len=0`);
  for await (const _ of body);
}

/** The messages of one answer. Class and codestream carry over from one to the next. */
export class Messages {
  #waiting = new Uint8Array(0);
  #class = 0;
  #codestream = 0;

  /** Takes bytes, cut anywhere; returns the messages that they complete. `ending`: reason of an end-of-response message. */
  push(piece) {
    const bytes = joined([this.#waiting, piece]);
    const messages = [];
    let at = 0;
    for (;;) {
      const read = this.#message(bytes, at);
      if (!read) break;
      at = read.end;
      messages.push(read.message);
    }
    this.#waiting = bytes.slice(at);
    return messages;
  }

  #message(bytes, start) {
    let at = start;
    const vbas = () => {
      let value = 0;
      for (;;) {
        if (at >= bytes.length) return undefined;
        const byte = bytes[at++];
        value = value * 128 + (byte & 127);
        if (!(byte & 128)) return value;
      }
    };
    if (at >= bytes.length) return undefined;
    const first = bytes[at++];
    if (first === 0) {
      if (at >= bytes.length) return undefined;
      const reason = bytes[at++];
      const length = vbas();
      if (length === undefined || at + length > bytes.length) return undefined;
      return { end: at + length, message: { ending: reason } };
    }
    const form = (first >> 5) & 3;
    if (form === 0) throw new Error("a message header that the standard forbids");
    let number = first & 15;
    for (let more = first & 128; more; ) {
      if (at >= bytes.length) return undefined;
      number = number * 128 + (bytes[at] & 127);
      more = bytes[at++] & 128;
    }
    const classOf = form >= 2 ? vbas() : this.#class;
    const codestream = form === 3 ? vbas() : this.#codestream;
    const offset = vbas();
    const length = vbas();
    if (classOf === undefined || codestream === undefined || length === undefined) return undefined;
    if (classOf % 2 === 1 && vbas() === undefined) return undefined;
    if (offset === undefined || at + length > bytes.length) return undefined;
    [this.#class, this.#codestream] = [classOf, codestream];
    const message = {
      class: classOf,
      codestream: classOf === 8 ? 0 : codestream,
      number,
      offset,
      bytes: bytes.slice(at, at + length),
      last: (first & 16) !== 0,
    };
    return { end: at + length, message };
  }
}

/** Data-bins, in pieces as they came. */
export class DataBins {
  #bins = new Map();
  /** Bytes that came though they were there. */
  duplicate = 0;

  add(message) {
    const key = `${message.class} ${message.codestream} ${message.number}`;
    let bin = this.#bins.get(key);
    if (!bin) this.#bins.set(key, (bin = { bytes: new Uint8Array(0), whole: false }));
    if (message.offset > bin.bytes.length) throw new Error(`a gap in data-bin ${key}`);
    const known = bin.bytes.length - message.offset;
    this.duplicate += Math.min(known, message.bytes.length);
    if (known < message.bytes.length) bin.bytes = joined([bin.bytes, message.bytes.subarray(known)]);
    bin.whole ||= message.last;
  }

  /** A line for each: class, codestream, number, bytes held, `whole` or `part`, SHA-256. */
  async list() {
    const lines = [];
    for (const [key, { bytes, whole }] of this.#bins) {
      const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
      const digits = Array.from(hash, (byte) => byte.toString(16).padStart(2, "0")).join("");
      lines.push(`${key} ${bytes.length} ${whole ? "whole" : "part"} ${digits}`);
    }
    return lines;
  }
}

/** An answer that other messages bring piece by piece. */
class Answer {
  #pieces = [];
  #wake = () => {};
  #done = false;
  #error;

  constructor() {
    this.started = new Promise((resolve, reject) => {
      this.head = (head) => resolve({ ...head, body: this.#body() });
      this.refuse = reject;
    });
  }

  piece(bytes) {
    this.#pieces.push(bytes);
    this.#wake();
  }

  end() {
    this.#done = true;
    this.#wake();
  }

  fail(error) {
    this.#error = error;
    this.refuse(error);
    this.#wake();
  }

  async *#body() {
    for (;;) {
      if (this.#pieces.length > 0) yield this.#pieces.shift();
      else if (this.#error) throw this.#error;
      else if (this.#done) return;
      else await new Promise((resolve) => (this.#wake = resolve));
    }
  }
}

async function* rest(waiting, reader) {
  if (waiting.length > 0) yield waiting;
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    yield value;
  }
}

function parseHead(text) {
  const [status, ...lines] = text.split("\n");
  const fields = lines.map((line) => {
    const colon = line.indexOf(":");
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
  });
  return { status: Number(status), headers: new Map(fields) };
}

function joined(parts) {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
