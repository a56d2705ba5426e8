// The page: one conversation open, its answer followed wherever it is made, and the others in a list.

import { Files } from "./files.js";
import { follow } from "./follow.js";
import { Items, textOf } from "./items.js";
import { ThreadList, titleOf } from "./list.js";
import { Presence } from "./presence.js";
import { takeFromAddress } from "./session.js";
import { closeList, isListShown } from "./sidebar.js";
import { Away, request, standing, start, stop } from "./wire.js";

const $ = (id) => document.getElementById(id);
const PAGE = 50;
const LOOK_MS = 8000;
const TOOL = "display_agent_profiles";

const items = new Items($("items"));
const files = new Files($("attached"), () => {
  drawComposer();
  // Somebody pressed Enter while a file was on its way.
  if (waitsForFiles && !files.busy) send();
});
let waitsForFiles = false;
const presence = new Presence($("banner"), () => (list.load().catch(failed), refresh()));
const list = new ThreadList({
  open: (id) => show(id),
  renamed: () => drawTitle(),
  deleted: (id) => id === open.thread && show(null),
  failed,
});
const others = new BroadcastChannel("clew");

// What is open. `run` is the answer being followed; `leave` ends the following, never the answer.
let open = { thread: null, run: null, leave: null, searches: 0, connected: true, sending: false, stopping: false };

function failed(error) {
  if (error instanceof Away) presence.lost();
  else items.note(error.message, { error: true });
  scroll();
}

// -- drawing -----------------------------------------------------------------------------------------------------------

function drawTitle() {
  const title = open.thread ? titleOf(list.get(open.thread)) : "New conversation";
  $("title").textContent = title;
  document.title = open.thread ? `${title} - clew` : "clew";
}

function drawState() {
  const busy = open.run !== null;
  $("searching").hidden = !(busy && open.connected && open.searches > 0);
  const writing = items.last()?.type === "assistant_message";
  $("thinking").hidden = !(open.connected && (busy || open.sending) && open.searches === 0 && !writing);
  $("talk").setAttribute("aria-busy", String(busy));
  $("welcome").hidden = open.thread !== null || open.sending || $("items").childElementCount > 0;
  drawComposer();
}

function drawComposer() {
  const busy = open.run !== null;
  $("send").hidden = busy;
  $("stop").hidden = !busy;
  $("stop").disabled = open.stopping;
  $("stop").textContent = open.stopping ? "Stopping…" : "Stop";
  const isEmpty = !$("message").value.trim() && !files.ids.length;
  $("send").disabled = isEmpty || files.busy || open.sending;
  const box = $("message");
  box.style.height = "auto";
  box.style.height = `${box.scrollHeight}px`;
}

let follows = true;
$("talk").addEventListener("scroll", () => {
  const { scrollHeight, scrollTop, clientHeight } = $("talk");
  follows = scrollHeight - scrollTop - clientHeight < 80;
});

function scroll(force = false) {
  if (force) follows = true;
  if (follows) $("talk").scrollTop = $("talk").scrollHeight;
}
items.drawn = () => scroll();

function say(text) {
  $("said").replaceChildren(Object.assign(document.createElement("p"), { textContent: text.slice(0, 2000) }));
}

// -- opening -----------------------------------------------------------------------------------------------------------

// The conversation that the address names.
function inAddress() {
  try {
    return decodeURIComponent(location.hash.slice(1)) || null;
  } catch {
    return null;
  }
}

async function show(thread, { focus = true } = {}) {
  open.leave?.abort();
  open = { thread, run: null, leave: null, searches: 0, connected: true, sending: false, stopping: false };
  items.clear();
  $("earlier").hidden = true;
  if (inAddress() !== thread) history.pushState(null, "", thread ? `#${encodeURIComponent(thread)}` : location.pathname);
  list.show(thread);
  closeList();
  drawTitle();
  drawState();
  if (focus && matchMedia("(min-width: 761px)").matches) $("message").focus();
  if (thread) await refresh();
}

// Read the open conversation anew, and follow what is being made in it.
async function refresh() {
  const mine = open;
  const { thread } = mine;
  if (!thread || mine.sending) return;
  try {
    // First what is being made, then what there is: what ends in between is in the second.
    const now = await standing(thread);
    const page = await request("items.list", { thread_id: thread, limit: PAGE, order: "desc", after: null });
    if (open !== mine) return;
    const run = mine.run;
    if (run === null) items.clear();
    for (const item of page.data.reverse()) if (run === null || !items.get(item.id)) items.put(item);
    items.mark(now.marks);
    mine.earlier = page.has_more ? page.after : null;
    $("earlier").hidden = !mine.earlier;
    if (run === null) offerRetry(now);
    drawState();
    scroll(run === null);
    if (now.run && run === null) attach(now.run.id);
    else if (run === null) answerTool();
  } catch (error) {
    if (open !== mine) return;
    if (error.isMissing) {
      items.note("This conversation is not there (any more).", { error: true });
      list.drop(thread);
    } else failed(error);
  }
}

