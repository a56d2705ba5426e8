// Requests to the server. A Refusal has its sentence; an Away says that nobody answered, or that the store is not there.

import { current, headers, signIn } from "./session.js";

export class Refusal extends Error {
  constructor(status, body) {
    super(body?.error?.message ?? body?.detail ?? "The server refused this.");
    this.status = status;
    this.isMissing = status === 404 || status === 410;
    this.type = body?.error?.type;
    this.run = body?.error?.run;
  }
}

export class Away extends Error {}

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// A request as whoever is signed in; where the server does not take that, it waits for them to sign in, and goes out again.
export async function ask(url, options = {}) {
  const sent = current();
  let response;
  try {
    response = await fetch(url, { ...options, headers: { ...options.headers, ...headers() } });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Away("The server cannot be reached.");
  }
  if (response.ok) return response;
  const body = await response.json().catch(() => null);
  if (response.status === 401) {
    await signIn(sent, body?.detail, options.signal);
    return ask(url, options);
  }
  if (response.status === 503) throw new Away(body?.error?.message ?? "The server is not ready.");
  throw new Refusal(response.status, body);
}

function post(type, params) {
  return ask("/chatkit", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ type, params }),
  });
}

// A ChatKit request with a reply in one piece.
export async function request(type, params) {
  return (await post(type, params)).json();
}

// An id stands in a header as in an address.
const named = (response, header) => decodeURIComponent(response.headers.get(header));

// A ChatKit request that starts an answer. The answer is made whoever reads it, so this body is left, and its run followed.
export async function start(type, params) {
  const response = await post(type, params);
  const begun = { thread: named(response, "clew-thread"), run: named(response, "clew-run") };
  response.body?.cancel().catch(() => {});
  return begun;
}

export async function standing(thread) {
  return (await ask(`/api/v1/threads/${encodeURIComponent(thread)}/runs/active`)).json();
}

export function stop(thread, run) {
  return ask(`/api/v1/threads/${encodeURIComponent(thread)}/runs/${encodeURIComponent(run)}/stop`, { method: "POST" });
}
