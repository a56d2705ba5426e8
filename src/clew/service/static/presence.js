// Whether the server and its store are there: said in plain words, and asked again until they are.

import { sleep } from "./wire.js";

export class Presence {
  constructor(banner, returned) {
    this.banner = banner;
    this.returned = returned;
    this.isAway = false;
  }

  // Return after a while, or as soon as they are back.
  rest(ms) {
    const woken = new Promise((resolve) => {
      const before = this.wake;
      this.wake = () => (before?.(), resolve());
    });
    return Promise.race([sleep(ms), woken]);
  }

  // Somebody found them away.
  lost() {
    if (this.isAway) return;
    this.isAway = true;
    this.wait();
  }

  async wait() {
    for (let tries = 0; ; tries++) {
      const why = await this.look();
      if (!why) break;
      this.say(`${why} Trying again by itself; what was said is kept.`);
      await sleep(Math.min(500 * 1.6 ** tries, 5000));
    }
    this.isAway = false;
    this.wake?.();
    this.wake = undefined;
    this.say("Connected again.");
    setTimeout(() => !this.isAway && (this.banner.hidden = true), 2500);
    this.returned();
  }

  async look() {
    try {
      const response = await fetch("/readyz", { cache: "no-store" });
      if (response.ok) return null;
      const { checks } = await response.json();
      if (checks.store !== "ok") return "The conversations cannot be reached at the moment.";
      if (checks.files !== "ok") return "The place for files cannot be reached at the moment.";
      return "The server is being restarted.";
    } catch {
      return navigator.onLine ? "The server does not answer." : "This device is offline.";
    }
  }

  say(text) {
    if (this.banner.textContent !== text) this.banner.textContent = text;
    this.banner.hidden = false;
  }
}