$("earlier").addEventListener("click", async () => {
  const mine = open;
  try {
    const page = await request("items.list", { thread_id: mine.thread, limit: PAGE, order: "desc", after: mine.earlier });
    if (open !== mine) return;
    const before = $("talk").scrollHeight;
    for (const item of page.data) items.put(item, { first: true });
    mine.earlier = page.has_more ? page.after : null;
    $("earlier").hidden = !mine.earlier;
    $("talk").scrollTop += $("talk").scrollHeight - before;
  } catch (error) {
    failed(error);
  }
});

function offerRetry(now) {
  items.clearNotes();
  const last = items.last();
  const mark = last && now.marks[last.id];
  const asked = items.lastOf("user_message");
  if (!now.run && asked && (mark === "interrupted" || mark === "failed")) {
    const text = mark === "interrupted" ? "The server went away in the middle of this answer." : "This answer met an error.";
    items.note(text, { action: { label: "Ask again", run: () => retry(asked.id) } });
  }
}

// -- an answer ---------------------------------------------------------------------------------------------------------

async function attach(run) {
  const mine = open;
  const leave = new AbortController();
  Object.assign(mine, { run, leave, searches: 0, connected: true, sending: false, stopping: false });
  drawState();
  const ended = await follow(mine.thread, run, {
    frame: (frame) => open === mine && take(frame),
    resync: async () => {
      items.clear();
      mine.searches = 0;
      const page = await request("items.list", { thread_id: mine.thread, limit: PAGE, order: "desc", after: null });
      for (const item of page.data.reverse()) items.put(item);
    },
    away: () => {
      mine.connected = false;
      presence.lost();
      drawState();
    },
    back: () => {
      mine.connected = true;
      drawState();
    },
    rest: (ms) => presence.rest(ms),
  }, leave.signal);
  if (open !== mine || ended === null) return;
  Object.assign(mine, { run: null, leave: null, searches: 0, connected: true, stopping: false });
  drawState();
  if (ended === "done") answerTool();
  else if (ended === "error" && mine.told) mine.told = false;
  else await refresh();
  others.postMessage({ thread: mine.thread });
}

function take(frame) {
  const { type } = frame;
  if (type === "thread.created" || type === "thread.updated") {
    const { items: _, ...thread } = frame.thread;
    list.put(thread);
    drawTitle();
  } else if (type === "thread.item.added" || type === "thread.item.done" || type === "thread.item.replaced") {
    if (frame.item.type === "user_message") items.remove("unsent");
    items.put(frame.item);
    if (type === "thread.item.done" && frame.item.type === "assistant_message") say(textOf(frame.item));
    if (type === "thread.item.done" && frame.item.type === "client_tool_call" && frame.item.name === TOOL) {
      say(`Agents: ${(frame.item.arguments?.profiles ?? []).map((each) => `${each.name}, ${each.role}`).join("; ")}`);
    }
  } else if (type === "thread.item.updated") {
    items.update(frame.item_id, frame.update);
  } else if (type === "thread.item.removed") {
    items.remove(frame.item_id);
  } else if (type === "progress_update") {
    if (frame.text === "search_animation:start") open.searches += 1;
    if (frame.text === "search_animation:stop") open.searches = Math.max(0, open.searches - 1);
  } else if (type === "notice") {
    items.note([frame.title, frame.message].filter(Boolean).join(": "), { error: frame.level === "danger" });
  } else if (type === "error") {
    open.told = true;
    const asked = items.lastOf("user_message");
    const action = frame.allow_retry && asked ? { label: "Ask again", run: () => retry(asked.id) } : undefined;
    items.note(frame.message ?? "Something went wrong with this answer.", { error: true, action });
  }
  drawState();
  scroll();
}

// The newest item may ask this page for something; without its output the agent cannot go on.
function answerTool() {
  const call = items.last();
  if (call?.type !== "client_tool_call" || call.status !== "pending") return;
  const shown = (call.arguments?.profiles ?? []).map((each) => each.id);
  const result = call.name === TOOL ? { displayed: true, profiles: shown } : { error: `this page has no tool ${call.name}` };
  begin("threads.add_client_tool_output", { thread_id: open.thread, result });
}

