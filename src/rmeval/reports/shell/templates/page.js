"use strict";
const rmeval = {
  // Text as it is, but for characters that steer: these show. The same table is in page.py.
  visible(text) {
    return text
      .replace(/\r\n/g, "\n")
      // eslint-disable-next-line no-control-regex
      .replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g, (found) => {
        const code = found.charCodeAt(0);
        return code < 0x20
          ? String.fromCharCode(0x2400 + code)
          : `⟨U+${code.toString(16).toUpperCase().padStart(4, "0")}⟩`;
      })
      .replace(/[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g, "\ufffd");
  },

  // An element with attributes and children; strings become text, never HTML.
  make(tag, attributes = {}, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (value !== null && value !== undefined && value !== false) element.setAttribute(name, value === true ? "" : value);
    }
    element.append(...children);
    return element;
  },

  // The JSON value that the page holds under an id.
  async unpack(id) {
    const binary = atob(document.getElementById(id).textContent.trim());
    const bytes = Uint8Array.from(binary, (character) => character.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return JSON.parse(await new Response(stream).text());
  },

  later(action, milliseconds) {
    let timer = 0;
    return (...values) => {
      clearTimeout(timer);
      timer = setTimeout(() => action(...values), milliseconds);
    };
  },
};

{
  const root = document.documentElement;
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const remembered = () => {
    try {
      return localStorage.getItem("rmeval-theme");
    } catch {
      return null;
    }
  };
  const theme = () => root.dataset.theme || (dark.matches ? "dark" : "light");
  if (["light", "dark"].includes(remembered())) root.dataset.theme = remembered();

  const themeButton = () => {
    const button = document.getElementById("theme");
    const label = () => {
      button.textContent = theme() === "dark" ? "Light" : "Dark";
      button.setAttribute("aria-label", `Switch to ${button.textContent.toLowerCase()} colours`);
    };
    button.hidden = false;
    button.addEventListener("click", () => {
      root.dataset.theme = theme() === "dark" ? "light" : "dark";
      try {
        localStorage.setItem("rmeval-theme", root.dataset.theme);
      } catch {
        // Some browsers keep nothing for files: the choice then lasts as long as the page.
      }
      label();
    });
    dark.addEventListener("change", label);
    label();
  };

  // The sections are a menu where they do not fit beside each other.
  const sectionsMenu = () => {
    const bar = document.querySelector(".bar");
    const nav = document.getElementById("nav");
    const button = document.getElementById("sections");
    const open = (wanted) => {
      bar.toggleAttribute("data-open", wanted);
      button.setAttribute("aria-expanded", String(wanted));
    };
    const fit = () => {
      bar.removeAttribute("data-menu");
      bar.toggleAttribute("data-menu", nav.scrollWidth > nav.clientWidth);
    };
    button.addEventListener("click", () => open(!bar.hasAttribute("data-open")));
    bar.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || !bar.hasAttribute("data-open")) return;
      open(false);
      button.focus();
    });
    document.addEventListener("click", (event) => {
      if (event.target !== button) open(false);
    });
    addEventListener("resize", fit);
    fit();
  };

  const cellValue = (row, column, kind) => {
    const cell = row.cells[column];
    const value = cell.dataset.value ?? cell.textContent.trim();
    if (kind !== "number") return value.toLowerCase();
    return value === "" || Number.isNaN(Number(value)) ? null : Number(value);
  };
  const compare = (one, other) => (typeof one === "string" ? one.localeCompare(other, "en", { numeric: true }) : one - other);
  const sortTable = (header) => {
    const table = header.closest("table");
    const kind = header.dataset.sort;
    const first = kind === "number" ? "descending" : "ascending";
    const second = kind === "number" ? "ascending" : "descending";
    const order = header.getAttribute("aria-sort") === first ? second : first;
    for (const other of table.tHead.querySelectorAll("[aria-sort]")) other.removeAttribute("aria-sort");
    header.setAttribute("aria-sort", order);
    const sign = order === "ascending" ? 1 : -1;
    const rows = [...table.tBodies[0].rows].map((row) => [cellValue(row, header.cellIndex, kind), row]);
    rows.sort(([one], [other]) => {
      if (one === null || other === null) return (one === null) - (other === null);
      return sign * compare(one, other);
    });
    table.tBodies[0].append(...rows.map(([, row]) => row));
  };

  const filterTable = (tools) => {
    const table = document.getElementById(tools.dataset.table);
    const search = tools.querySelector("input[type=search]");
    const selects = [...tools.querySelectorAll("select[data-key]")];
    const output = tools.querySelector("output");
    const rows = [...table.tBodies[0].rows];
    const apply = () => {
      const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
      let shown = 0;
      for (const row of rows) {
        const text = row.textContent.toLowerCase();
        const match = words.every((word) => text.includes(word))
          && selects.every((select) => !select.value || row.dataset[select.dataset.key] === select.value);
        row.hidden = !match;
        shown += match;
      }
      output.textContent = shown === rows.length ? "" : shown ? `${shown} of ${rows.length}` : "Nothing matches.";
    };
    search.addEventListener("input", apply);
    for (const select of selects) select.addEventListener("change", apply);
    tools.hidden = false;
  };

  const copy = async (button) => {
    const source = document.getElementById(button.dataset.copy);
    const select = () => {
      const range = document.createRange();
      range.selectNodeContents(source);
      getSelection().removeAllRanges();
      getSelection().addRange(range);
    };
    try {
      await navigator.clipboard.writeText(source.textContent);
    } catch {
      select();
      document.execCommand("copy");
    }
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  };

  document.addEventListener("DOMContentLoaded", () => {
    themeButton();
    sectionsMenu();
    for (const name of document.querySelectorAll("th bdi:not([title])")) {
      if (name.scrollWidth > name.clientWidth || name.scrollHeight > name.clientHeight) name.title = name.textContent;
    }
    for (const header of document.querySelectorAll("table.sortable th[data-sort]")) {
      header.querySelector("button").addEventListener("click", () => sortTable(header));
    }
    for (const tools of document.querySelectorAll(".tools[data-table]")) filterTable(tools);
    for (const button of document.querySelectorAll("button[data-copy]")) {
      button.hidden = false;
      button.addEventListener("click", () => copy(button));
    }
  });
}
