// The items of a conversation, as elements: each by its id, so that an event that comes again changes nothing.

import { render } from "./markdown.js";
import { isSignedIn } from "./session.js";
import { ask } from "./wire.js";

const MARKS = {
  stopped: "Stopped here.",
  interrupted: "Interrupted before it was finished.",
  failed: "Broken off by an error.",
};

export function make(name, className, text) {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

export function icon(name) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  made.setAttribute("class", "icon");
  made.setAttribute("aria-hidden", "true");
  made.appendChild(document.createElementNS("http://www.w3.org/2000/svg", "use")).setAttribute("href", `/static/icons.svg#${name}`);
  return made;
}

// A link cannot say who asks: where one is signed in, files are fetched, and shown from here. A picture is drawn, never opened.
const blobs = new Map();

function fetched(id) {
  if (!blobs.has(id)) {
    const reading = ask(`/api/v1/attachments/${encodeURIComponent(id)}`).then(async (response) =>
      URL.createObjectURL(new Blob([await response.arrayBuffer()], { type: response.headers.get("content-type") ?? "" })),
    );
    blobs.set(id, reading);
    reading.catch(() => blobs.delete(id));
  }
  return blobs.get(id);
}

function forgetBlobs() {
  for (const each of blobs.values()) each.then(URL.revokeObjectURL, () => {});
  blobs.clear();
}

async function download(each, link) {
  const note = link.parentElement.querySelector(".bad");
  note?.remove();
  try {
    const saving = make("a");
    Object.assign(saving, { href: await fetched(each.id), download: each.name });
    saving.click();
  } catch (error) {
    link.after(make("span", "bad", ` ${error.message}`));
  }
}

function files(attachments) {
  const made = make("ul", "files");
  for (const each of attachments ?? []) {
    const address = `/api/v1/attachments/${encodeURIComponent(each.id)}`;
    const link = make(isSignedIn() ? "button" : "a", "file");
    if (isSignedIn()) {
      link.type = "button";
      link.title = `Save ${each.name}`;
      link.addEventListener("click", () => download(each, link));
    } else Object.assign(link, { href: address, target: "_blank" });
    if (each.type === "image") {
      const picture = make("img");
      Object.assign(picture, { alt: each.name, loading: "lazy" });
      if (isSignedIn()) fetched(each.id).then((url) => (picture.src = url), () => {});
      else picture.src = address;
      link.append(picture);
    } else link.append(icon("page"), ` ${each.name}`);
    made.appendChild(make("li")).append(link);
  }
  return made;
}

function profiles(call) {
  const made = make("div", "profiles");
  made.setAttribute("role", "list");
  made.setAttribute("aria-label", "The agents");
  const known = call.arguments?.profiles;
  for (const each of Array.isArray(known) ? known : []) {
    const card = make("article", "profile");
    card.setAttribute("role", "listitem");
    const face = make("img");
    Object.assign(face, { alt: "", width: 48, height: 48 });
    if (/^data:image\/svg\+xml[,;]/.test(each.avatar)) face.src = each.avatar;
    const good = make("ul");
    for (const line of each.good_at ?? []) good.append(make("li", "", line));
    card.append(face, make("b", "", each.name), make("span", "quiet", each.role), good);
    made.append(card);
  }
  return made;
}

function sources(item) {
  const names = new Set();
  for (const part of item.content ?? []) {
    for (const note of part.annotations ?? []) {
      const from = note.source;
      if (from) names.add(from.title ?? from.filename ?? from.url);
    }
  }
  if (!names.size) return null;
  const made = make("ul", "sources");
  made.setAttribute("aria-label", "Sources");
  for (const name of names) made.append(make("li", "", name));
  return made;
}

export const textOf = (item) => (item.content ?? []).map((part) => part.text ?? "").join("\n\n");

function body(item) {
  if (item.type === "user_message") {
    const made = [make("div", "bubble", textOf(item))];
    if (item.attachments?.length) made.push(files(item.attachments));
    return made;
  }
  if (item.type === "assistant_message") {
    const text = make("div", "text");
    text.append(render(textOf(item)));
    return [text, sources(item)].filter(Boolean);
  }
  if (item.type === "client_tool_call") {
    return item.name === "display_agent_profiles" ? [profiles(item)] : [make("p", "quiet", `Asked this page for ${item.name}.`)];
  }
  return [make("p", "notice", "Something that this page cannot show.")];
}

const WHO = { user_message: ["user", "You said:"], assistant_message: ["assistant", "The answer:"] };
const SILENT = new Set(["end_of_turn", "workflow", "task", "hidden_context_item", "sdk_hidden_context"]);

export class Items {
  constructor(list) {
    this.list = list;
    this.known = new Map();
    this.dirty = new Set();
  }

  clear() {
    forgetBlobs();
    this.known.clear();
    this.list.replaceChildren();
  }

  get(id) {
    return this.known.get(id)?.item;
  }

  last() {
    const id = this.list.lastElementChild?.dataset.id;
    return id ? this.get(id) : undefined;
  }

  lastOf(type) {
    return [...this.known.values()].map((each) => each.item).filter((item) => item.type === type).at(-1);
  }

  put(item, { first = false } = {}) {
    if (SILENT.has(item.type)) return;
    let entry = this.known.get(item.id);
    if (!entry) {
      const [className, label] = WHO[item.type] ?? ["other", ""];
      entry = { node: make("li", className) };
      entry.node.dataset.id = item.id;
      entry.label = label;
      this.known.set(item.id, entry);
      if (first) this.list.prepend(entry.node);
      else this.list.append(entry.node);
    }
    entry.item = item;
    this.draw(entry);
  }

  draw(entry) {
    const mark = entry.mark && make("span", "mark", MARKS[entry.mark]);
    const label = entry.label && make("span", "unseen", entry.label);
    entry.node.replaceChildren(...[label, ...body(entry.item), mark].filter(Boolean));
  }

  // A piece of a message: drawn with the next frame of the screen, however many come before it.
  update(id, update) {
    const entry = this.known.get(id);
    if (!entry || entry.item.type !== "assistant_message") return;
    const content = (entry.item.content ??= []);
    const part = (content[update.content_index] ??= { type: "output_text", text: "", annotations: [] });
    switch (update.type?.split(".").at(-1)) {
      case "added":
      case "done":
        content[update.content_index] = update.content;
        break;
      case "text_delta":
        part.text += update.delta;
        break;
      case "annotation_added":
        (part.annotations ??= []).push(update.annotation);
        break;
    }
    if (!this.dirty.size) requestAnimationFrame(() => this.drawDirty());
    this.dirty.add(entry);
  }

  drawDirty() {
    for (const entry of this.dirty) this.draw(entry);
    this.dirty.clear();
    this.drawn?.();
  }

  remove(id) {
    this.known.get(id)?.node.remove();
    this.known.delete(id);
  }

  mark(marks) {
    for (const [id, entry] of this.known) {
      if (entry.mark === marks[id]) continue;
      entry.mark = marks[id];
      this.draw(entry);
    }
  }

  note(text, { error = false, action } = {}) {
    const node = make("li", "");
    const box = node.appendChild(make("div", `notice${error ? " error" : ""}`, text));
    if (error) box.setAttribute("role", "alert");
    if (action) {
      const button = make("button", "", action.label);
      button.type = "button";
      button.addEventListener("click", () => (node.remove(), action.run()));
      box.append(" ", button);
    }
    node.classList.add("passing");
    this.list.append(node);
  }

  clearNotes() {
    for (const each of this.list.querySelectorAll(".passing")) each.remove();
  }
}
