// Keys: an element with data-keys is used by them; rows (data-row) are walked by j and k. A sequence ends after 1 s.
{
  const writing = "input:not([type=checkbox], [type=radio]), textarea, select";
  const box = "[data-select]";
  let typed = "", timer, at = -1, anchor = -1, marking;

  const rows = () => all("[data-row]");
  const walk = (step) => {
    const found = rows();
    if (!found.length) return;
    found[at]?.classList.remove("current");
    at = Math.min(Math.max(at + step, 0), found.length - 1);
    found[at].classList.add("current");
    usable(found[at])[0]?.focus();
  };
  // The element for the keys: of the open dialog, else of the present row, else of the page.
  const find = (keys, sign = "") => {
    const wanted = `[data-keys${sign}="${CSS.escape(keys)}"]`, parts = dialog.open ? [dialog] : [rows()[at] || document, document];
    return parts.flatMap((part) => all(wanted, part)).find(isShown);
  };
  const use = (part) => {
    if (part.matches("input, textarea")) part.focus();
    part.matches(writing) ? part.select() : part.click();
  };

  on("keydown", (event) => {
    const { key, target, ctrlKey, metaKey, altKey, isComposing } = event, field = target.closest(writing), { open } = dialog;
    const menu = !open && key === "Escape" && all("details:is(.menu, .filters)[open]").at(-1);
    if (menu) { menu.open = false; return one("summary", menu).focus(); }
    if (root.dataset.keys === "off" || ctrlKey || metaKey || altKey) return;
    if (key === "Escape" && !open) field ? point(main) : one(".back")?.click();
    if (field || key.length > 1 || isComposing) return;
    const held = rows().findIndex((row) => row.contains(target));
    if (held >= 0) at = held;
    const begins = () => find(`${typed} `, "^");
    typed = `${typed} ${key}`.trim();
    if (!find(typed) && !begins()) typed = key;
    clearTimeout(timer);
    timer = setTimeout(() => { typed = ""; }, 1e3);
    if (find(typed)) use(find(typed));
    else if (begins() || open) return;
    else if (key === "u") toast(texts.noU);
    else if (key === "j") walk(1);
    else if (key === "k") walk(-1);
    else if ("xX".includes(key)) {
      const can = one("[data-select], #select");
      if (!can || !rows()[at]) return toast(texts[can ? "noRow" : "noX"]);
      marking = !boxes()[at] && one("#select");
      marking ? marking.click() : mark(at, key === "X", !boxes()[at]?.checked);
    }
    else return;
    stop(event);
  });

  // Selection: x selects a row, X all rows since the last one; a click with shift does the same.
  const boxes = () => rows().map((row) => one(box, row));
  const mark = (place, range, state) => {
    const found = boxes(), from = range && anchor >= 0 ? anchor : place;
    for (const box of found.slice(Math.min(from, place), Math.max(from, place) + 1)) box.checked = state;
    anchor = place;
    fire(found[place], "change");
  };
  // The first x shows the boxes, and selects the row once they are there.
  on("htmx:afterSettle", () => { if (marking) mark(at, marking = false, true); });
  on("click", ({ target, shiftKey }) => {
    if (target.matches(box)) mark(boxes().indexOf(target), shiftKey, target.checked);
  });
  on("change", ({ target }) => {
    if (!target.matches(box)) return;
    one("[data-selected]").textContent = all("[data-select]:checked").length;
  });
}
