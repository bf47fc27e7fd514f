{
  const BATCH = 60;
  const LONG = 20000; // Characters of a text that are laid out at once; the rest comes on request.
  const NAMES = { r: "correct", w: "incorrect", t: "tie", p: "partly correct", i: "invalid", u: "unparsed", "-": "absent" };
  const SIGNS = { r: "✓", w: "✗", t: "=", p: "◐", i: "!", u: "?", "-": "–" };
  const byId = (id) => document.getElementById(id);
  const { make, visible } = rmeval;
  const decimals = (value, digits) => (value === null || value === undefined
    ? "–" : value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits }).replace("-", "−"));
  // A margin that two decimals would show as 0.00 of a decision has one digit, as in Python's signed().
  const tiny = (value) => (Math.abs(Number(value.toPrecision(1))) < 1e-4 ? value.toExponential(0) : value.toPrecision(1)).replaceAll("-", "−");
  const signed = (value) => (value > 0 ? "+" : "")
    + (value && Math.abs(value) < 0.005 ? tiny(value) : decimals(value, Math.abs(value) < 100 ? 2 : 0));

  let index;
  let text = null;
  let starts; // Flat place of each example's first completion.
  let haystacks = null;
  let list = []; // Places of the examples that match, in order.
  let shown = 0; // How many of them are in the page.
  let open = -1; // Place of the example in the dialog.
  let opened = -1; // Place of the one that it was opened with.

  const promptOf = (place) => (text ? text.prompts[text.prompt[place]] : []);
  const completionOf = (flat) => text.completions[text.completion[flat]];
  const firstLine = (place) => {
    if (!text) return `${index.ids[place]} · prompt ${index.prompt_hashes[place]}`;
    const prompt = promptOf(place);
    const messages = prompt.length ? prompt : completionOf(starts[place]);
    const asked = messages.filter(([role]) => role === "user").pop() || messages[messages.length - 1];
    return visible(asked[1].slice(0, 240).trimStart().replace(/\s+/g, " ")).slice(0, 180) || "(empty)";
  };
  const haystack = (place) => {
    const parts = [index.ids[place], index.subsets[index.subset[place]]];
    if (text) {
      const answers = Array.from({ length: index.completions[place] }, (_, number) => completionOf(starts[place] + number));
      for (const messages of [promptOf(place), ...answers]) parts.push(...messages.map(([, content]) => content));
    }
    return parts.join("\n").toLowerCase();
  };

  // --- the list ---------------------------------------------------------------------------------------------------

  const run = () => index.runs[Number(byId("by-run").value)];
  const OUTCOMES = {
    "": ["Any outcome", () => true],
    r: ["Correct", (place) => run().outcomes[place] === "r"],
    w: ["Incorrect", (place) => run().outcomes[place] === "w"],
    t: ["Tie", (place) => run().outcomes[place] === "t"],
    p: ["Partly correct", (place) => run().outcomes[place] === "p"],
    missed: ["Incorrect or tie", (place) => "wt".includes(run().outcomes[place])],
    i: ["Invalid", (place) => run().outcomes[place] === "i"],
    u: ["Unparsed", (place) => run().outcomes[place] === "u"],
    undecided: ["Undecided", (place) => run().undecidedSet.has(place)],
    truncated: ["Truncated", (place) => run().truncatedSet.has(place)],
    gained: ["Correct only in this run", (place) => index.runs[0].outcomes[place] !== "r" && run().outcomes[place] === "r"],
    lost: ["Correct only in A", (place) => index.runs[0].outcomes[place] === "r" && "wt".includes(run().outcomes[place])],
  };
  const ORDERS = {
    worst: ["Worst misses first", (margin) => margin],
    near: ["Nearest calls first", (margin) => Math.abs(margin)],
    best: ["Largest margins first", (margin) => -margin],
    data: ["In data-set order", null],
  };
  const PRESETS = { worst: ["missed", "worst"], near: ["", "near"], ties: ["t", "data"], all: ["", "data"] };

  const select = () => {
    const words = byId("find").value.toLowerCase().split(/\s+/).filter(Boolean);
    const subset = byId("by-subset").value;
    const matches = OUTCOMES[byId("by-outcome").value][1];
    if (words.length && !haystacks) haystacks = index.ids.map((_, place) => haystack(place));
    list = index.ids.map((_, place) => place).filter((place) => (subset === "" || index.subset[place] === Number(subset))
      && matches(place) && words.every((word) => haystacks[place].includes(word)));
    const key = ORDERS[byId("order").value][1];
    if (key) {
      const margins = run().margins;
      const keys = new Map(list.map((place) => [place, margins[place] === null ? Infinity : key(margins[place])]));
      list.sort((one, other) => (keys.get(one) === keys.get(other) ? one - other : keys.get(one) - keys.get(other)));
    }
    for (const button of document.querySelectorAll("[data-preset]")) {
      const [outcome, order] = PRESETS[button.dataset.preset];
      button.setAttribute("aria-pressed", String(byId("by-outcome").value === outcome && byId("order").value === order));
    }
    byId("found").textContent = `${decimals(list.length, 0)} of ${decimals(index.ids.length, 0)} examples`;
    byId("list").scrollTop = 0;
    byId("list").querySelector("ol").replaceChildren();
    shown = 0;
    if (!list.length) byId("list").querySelector("ol").append(make("li", { class: "empty" }, "No example matches."));
    grow();
  };
  const link = (place) => `#example-${encodeURIComponent(index.ids[place])}`;
  const letter = (each) => visible(each.label).split(" ")[0];
  const mark = (each, place) => {
    const outcome = each.outcomes[place];
    return make("span", { class: `mark ${outcome}`, title: NAMES[outcome] },
      make("b", { "aria-hidden": "true" }, SIGNS[outcome]), make("span", { class: "hidden-text" }, NAMES[outcome]), ` ${signed(each.margins[place])}`);
  };
  const grow = () => {
    const rows = list.slice(shown, shown + BATCH).map((place) => {
      const row = make("a", { href: link(place) },
        ...index.runs.map((each) => mark(each, place)),
        make("span", { class: "what", dir: "auto" }, firstLine(place)),
        make("span", { class: "where" }, visible(index.subsets[index.subset[place]])));
      return make("li", {}, row);
    });
    shown += rows.length;
    byId("list").querySelector("ol").append(...rows);
  };
  const growWhileSeen = () => {
    const room = byId("list");
    if (room.clientHeight && shown < list.length && room.scrollTop + room.clientHeight > room.scrollHeight - 600) grow();
  };

  // --- one example ------------------------------------------------------------------------------------------------

  const block = (content) => {
    const body = make("div", { class: "text", dir: "auto" }, visible(content.slice(0, LONG)));
    if (content.length <= LONG) return [body];
    const more = make("button", { type: "button" }, `Show all ${decimals(content.length, 0)} characters`);
    more.addEventListener("click", () => {
      body.textContent = visible(content);
      more.remove();
    });
    return [body, more];
  };
  const conversation = (messages) => messages.map(([role, content]) => make("div", { class: "message" },
    make("div", { class: "role" }, visible(role)), ...block(content)));
  const scoreText = (score) => decimals(score, Math.abs(score) < 100 ? 4 : 1);
  const scoreLine = (each, flat) => {
    const parts = [`score `, make("b", {}, scoreText(each.scores[flat]))];
    if (each.tokens[flat] !== null) parts.push(` · ${decimals(each.tokens[flat], 0)} ${each.unit}`);
    if (each.truncated.includes(flat)) parts.push(" · truncated");
    if (each.refined.includes(flat)) parts.push(" · decided in float32");
    if (each.notes[flat]) parts.push(make("p", { class: "muted" }, visible(each.notes[flat])));
    return make("div", {}, ...(index.runs.length > 1 ? [`${letter(each)} `] : []), ...parts);
  };
  const answer = (place, number) => {
    const flat = starts[place] + number;
    const chosen = number < index.chosen[place];
    const body = text ? conversation(completionOf(flat)) : [
      make("p", { class: "muted" }, `text not kept · sha256 begins ${index.hashes[flat]}`)];
    return make("div", { class: `answer ${chosen ? "chosen" : "rejected"}` },
      make("h3", {}, chosen ? "Chosen" : "Rejected",
        make("span", { class: "muted small" }, `${decimals(index.chars[flat], 0)} characters`)),
      make("div", { class: "scores" }, ...index.runs.map((each) => scoreLine(each, flat))), ...body);
  };
  // What each run made of the example, before its text: which may be long.
  const glance = (place) => {
    const chosen = index.chosen[place];
    const cell = (tag, content, kind = "num") => make(tag, { class: kind, scope: tag === "th" ? "col" : null }, content);
    const ends = (each) => {
      const scores = each.scores.slice(starts[place], starts[place] + index.completions[place]);
      if (scores.includes(null)) return [null, null];
      return [Math.min(...scores.slice(0, chosen)), Math.max(...scores.slice(chosen))];
    };
    const heads = ["outcome", chosen > 1 ? "lowest chosen" : "chosen",
      index.completions[place] - chosen > 1 ? "highest rejected" : "rejected", "margin"];
    const rows = index.runs.map((each) => {
      const outcome = each.outcomes[place];
      const said = make("span", { class: `mark ${outcome}` }, `${SIGNS[outcome]} ${NAMES[outcome]}`);
      return make("tr", {}, ...(index.runs.length > 1 ? [cell("td", letter(each), "")] : []), cell("td", said, ""),
        ...ends(each).map((score) => cell("td", scoreText(score))),
        cell("td", `${signed(each.margins[place])}${each.undecidedSet.has(place) ? " undecided" : ""}`));
    });
    const first = index.runs.length > 1 ? [cell("td", "", "")] : [];
    return make("table", { class: "glance" },
      make("thead", {}, make("tr", {}, ...first, ...heads.map((name, column) => cell("th", name, column ? "num" : "")))),
      make("tbody", {}, ...rows));
  };
  const showExample = (place) => {
    open = place;
    byId("example-title").replaceChildren(make("bdi", {}, visible(index.ids[place])));
    const prompt = promptOf(place);
    byId("example-body").replaceChildren(
      make("p", { class: "facts" }, make("span", {}, make("bdi", {}, visible(index.subsets[index.subset[place]]))),
        make("span", {}, `row ${decimals(index.rows[place], 0)}`)),
      glance(place),
      ...(prompt.length ? [make("div", { class: "prompt" }, ...conversation(prompt))] : []),
      ...(text ? [] : [make("p", { class: "muted" }, `prompt not kept · sha256 begins ${index.prompt_hashes[place]}`)]),
      make("div", { class: "answers" }, ...Array.from({ length: index.completions[place] }, (_, number) => answer(place, number))));
    const position = list.indexOf(place);
    byId("previous").disabled = position <= 0;
    byId("next").disabled = position < 0 || position === list.length - 1;
    if (!byId("example").open) {
      opened = place;
      byId("example").showModal();
    }
    byId("example").scrollTop = 0;
  };
  const step = (by) => {
    const place = list[list.indexOf(open) + by];
    if (list.includes(open) && place !== undefined) location.replace(link(place));
  };
  const follow = () => {
    if (!location.hash.startsWith("#example-")) {
      if (byId("example").open) byId("example").close();
      return;
    }
    let id;
    try {
      id = decodeURIComponent(location.hash.slice("#example-".length));
    } catch {
      return; // Not an address of ours.
    }
    const place = index.ids.indexOf(id);
    if (place >= 0) showExample(place);
  };

  // --- putting it together ----------------------------------------------------------------------------------------

  const options = (id, entries) => byId(id).replaceChildren(
    ...entries.map(([value, label]) => make("option", { value }, visible(label))));
  const fill = () => {
    const counts = new Map();
    for (const subset of index.subset) counts.set(subset, (counts.get(subset) || 0) + 1);
    options("by-run", index.runs.map((each, place) => [String(place), each.label]));
    byId("by-run").value = String(index.runs.length - 1);
    options("by-subset", [["", "All subsets"], ...index.subsets.map((name, place) => [String(place), `${name} (${counts.get(place)})`])]);
    const several = index.runs.length > 1;
    const seen = (key) => !["p", "u"].includes(key) || index.runs.some((each) => each.outcomes.includes(key));
    options("by-outcome", Object.entries(OUTCOMES)
      .filter(([key]) => seen(key) && (several || !["gained", "lost"].includes(key)))
      .map(([key, [label]]) => [key, label]));
    options("order", Object.entries(ORDERS).map(([key, [label]]) => [key, label]));
    [byId("by-outcome").value, byId("order").value] = PRESETS.worst;
  };
  const choose = (values) => {
    for (const [id, value] of Object.entries(values)) byId(id).value = value;
    select();
  };
  const listen = () => {
    byId("find").addEventListener("input", rmeval.later(select, 120));
    for (const id of ["by-run", "by-subset", "by-outcome", "order"]) byId(id).addEventListener("change", select);
    for (const button of document.querySelectorAll("[data-preset]")) {
      button.addEventListener("click", () => {
        [byId("by-outcome").value, byId("order").value] = PRESETS[button.dataset.preset];
        select();
      });
    }
    for (const anchor of document.querySelectorAll("[data-subset-link]")) {
      const subset = String(index.subsets.indexOf(anchor.dataset.subsetLink));
      anchor.addEventListener("click", () => choose({ "by-run": anchor.dataset.run, "by-subset": subset, find: "" }));
    }
    for (const anchor of document.querySelectorAll("[data-outcome-link]")) {
      const { run: own, outcomeLink: outcome } = anchor.dataset;
      const order = outcome === "gained" ? "best" : "worst";
      anchor.addEventListener("click", () => choose({ "by-run": own, "by-subset": "", find: "", "by-outcome": outcome, order }));
    }
    byId("list").addEventListener("scroll", growWhileSeen, { passive: true });
    byId("close").addEventListener("click", () => byId("example").close());
    byId("example").addEventListener("close", () => {
      // The list goes on where the arrow keys went.
      if (open !== opened) byId("list").querySelector(`a[href="${CSS.escape(link(open))}"]`)?.focus();
      open = -1;
      if (location.hash.startsWith("#example-")) history.replaceState(null, "", location.pathname + location.search);
    });
    byId("example").addEventListener("click", (event) => {
      if (event.target === byId("example")) byId("example").close();
    });
    byId("previous").addEventListener("click", () => step(-1));
    byId("next").addEventListener("click", () => step(1));
    byId("example").addEventListener("keydown", (event) => {
      if (event.altKey || event.ctrlKey || event.metaKey || !["ArrowLeft", "ArrowRight"].includes(event.key)) return;
      step(event.key === "ArrowLeft" ? -1 : 1);
      event.preventDefault();
    });
    addEventListener("hashchange", follow);
  };
  const showRun = (wanted) => {
    for (const panel of document.querySelectorAll("[data-panel]")) panel.classList.toggle("off", panel.dataset.panel !== wanted);
    for (const button of document.querySelectorAll("[data-show-run]")) {
      button.setAttribute("aria-pressed", String(button.dataset.showRun === wanted));
    }
  };

  document.addEventListener("DOMContentLoaded", async () => {
    for (const button of document.querySelectorAll("[data-show-run]")) {
      button.addEventListener("click", () => showRun(button.dataset.showRun));
    }
    showRun("0");
    try {
      index = await rmeval.unpack("examples-index");
      if (byId("examples-text")) text = await rmeval.unpack("examples-text");
    } catch (error) {
      byId("unreadable").textContent = `This browser could not unpack the examples: ${error}`;
      byId("unreadable").hidden = false;
      return;
    }
    let place = 0;
    starts = index.completions.map((size) => (place += size) - size);
    for (const each of index.runs) {
      each.undecidedSet = new Set(each.undecided);
      const cut = new Set(each.truncated);
      each.truncatedSet = new Set(index.ids.map((_, example) => example).filter((example) =>
        Array.from({ length: index.completions[example] }, (_, number) => starts[example] + number).some((flat) => cut.has(flat))));
    }
    byId("list").style.setProperty("--runs", index.runs.length);
    if (index.runs.length > 1) {
      byId("list").prepend(make("div", { class: "heads", "aria-hidden": "true" },
        ...index.runs.map((each) => make("span", {}, letter(each))), make("span", {}, "prompt"),
        make("span", { class: "where" }, "subset")));
    }
    fill();
    listen();
    byId("browser").hidden = false;
    select();
    follow();
    document.documentElement.dataset.ready = "true";
  });
}
