// The list of saved conversations: open, rename, delete.

import { icon, make } from "./items.js";
import { request } from "./wire.js";

const $ = (id) => document.getElementById(id);
const PAGE = 30;
export const titleOf = (thread) => thread?.title || "Untitled conversation";

function choose(dialog) {
  return new Promise((resolve) => {
    dialog.returnValue = "cancel";
    dialog.querySelector(".cancel").onclick = () => dialog.close("cancel");
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "ok"), { once: true });
    dialog.showModal();
  });
}

export class ThreadList {
  constructor(on) {
    this.on = on;
    this.threads = [];
    this.open = null;
    this.after = null;
    $("more-threads").addEventListener("click", () => this.load(this.after).catch(on.failed));
  }

  async load(after = null) {
    const page = await request("threads.list", { limit: PAGE, order: "desc", after });
    this.threads = after ? [...this.threads, ...page.data] : page.data;
    this.after = page.has_more ? page.after : null;
    this.draw();
  }

  put(thread) {
    const at = this.threads.findIndex((each) => each.id === thread.id);
    if (at >= 0) this.threads[at] = { ...this.threads[at], ...thread };
    else this.threads.unshift(thread);
    this.draw();
  }

  drop(id) {
    this.threads = this.threads.filter((each) => each.id !== id);
    this.draw();
  }

  get(id) {
    return this.threads.find((each) => each.id === id);
  }

  show(id) {
    this.open = id;
    this.draw();
  }

  draw() {
    const focused = document.activeElement?.closest?.("#threads li")?.dataset.id;
    const which = document.activeElement?.className;
    $("threads").replaceChildren(...this.threads.map((thread) => this.row(thread)));
    $("more-threads").hidden = !this.after;
    $("no-threads").hidden = this.threads.length > 0;
    if (focused) {
      const row = [...$("threads").children].find((each) => each.dataset.id === focused);
      row?.getElementsByClassName(which)[0]?.focus();
    }
  }

  row(thread) {
    const row = make("li", thread.id === this.open ? "open" : "");
    row.dataset.id = thread.id;
    const name = titleOf(thread);
    const button = (className, text, label, run) => {
      const made = make("button", className);
      made.append(text);
      made.type = "button";
      if (label) made.setAttribute("aria-label", label);
      made.addEventListener("click", run);
      row.append(made);
      return made;
    };
    const open = button("plain open-thread", name, null, () => this.on.open(thread.id));
    if (thread.id === this.open) open.setAttribute("aria-current", "page");
    button("plain small rename", icon("pen"), `Rename ${name}`, () => this.rename(thread));
    button("plain small delete", icon("bin"), `Delete ${name}`, () => this.remove(thread));
    return row;
  }

  async rename(thread) {
    $("new-title").value = thread.title ?? "";
    const chosen = await choose($("rename"));
    const title = $("new-title").value.trim();
    if (!chosen || !title || title === thread.title) return;
    try {
      this.put(await request("threads.update", { thread_id: thread.id, title }));
      this.on.renamed(thread.id);
    } catch (error) {
      this.on.failed(error);
    }
  }

  async remove(thread) {
    $("delete-what").textContent = titleOf(thread);
    if (!(await choose($("delete")))) return;
    try {
      await request("threads.delete", { thread_id: thread.id });
      this.drop(thread.id);
      this.on.deleted(thread.id);
    } catch (error) {
      this.on.failed(error);
    }
  }
}
