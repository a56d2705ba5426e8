// Files beside a message: announced, sent, and named by their ids when the message goes.

import { icon, make } from "./items.js";
import { ask, request } from "./wire.js";

export class Files {
  constructor(list, changed) {
    this.list = list;
    this.changed = changed;
    this.waiting = [];
  }

  get ids() {
    return this.waiting.filter((each) => each.id && each.done).map((each) => each.id);
  }

  get shown() {
    return this.waiting.filter((each) => each.done).map((each) => ({ id: each.id, name: each.file.name, type: each.type }));
  }

  get busy() {
    return this.waiting.some((each) => !each.done && !each.failed);
  }

  clear() {
    this.waiting = [];
    this.draw();
  }

  add(files) {
    for (const file of files) {
      const each = { file, done: false, failed: null };
      this.waiting.push(each);
      this.send(each);
    }
    this.draw();
  }

  async send(each) {
    const { file } = each;
    try {
      const made = await request("attachments.create", {
        name: file.name,
        size: file.size,
        mime_type: file.type || "application/octet-stream",
      });
      each.id = made.id;
      each.type = made.type;
      const place = made.upload_descriptor;
      await ask(new URL(place.url).pathname, { method: place.method, headers: place.headers, body: file });
      each.done = true;
    } catch (error) {
      each.failed = error.message;
    }
    this.draw();
  }

  drop(each) {
    this.waiting = this.waiting.filter((other) => other !== each);
    if (each.id) request("attachments.delete", { attachment_id: each.id }).catch(() => {});
    this.draw();
  }

  draw() {
    this.list.replaceChildren();
    for (const each of this.waiting) {
      const state = each.failed ?? (each.done ? "" : " (sending…)");
      const row = make("li", each.failed ? "bad" : "");
      row.append(`${each.file.name}${each.failed ? `: ${state}` : state}`);
      const drop = make("button", "plain");
      drop.append(icon("close"));
      drop.type = "button";
      drop.setAttribute("aria-label", `Remove ${each.file.name}`);
      drop.addEventListener("click", () => this.drop(each));
      row.append(drop);
      this.list.append(row);
    }
    this.changed();
  }
}
