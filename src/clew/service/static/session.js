// Who is signed in: a token, kept for as long as this tab is open, and asked for where the server wants another one.
// It is sent in a header only, never in an address.

const KEY = "clew.token";
const CHECK = "/api/v1/threads?limit=1";
const $ = (id) => document.getElementById(id);

let token = sessionStorage.getItem(KEY);
let asking = null;

export const isSignedIn = () => token !== null;
export const headers = () => (token === null ? {} : { authorization: `Bearer ${token}` });
export const current = () => token;
export const isAsking = () => asking;

// What a token says of its owner; the server alone knows whether it is true.
function claims(text) {
  try {
    const part = text.split(".")[1].replaceAll("-", "+").replaceAll("_", "/");
    return JSON.parse(new TextDecoder().decode(Uint8Array.from(atob(part), (each) => each.charCodeAt(0))));
  } catch {
    return {};
  }
}

function whose(text) {
  return text.startsWith("clew_") ? text.split("_")[1] : `${claims(text).sub}`;
}

function nameOf(text) {
  return text.startsWith("clew_") ? "an API key" : `${claims(text).email || claims(text).sub}`;
}

function keep(text) {
  token = text;
  if (text === null) sessionStorage.removeItem(KEY);
  else sessionStorage.setItem(KEY, text);
  draw();
}

function draw() {
  $("account").hidden = token === null;
  if (token !== null) $("account-name").textContent = $("account-name").title = nameOf(token);
}

// A sign-in that sends people back here puts the token, or what went wrong, behind the address. It does not stay there.
export function takeFromAddress() {
  const given = new URLSearchParams(location.hash.slice(1));
  const text = given.get("access_token");
  const error = given.get("error_description") ?? given.get("error");
  if (!text && !error) return false;
  history.replaceState(null, "", location.pathname + location.search);
  if (text) keep(text);
  else why = error;
  return true;
}

let why = "";

// Return when there is another token than the one that was refused. Everybody who waits waits for the same answer.
export async function signIn(refused, reason, signal) {
  if (token !== refused) return;
  asking ??= ask(refused !== null && reason ? reason : why).finally(() => (asking = null));
  if (!signal) return asking;
  const left = new Promise((_, reject) => {
    const leave = () => reject(new DOMException("left", "AbortError"));
    if (signal.aborted) leave();
    signal.addEventListener("abort", leave, { once: true });
  });
  return Promise.race([asking, left]);
}

function ask(reason) {
  const before = token;
  const dialog = $("sign-in");
  const tell = (text) => {
    $("sign-in-why").textContent = text;
    $("sign-in-why").hidden = !text;
  };
  tell(reason && `${reason[0].toUpperCase()}${reason.slice(1)}.`.replace(/\.\.$/, "."));
  $("token").value = "";
  return new Promise((resolve) => {
    let done = false;
    dialog.oncancel = (event) => event.preventDefault();
    // A browser may close it all the same.
    dialog.onclose = () => !done && dialog.showModal();
    dialog.querySelector("form").onsubmit = async (event) => {
      event.preventDefault();
      const text = $("token").value.trim().replace(/^Bearer\s+/i, "");
      if (!/^[\x21-\x7e]+$/.test(text)) return tell("This is no token. Copy the whole of it, and nothing else.");
      $("sign-in-go").disabled = true;
      const problem = await refusal(text);
      $("sign-in-go").disabled = false;
      if (problem) return tell(problem);
      done = true;
      keep(text);
      // What is on the page, and what waits to be sent, is the one's who was here before.
      if (before !== null && whose(before) !== whose(text)) return location.replace("/");
      $("token").value = "";
      dialog.close();
      resolve();
    };
    if (!dialog.open) dialog.showModal();
  });
}

async function refusal(text) {
  try {
    const response = await fetch(CHECK, { headers: { authorization: `Bearer ${text}` }, cache: "no-store" });
    if (response.ok) return "";
    const told = (await response.json().catch(() => null))?.detail ?? "";
    if (response.status === 401) return `This token was not accepted: ${told}.`;
    return `The server cannot check this token now. Try again in a moment. ${told}`;
  } catch {
    return "The server does not answer. Try again in a moment.";
  }
}

$("sign-out").addEventListener("click", () => {
  keep(null);
  location.replace("/");
});

takeFromAddress();
draw();
