// Forms: the time zone, dialogs, dropped files, unsaved input, buttons that are busy, notices, pictures.
// `bookshelf` has what the other scripts use: `one` and `all` find elements, `on` listens.
const bookshelf = {
  one: (selector, part = document) => part.querySelector(selector),
  all: (selector, part = document) => [...part.querySelectorAll(selector)],
  on: (names, work, part = window) => names.split(" ").forEach((name) => part.addEventListener(name, work)),
  parse: (text) => new DOMParser().parseFromString(text, "text/html"),
  root: document.documentElement,
  say: (text) => { bookshelf.one("#said").textContent = text; },
};
(() => {
  const { one, all, on, parse, root, say } = bookshelf;
  const body = document.body;
  root.classList.add("scripted");

  // Without a chosen time zone the browser's is kept for the next request.
  if ("zoneUnknown" in root.dataset) {
    const kept = new URLSearchParams(document.cookie.match(/bookshelf-prefs=([^;]*)/)?.[1]);
    kept.set("zone", Intl.DateTimeFormat().resolvedOptions().timeZone);
    document.cookie = `bookshelf-prefs=${kept}; Path=/; Max-Age=31536000; SameSite=Lax`;
  }
  // What is typed replaces what a field has from before. A link gets the focus without a jump.
  const first = one("[data-focus]");
  first?.focus({ preventScroll: first.matches("a") });
  first?.matches("input") && first.select();

  // Nothing replaces a form that has unsaved input. A form is sent once, until the browser comes back to it.
  on("input", ({ target }) => target.form?.setAttribute("data-dirty", ""));
  on("submit", (event) => {
    const form = event.target, button = event.submitter;
    if (form.method !== "post") return;
    if ("sent" in form.dataset) return event.preventDefault();
    form.dataset.sent = "";
    delete form.dataset.dirty;
    if (!button?.dataset.busy) return;
    button.setAttribute("aria-disabled", true);
    one("span", button).textContent = button.dataset.busy;
  });
  on("pageshow", () => all("[data-sent]").forEach((form) => delete form.dataset.sent));

  // A notice leaves after 10 s, unless the pointer or the focus is on it.
  const time = (notice) => {
    if (!notice) return;
    let timer;
    const start = () => { timer = setTimeout(() => notice.remove(), 1e4); };
    on("pointerenter focusin", () => clearTimeout(timer), notice);
    on("pointerleave focusout", start, notice);
    start();
  };
  time(one("#notice"));
  // A part that htmx has requested comes with the page's notice.
  on("htmx:beforeSwap", ({ detail }) => {
    const notice = one("#notice", parse(detail.xhr.responseText));
    if (!notice) return;
    one("#notice")?.remove();
    one("#main").prepend(notice);
    time(notice);
  });
  on("htmx:afterSettle", () => { if (one("[data-say]")) say(one("[data-say]").textContent); });

  // Dialogs: a page of its own, shown above this one. Its form is sent like on that page.
  const opener = (link) => link.isConnected ? link : one(`a[href="${link.pathname}"]`);
  const open = async (link) => {
    const answer = await fetch(link.href);
    if (!answer.ok) return location.assign(link.href);
    const main = one("#main", parse(await answer.text())), dialog = document.createElement("dialog");
    main.id = "dialog";
    dialog.setAttribute("aria-label", one("h1", main).textContent);
    dialog.innerHTML = '<form method=dialog><button class="btn plain square close">×</button></form>';
    one("button", dialog).setAttribute("aria-label", body.dataset.close);
    dialog.append(main);
    on("click", ({ target }) => { if (target === dialog) dialog.close(); }, dialog);
    on("close", () => { dialog.remove(); opener(link)?.focus(); }, dialog);
    body.append(dialog);
    dialog.showModal();
    htmx.process(main);
    (one("[data-focus]", main) || one("input:not([type=hidden]), select, textarea", main))?.focus();
  };
  on("click", (event) => {
    const link = event.target.closest("a[data-dialog]"), save = event.target.closest("[data-save-picture]");
    if (link && !(event.ctrlKey || event.metaKey || event.shiftKey)) { event.preventDefault(); open(link); }
    if (save) { event.preventDefault(); savePicture(save.dataset); }
    for (const menu of all("details.menu[open]")) menu.open = menu.contains(event.target);
  });

  // A file dropped on a page, or pasted, goes into its file field, or into that of the page for files.
  const take = async (files) => {
    const find = () => one("[type=file]");
    if (!find() && body.dataset.drop) await open({ href: body.dataset.drop });
    if (!find()) return;
    find().files = files;
    for (const name of ["input", "change"]) find().dispatchEvent(new Event(name, { bubbles: true }));
  };
  on("dragover drop", (event) => {
    if (!event.dataTransfer.types.includes("Files")) return;
    event.preventDefault();
    body.classList.toggle("over", event.type === "dragover");
    if (event.type === "drop") take(event.dataTransfer.files);
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
    const image = new Image(), canvas = document.createElement("canvas"), link = document.createElement("a");
    image.src = URL.createObjectURL(await (await fetch(address)).blob());
    await image.decode();
    [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
    canvas.getContext("2d").drawImage(image, 0, 0);
    [link.href, link.download] = [canvas.toDataURL(), name];
    link.click();
  };
})();
