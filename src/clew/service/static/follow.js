// Following an answer: from its first event, or from the last one seen, on whichever worker answers, until its end.

import { isAsking } from "./session.js";
import { ask, Refusal } from "./wire.js";

const ENDINGS = new Set(["done", "error", "cancelled", "interrupted"]);
const SILENCE_MS = 45_000; // three times the server's heartbeat

async function* read(body, heard) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    heard();
    text += value;
    let at;
    while ((at = text.indexOf("\n\n")) >= 0) {
      const event = { id: null, kind: "frame", data: "" };
      for (const line of text.slice(0, at).split("\n")) {
        if (line.startsWith("id: ")) event.id = line.slice(4);
        else if (line.startsWith("event: ")) event.kind = line.slice(7);
        else if (line.startsWith("data: ")) event.data += line.slice(6);
      }
      text = text.slice(at + 2);
      if (event.data) yield event;
    }
  }
}

// Calls on.frame(frame), on.resync(), on.away(error), on.back(), and on.rest(ms) between tries; returns the ending's kind, "gone", or null when left.
export async function follow(thread, run, on, signal) {
  const url = `/api/v1/threads/${encodeURIComponent(thread)}/runs/${encodeURIComponent(run)}/events`;
  let last = null;
  for (let tries = 0; !signal.aborted; tries++) {
    const silence = new AbortController();
    const leave = () => silence.abort();
    signal.addEventListener("abort", leave);
    let timer;
    const heard = () => {
      clearTimeout(timer);
      timer = setTimeout(leave, SILENCE_MS);
    };
    try {
      heard();
      const response = await ask(url, { headers: last ? { "last-event-id": last } : {}, signal: silence.signal });
      on.back();
      for await (const event of read(response.body, heard)) {
        if (signal.aborted) return null;
        tries = 0;
        if (event.id) last = event.id;
        if (event.kind === "frame") on.frame(JSON.parse(event.data));
        else if (event.kind === "resync") await on.resync();
        else if (ENDINGS.has(event.kind)) return event.kind;
      }
    } catch (error) {
      if (signal.aborted) return null;
      if (error instanceof Refusal && error.status < 500) return "gone";
      if (isAsking()) {
        await isAsking();
        continue;
      }
      on.away(error);
    } finally {
      clearTimeout(timer);
      signal.removeEventListener("abort", leave);
    }
    await on.rest(Math.min(250 * 2 ** tries, 5000) * (0.75 + Math.random() / 2));
  }
  return null;
}
