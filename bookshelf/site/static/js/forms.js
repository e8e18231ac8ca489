// Forms: the time zone, the focus, dialogs, dropped files, unsaved input, buttons that are busy, notices, pictures.
// What the other scripts use, too, each in a block of its own: `one` and `all` find elements, `on` listens.
const one = (query, part = document) => part.querySelector(query);
const all = (query, part = document) => [...part.querySelectorAll(query)];
const on = (names, work, part = window) => names.split(" ").forEach((name) => part.addEventListener(name, work));
const parse = (text) => new DOMParser().parseFromString(text, "text/html");
const make = (name) => document.createElement(name), stop = (event) => event.preventDefault();
const fire = (part, name) => part.dispatchEvent(new Event(name, { bubbles: true }));
const say = (text) => { one("#said").textContent = text; };
const root = document.documentElement, body = document.body, main = one("#main"), dialog = one("dialog"), texts = body.dataset;
const active = () => document.activeElement, isShown = (part) => part?.getClientRects().length;
const usable = (part) => all("a, button, input, select, textarea, summary", part).filter(isShown);
// To the focus without a jump.
const point = (part) => part.focus({ preventScroll: true });
// The way back to what is replaced, here or by the next page: the ids around it and beside these, and its place in the first.
const wayTo = (found) => {
  const ids = [], first = found.closest("[id]:not(#notice)") || main;
  for (let part = first; part; part = part.parentElement.closest("[id]")) ids.push(part.id, part.nextElementSibling?.id, part.previousElementSibling?.id);
  return { ids, place: usable(first).indexOf(found) };
};
const goTo = ({ ids, place }) => {
  const part = ids.map((id) => document.getElementById(id)).find(isShown);
  if (part !== main) for (const found of [part, usable(part)[place], one(":checked", part), ...usable(part)]) {
    found?.focus();
    if (active() === found) return;
  }
  point(main);
};
// A notice leaves after 10 s, unless the pointer or the focus is on it.
const show = (notice) => {
  if (!notice) return;
  let timer;
  const start = () => { timer = setTimeout(() => notice.remove(), 1e4); };
  one("#notice")?.remove();
  main.prepend(notice);
  on("pointerenter focusin", () => clearTimeout(timer), notice);
  on("pointerleave focusout", start, notice);
  start();
};
const toast = (text) => {
  const notice = make("p");
  notice.id = notice.className = "notice";
  notice.textContent = text;
  show(notice);
  say(text);
};
{
  root.classList.add("scripted");

  // Without a chosen time zone the browser's is kept for the next request.
  if ("zoneUnknown" in texts) {
    const kept = new URLSearchParams(document.cookie.match(/bookshelf-prefs=([^;]*)/)?.[1]);
    kept.set("zone", Intl.DateTimeFormat().resolvedOptions().timeZone);
    document.cookie = `bookshelf-prefs=${kept}; Path=/; Max-Age=31536000; SameSite=Lax`;
  }
  // What is typed replaces what a field has from before. A link gets the focus without a jump.
  const first = one("[data-focus]");
  first?.focus({ preventScroll: first.matches("a") });
  first?.matches("input") && first.select();
  // After a form, or a link to this address in another state, the focus is on the same thing, or on its successor, unless
  // the browser keeps nothing.
  let way;
  try {
    if (!first && sessionStorage.way) goTo(JSON.parse(sessionStorage.way));
    on("pagehide", () => { sessionStorage.way = way ? JSON.stringify(way) : ""; way = 0; });
  } catch {}

  // Nothing replaces a form that has unsaved input. A form is sent once, until the browser comes back to it.
  on("input", ({ target }) => target.form?.setAttribute("data-dirty", ""));
  on("submit", (event) => {
    const form = event.target, button = event.submitter;
    way = dialog.open ? back : wayTo(button && one("[data-select]:checked") || button || active());
    if (form.method !== "post") return;
    if ("sent" in form.dataset) return stop(event);
    form.dataset.sent = "";
    delete form.dataset.dirty;
    if (!button?.dataset.busy) return;
    button.ariaDisabled = true;
    one("span", button).textContent = button.dataset.busy;
  });
  on("pageshow", () => all("[data-sent]").forEach((form) => delete form.dataset.sent));

  show(one("#notice"));
  // A part that htmx has requested comes with the page's notice.
  let held;
  on("htmx:beforeSwap", ({ detail }) => {
    held = wayTo(active());
    show(one("#notice", parse(detail.xhr.responseText)));
  });
  on("htmx:afterSettle", () => {
    if (active() === body) goTo(held);
    const count = one("[data-say]");
    if (count) say(count.textContent);
  });

  // Dialogs: a page of its own, shown above this one. Its form is sent like on that page.
  let opener, back;
  const open = async (link) => {
    const answer = await fetch(link.href);
    if (!answer.ok) return location.assign(link.href);
    if (dialog.open) return;
    opener = active() === body && link.closest ? link : active();
    back = wayTo(opener);
    const content = one("#main", parse(await answer.text()));
    content.id = "dialog";
    dialog.ariaLabel = one("h1", content).textContent;
    dialog.append(content);
    dialog.showModal();
    htmx.process(content);
    (one("[data-focus]", content) || one("input:not([type=hidden]), select, textarea", content))?.focus();
  };
  on("close", () => {
    dialog.lastChild.remove();
    opener.isConnected ? point(opener) : goTo(back);
  }, dialog);
  on("click", (event) => {
    const { target, ctrlKey, metaKey, shiftKey } = event, link = target.closest("a"), save = target.closest("[data-save-picture]");
    way = link?.pathname === location.pathname && wayTo(link);
    if (target === dialog) dialog.close();
    if (link?.matches("[data-dialog]") && !(ctrlKey || metaKey || shiftKey)) { stop(event); open(link); }
    if (save) { stop(event); savePicture(save.dataset); }
    for (const menu of all("details.menu[open]")) menu.open = menu.contains(target);
  });

  // A file dropped on a page, or pasted, goes into its file field, or into that of the page for files.
  const take = async (files) => {
    if (!one("[type=file]") && texts.drop) await open({ href: texts.drop });
    const field = one("[type=file]");
    if (!field) return;
    field.files = files;
    fire(field, "input");
    fire(field, "change");
  };
  on("dragover drop", (event) => {
    const { type, dataTransfer: { types, files } } = event;
    if (!types.includes("Files")) return;
    stop(event);
    body.classList.toggle("over", type === "dragover");
    if (type === "drop") take(files);
  });
  on("dragleave", ({ relatedTarget }) => { if (!relatedTarget) body.classList.remove("over"); });
  on("paste", ({ clipboardData }) => { if (clipboardData.files.length) take(clipboardData.files); });
  on("change", ({ target }) => {
    const shown = target.dataset.preview && one(`#${target.dataset.preview}`);
    if (shown && target.files[0]) { shown.src = URL.createObjectURL(target.files[0]); shown.hidden = false; }
    if ("submit" in target.dataset) target.form.requestSubmit();
  });

  // Saves an SVG of this site as a PNG.
  const savePicture = async ({ savePicture: address, name }) => {
    const image = new Image(), canvas = make("canvas"), link = make("a");
    image.src = URL.createObjectURL(await (await fetch(address)).blob());
    await image.decode();
    canvas.width = image.width;
    canvas.height = image.height;
    canvas.getContext("2d").drawImage(image, 0, 0);
    link.href = canvas.toDataURL();
    link.download = name;
    link.click();
  };
}
