// Forms: the time zone, dialogs, dropped files, unsaved input, buttons that are busy, notices, pictures.
(() => {
  const root = document.documentElement, body = document.body;
  root.classList.add("scripted");

  // Without a chosen time zone the browser's is kept for the next request.
  if ("zoneUnknown" in root.dataset) {
    const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
    const kept = new URLSearchParams((document.cookie.match(/bookshelf-prefs=([^;]*)/) || [])[1] || "");
    kept.set("zone", zone);
    document.cookie = `bookshelf-prefs=${kept}; Path=/; Max-Age=31536000; SameSite=Lax`;
  }

  const say = (text) => { document.getElementById("said").textContent = text; };
  const parse = (text) => new DOMParser().parseFromString(text, "text/html");
  window.bookshelf = { say, parse };

  // A part of a page that was replaced may have something that wants the focus.
  const settle = (part) => part.querySelector("[data-focus]")?.focus();
  settle(document);

  // Unsaved input: nothing replaces a form that has it.
  addEventListener("input", (event) => event.target.form?.setAttribute("data-dirty", ""));
  addEventListener("submit", (event) => {
    const form = event.target, button = event.submitter;
    if (form.method !== "post") return;
    if (form.hasAttribute("data-sent")) return event.preventDefault();
    form.setAttribute("data-sent", "");
    form.removeAttribute("data-dirty");
    if (button?.dataset.busy) {
      button.style.minInlineSize = `${button.offsetWidth}px`;
      button.setAttribute("aria-disabled", "true");
      (button.querySelector("span") || button).textContent = button.dataset.busy;
    }
  });
  // Back from the next page: the form can be sent again.
  addEventListener("pageshow", (event) => {
    if (event.persisted) document.querySelectorAll("[data-sent]").forEach((form) => form.removeAttribute("data-sent"));
  });

  // A notice leaves after 10 s, unless the pointer or the focus is on it.
  const time = (notice) => {
    let timer;
    const start = () => { timer = setTimeout(() => { notice.classList.add("gone"); setTimeout(() => notice.remove(), 300); }, 10000); };
    const stop = () => clearTimeout(timer);
    for (const name of ["pointerenter", "focusin"]) notice.addEventListener(name, stop);
    for (const name of ["pointerleave", "focusout"]) notice.addEventListener(name, start);
    start();
  };
  const first = document.getElementById("notice");
  if (first) time(first);
  // A part that htmx has requested comes with the page's notice.
  addEventListener("htmx:beforeSwap", (event) => {
    const notice = parse(event.detail.xhr.responseText).getElementById("notice");
    if (!notice) return;
    document.getElementById("notice")?.remove();
    document.getElementById("main").prepend(notice);
    time(notice);
  });
  addEventListener("htmx:afterSettle", (event) => {
    const count = document.querySelector("[data-say]")?.textContent;
    if (count && event.detail.elt.closest("main")) say(count);
  });

  // Dialogs: a page of its own, shown above this one. Its form is sent like on that page.
  const open = async (link) => {
    const answer = await fetch(link.href, { headers: { Accept: "text/html" } });
    if (!answer.ok) return location.assign(link.href);
    const main = parse(await answer.text()).getElementById("main");
    const dialog = document.createElement("dialog");
    main.id = "dialog";
    main.className = "";
    dialog.setAttribute("aria-label", main.querySelector("h1")?.textContent.trim() || link.textContent.trim());
    const close = document.createElement("button");
    close.className = "btn plain square close";
    close.setAttribute("aria-label", link.dataset.close || "×");
    close.textContent = "×";
    close.addEventListener("click", () => dialog.close());
    dialog.append(close, main);
    dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
    dialog.addEventListener("close", () => { dialog.remove(); link.focus(); });
    body.append(dialog);
    dialog.showModal();
    window.htmx?.process(dialog);
    (dialog.querySelector("[data-focus], input:not([type=hidden]), select, textarea") || close).focus();
  };
  addEventListener("click", (event) => {
    const link = event.target.closest?.("a[data-dialog]");
    if (link && !event.ctrlKey && !event.metaKey && !event.shiftKey && event.button === 0) {
      event.preventDefault();
      open(link);
    }
    for (const menu of document.querySelectorAll("details.menu[open]")) if (!menu.contains(event.target)) menu.open = false;
    const save = event.target.closest?.("[data-save-picture]");
    if (save) { event.preventDefault(); savePicture(save); }
  });

  // A file dropped on a page, or pasted, goes into its file field, or into that of the page for files.
  const take = async (files) => {
    let field = document.querySelector("input[type=file]");
    if (!field && body.dataset.drop) {
      const link = document.createElement("a");
      link.href = body.dataset.drop;
      await open(link);
      field = document.querySelector("dialog input[type=file]");
    }
    if (!field) return;
    field.files = files;
    field.dispatchEvent(new Event("input", { bubbles: true }));
    field.dispatchEvent(new Event("change", { bubbles: true }));
  };
  const hasFiles = (event) => event.dataTransfer?.types.includes("Files");
  addEventListener("dragover", (event) => { if (hasFiles(event)) { event.preventDefault(); body.classList.add("over"); } });
  addEventListener("dragleave", (event) => { if (!event.relatedTarget) body.classList.remove("over"); });
  addEventListener("drop", (event) => { if (hasFiles(event)) { event.preventDefault(); body.classList.remove("over"); take(event.dataTransfer.files); } });
  addEventListener("paste", (event) => { if (event.clipboardData?.files.length) take(event.clipboardData.files); });
  addEventListener("change", (event) => {
    const field = event.target, shown = document.getElementById(field.dataset?.preview);
    if (field.files?.[0] && shown) { shown.src = URL.createObjectURL(field.files[0]); shown.hidden = false; }
    if (field.hasAttribute?.("data-submit")) field.form.requestSubmit();
  });

  // Saves an SVG of this site as a PNG.
  const savePicture = async (button) => {
    const image = new Image();
    const text = await (await fetch(button.dataset.savePicture)).text();
    image.src = URL.createObjectURL(new Blob([text], { type: "image/svg+xml" }));
    await image.decode();
    const canvas = Object.assign(document.createElement("canvas"), { width: image.naturalWidth, height: image.naturalHeight });
    canvas.getContext("2d").drawImage(image, 0, 0);
    const link = document.createElement("a");
    link.download = button.dataset.name || "picture.png";
    link.href = canvas.toDataURL("image/png");
    link.click();
  };
})();