async function begin(type, params) {
  const mine = open;
  mine.sending = true;
  drawState();
  try {
    const begun = await start(type, params);
    if (open !== mine) return true;
    mine.sending = false;
    if (!mine.thread) {
      mine.thread = begun.thread;
      history.replaceState(null, "", `#${encodeURIComponent(begun.thread)}`);
      list.put({ id: begun.thread, title: null });
      list.show(begun.thread);
      drawTitle();
    }
    others.postMessage({ thread: begun.thread });
    attach(begun.run);
    return true;
  } catch (error) {
    if (open !== mine) return false;
    mine.sending = false;
    if (type === "threads.add_client_tool_output" && !(error instanceof Away)) {
      // Another tab was first.
      setTimeout(refresh, 500);
      return false;
    }
    items.remove("unsent");
    if (error instanceof Away) {
      items.note("This could not be sent; it is still in the box below.", { error: true });
      presence.lost();
    } else items.note(error.message, { error: true });
    drawState();
    if (error.run) attach(error.run);
    scroll(true);
    return false;
  }
}

async function send() {
  const text = $("message").value;
  waitsForFiles = files.busy;
  if ((!text.trim() && !files.ids.length) || open.run || open.sending || files.busy) return;
  const shown = files.shown;
  const input = {
    content: [{ type: "input_text", text: text.trim() }],
    attachments: files.ids,
    quoted_text: null,
    inference_options: {},
  };
  items.clearNotes();
  items.put({ id: "unsent", type: "user_message", content: input.content, attachments: shown });
  scroll(true);
  $("message").value = "";
  const params = open.thread ? { thread_id: open.thread, input } : { input };
  const isSent = await begin(open.thread ? "threads.add_user_message" : "threads.create", params);
  if (isSent) files.clear();
  else if (!$("message").value) $("message").value = text;
  drawComposer();
}

function retry(item) {
  items.clearNotes();
  let node = $("items").lastElementChild;
  while (node && node.dataset.id !== item) {
    const before = node.previousElementSibling;
    if (node.dataset.id) items.remove(node.dataset.id);
    else node.remove();
    node = before;
  }
  begin("threads.retry_after_item", { thread_id: open.thread, item_id: item });
}

async function halt() {
  const { thread, run } = open;
  if (!run || open.stopping) return;
  open.stopping = true;
  drawComposer();
  say("Stopping the answer.");
  try {
    await stop(thread, run);
  } catch (error) {
    open.stopping = false;
    failed(error);
    drawComposer();
  }
}

// -- what people do ----------------------------------------------------------------------------------------------------

$("composer").addEventListener("submit", (event) => {
  event.preventDefault();
  send();
});
$("message").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    send();
  }
});
$("message").addEventListener("input", drawComposer);
$("stop").addEventListener("click", () => {
  halt();
  $("message").focus();
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || document.querySelector("dialog[open]")) return;
  if (isListShown()) closeList();
  else halt();
});
$("file").addEventListener("change", (event) => {
  files.add(event.target.files);
  event.target.value = "";
});
$("talk").addEventListener("dragover", (event) => event.preventDefault());
$("talk").addEventListener("drop", (event) => {
  event.preventDefault();
  files.add(event.dataTransfer.files);
});
$("message").addEventListener("paste", (event) => files.add(event.clipboardData.files));
$("new").addEventListener("click", () => show(null));
for (const each of document.querySelectorAll(".suggestion")) {
  each.addEventListener("click", () => {
    $("message").value = each.textContent;
    send();
    $("message").focus();
  });
}

// -- what others do ----------------------------------------------------------------------------------------------------

async function look() {
  const mine = open;
  if (!mine.thread || mine.run || mine.sending || presence.isAway || document.hidden) return;
  try {
    const now = await standing(mine.thread);
    if (open !== mine || mine.run || mine.sending) return;
    if (now.run || now.last !== (items.last()?.id ?? now.last)) await refresh();
    else items.mark(now.marks);
  } catch (error) {
    if (!error.isMissing) failed(error);
  }
}
others.addEventListener("message", ({ data }) => {
  list.load().catch(failed);
  if (data.thread === open.thread) look();
});
setInterval(look, LOOK_MS);
document.addEventListener("visibilitychange", look);
addEventListener("online", () => presence.lost());
addEventListener("popstate", () => (takeFromAddress() ? location.reload() : show(inAddress())));

// What is pressed before somebody listens would be lost, so nothing can be until now.
for (const each of document.querySelectorAll("[data-waits]")) {
  each.disabled = false;
  delete each.dataset.waits;
}
list.load().then(drawTitle, failed);
show(inAddress());
