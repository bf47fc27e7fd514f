"use strict";
// What is searched, sorted and shown stays in the address, so that a link leads to the same view.
{
  const boards = () => [...document.querySelectorAll(".board[data-board]")];
  const usual = new Map();

  const columnsOf = (table) => [...table.tHead.rows[0].cells].filter((cell) => cell.dataset.column);
  const show = (table, header, shown) => {
    for (const part of [table.tHead, ...table.tBodies, table.tFoot].filter(Boolean)) {
      for (const row of part.rows) row.cells[header.cellIndex].hidden = !shown;
    }
  };

  const choices = (board) => [...board.querySelectorAll(".tools select")];
  const view = (board) => {
    const table = board.querySelector("table");
    const sorted = table.tHead.querySelector("[aria-sort]");
    const changed = columnsOf(table).filter((cell) => cell.hidden !== usual.get(cell));
    return {
      find: board.querySelector(".tools input").value,
      ...Object.fromEntries(choices(board).map((select) => [select.dataset.key, select.value])),
      sort: sorted ? `${sorted.dataset.column}.${sorted.getAttribute("aria-sort")}` : "",
      columns: changed.map((cell) => `${cell.hidden ? "-" : "+"}${cell.dataset.column}`).join(","),
    };
  };

  const remember = () => {
    const found = new URLSearchParams();
    for (const board of boards()) {
      for (const [name, value] of Object.entries(view(board))) {
        if (value) found.set(`${name}-${board.dataset.board}`, value);
      }
    }
    const text = found.toString();
    history.replaceState(null, "", text ? `#${text}` : location.pathname + location.search);
  };

  const restore = () => {
    if (!location.hash.includes("=")) return;
    const wanted = new URLSearchParams(location.hash.slice(1));
    for (const board of boards()) {
      const of = (name) => wanted.get(`${name}-${board.dataset.board}`) || "";
      const table = board.querySelector("table");
      const search = board.querySelector(".tools input");
      search.value = of("find");
      search.dispatchEvent(new Event("input"));
      for (const select of choices(board)) {
        const value = of(select.dataset.key);
        select.value = [...select.options].some((option) => option.value === value) ? value : "";
        select.dispatchEvent(new Event("change"));
      }
      const asked = new Set(of("columns").split(","));
      for (const box of board.querySelectorAll(".columns input")) {
        const header = columnsOf(table).find((cell) => cell.dataset.column === box.value);
        const hidden = asked.has(`-${box.value}`) || (usual.get(header) && !asked.has(`+${box.value}`));
        box.checked = !hidden;
        show(table, header, !hidden);
      }
      const [, name, order] = of("sort").match(/^(.*)\.(ascending|descending)$/) || [];
      const header = columnsOf(table).find((cell) => cell.dataset.column === name && cell.dataset.sort);
      for (let turn = 0; header && turn < 2 && header.getAttribute("aria-sort") !== order; turn += 1) {
        header.querySelector("button").click();
      }
    }
  };

  const chooser = (board) => {
    const table = board.querySelector("table");
    const details = board.querySelector(".columns");
    for (const header of columnsOf(table)) {
      usual.set(header, header.hidden);
      if (header.dataset.column === "model") continue;
      const box = rmeval.make("input", { type: "checkbox", value: header.dataset.column });
      box.checked = !header.hidden;
      box.addEventListener("change", () => {
        show(table, header, box.checked);
        remember();
      });
      details.querySelector("fieldset").append(rmeval.make("label", {}, box, header.dataset.label || header.textContent.trim()));
    }
    details.hidden = false;
    details.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      details.open = false;
      details.querySelector("summary").focus();
    });
    document.addEventListener("click", (event) => {
      if (!details.contains(event.target)) details.open = false;
    });
  };

  document.addEventListener("DOMContentLoaded", () => {
    for (const board of boards()) {
      chooser(board);
      board.querySelector(".tools input").addEventListener("input", rmeval.later(remember, 200));
      for (const select of choices(board)) select.addEventListener("change", remember);
      for (const button of board.querySelectorAll("thead button")) {
        button.addEventListener("click", (event) => event.isTrusted && remember());
      }
    }
    restore();
    addEventListener("hashchange", restore);
  });
}
