// A little Markdown, made into elements: what a model writes is never HTML here.

const INLINE = /(`+)([^`]|[^`][\s\S]*?[^`])\1(?!`)|\*\*([^*\n]+)\*\*|\*([^*\s][^*\n]*)\*|\[([^\]\n]+)\]\(([^)\s]+)\)/g;

function inline(parent, text) {
  let from = 0;
  for (const found of text.matchAll(INLINE)) {
    parent.append(text.slice(from, found.index));
    from = found.index + found[0].length;
    if (found[2] !== undefined) element(parent, "code").textContent = found[2];
    else if (found[3] !== undefined) inline(element(parent, "strong"), found[3]);
    else if (found[4] !== undefined) inline(element(parent, "em"), found[4]);
    else if (/^https?:\/\//.test(found[6])) {
      const link = element(parent, "a");
      Object.assign(link, { href: found[6], target: "_blank", rel: "noopener noreferrer" });
      inline(link, found[5]);
    } else inline(parent, found[5]);
  }
  parent.append(text.slice(from));
}

function element(parent, name) {
  return parent.appendChild(document.createElement(name));
}

function table(parent, lines) {
  const cells = (line) => line.trim().replace(/^\||\|$/g, "").split(/(?<!\\)\|/).map((cell) => cell.trim());
  const made = element(parent, "table");
  lines.forEach((line, number) => {
    if (number === 1) return;
    const row = element(made, "tr");
    for (const cell of cells(line)) inline(element(row, number ? "td" : "th"), cell);
  });
}

export function render(text) {
  const made = document.createDocumentFragment();
  const lines = text.split("\n");
  let list = null;
  for (let at = 0; at < lines.length; at++) {
    const line = lines[at];
    const item = line.match(/^\s*(?:([-*+])|(\d+)[.)])\s+(.*)/);
    if (item) {
      const name = item[1] ? "ul" : "ol";
      if (!list || list.localName !== name) {
        list = element(made, name);
        if (item[2]) list.start = Number(item[2]);
      }
      inline(element(list, "li"), item[3]);
      continue;
    }
    const fence = line.match(/^\s*(```+|~~~+)/);
    const heading = line.match(/^#{1,6}\s+(.*)/);
    if (list && line.startsWith("  ") && line.trim()) {
      const last = list.lastElementChild;
      last.append(" ");
      inline(last, line.trim());
      continue;
    }
    if (!line.trim()) {
      if (!/^\s*([-*+]|\d+[.)])\s/.test(lines[at + 1] ?? "")) list = null;
      continue;
    }
    list = null;
    if (fence) {
      const code = [];
      while (++at < lines.length && !lines[at].trim().startsWith(fence[1])) code.push(lines[at]);
      element(element(made, "pre"), "code").textContent = code.join("\n");
    } else if (heading) inline(element(made, "h4"), heading[1]);
    else if (line.includes("|") && /^\s*\|?[\s:|-]+\|[\s:|-]*$/.test(lines[at + 1] ?? "")) {
      const rows = [];
      while (at < lines.length && lines[at].includes("|")) rows.push(lines[at++]);
      at--;
      table(made, rows);
    } else {
      const quote = line.startsWith(">");
      const said = [];
      while (at < lines.length && lines[at].trim() && !/^(\s*([-*+]|\d+[.)])\s|#{1,6}\s|\s*```)/.test(lines[at])) {
        if (said.length && lines[at].startsWith(">") !== quote) break;
        said.push(lines[at].replace(/^>\s?/, ""));
        at++;
      }
      at--;
      inline(element(made, quote ? "blockquote" : "p"), said.join(" "));
    }
  }
  return made;
}
